"""Replay memory: what was appended is there, whatever happens to the writer."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from speaq.core.errors import DataError, SettingsError, StorageError
from speaq.experience.replay_memory import ReplayMemory


def row(number):
    """A row that says everywhere which one it is; some columns are empty."""
    return {
        "tokens": np.arange(number % 7, dtype=np.int64) + 100 * number,
        "rewards": np.full(number % 3, number / 4, np.float32),
        "ended": np.array([number % 2 == 0]),
    }


def same(one, other):
    return list(one) == list(other) and all(
        one[name].dtype == other[name].dtype and one[name].tolist() == other[name].tolist()
        for name in one
    )


def holds(memory, numbers):
    """Whether the memory holds exactly these rows, each in its slot."""
    found = memory.rows(range(len(memory)))
    return len(memory) == len(numbers) and all(map(same, found, map(row, numbers)))


def slots(count, capacity):
    """Which row stands in each slot once `count` rows were appended."""
    ring = {}
    for number in range(count):
        ring[number % capacity if capacity else number] = number
    return [ring[slot] for slot in sorted(ring)]


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.integers(0, 5)),
        st.tuples(st.just("rewind"), st.integers(0, 4)),
        st.tuples(st.just("reopen"), st.just(0)),
    ),
    max_size=12,
)


@given(STEPS, st.sampled_from([0, 1, 3, 4]))
@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_it_is_a_list_of_rows_whatever_is_done_to_it(tmp_path_factory, steps, capacity):
    folder = tmp_path_factory.mktemp("memory")
    memory, count = ReplayMemory(folder, capacity), 0
    for step, size in steps:
        if step == "append":
            places = memory.append([row(count + n) for n in range(size)])
            assert places == [
                (count + n) % capacity if capacity else count + n for n in range(size)
            ]
            count += size
        elif step == "rewind" and (not capacity or size <= capacity):
            count = max(0, count - size)
            memory.rewind(count)
        else:
            memory = ReplayMemory(folder, capacity)
        assert memory.count == count
        assert holds(memory, slots(count, capacity))


def test_rows_come_in_any_order_and_more_than_once(tmp_path):
    memory = ReplayMemory(tmp_path)
    memory.append([row(n) for n in range(20)])
    wanted = [7, 3, 3, 19, 0]
    assert all(map(same, memory.rows(wanted), map(row, wanted)))
    assert same(memory.row(5), row(5))
    assert memory.rows([]) == []
    for index in (-1, 20):
        with pytest.raises(IndexError, match="rows 0 to 19"):
            memory.row(index)


def test_a_row_read_is_a_copy(tmp_path):
    memory = ReplayMemory(tmp_path)
    memory.append([row(5)])
    memory.row(0)["tokens"][:] = 0
    kept = memory.row(0)
    memory.rewind(0)
    memory.append([row(6)])
    assert same(kept, row(5))
    assert holds(memory, [6])


def test_going_back_may_be_undone_until_something_is_appended(tmp_path):
    memory = ReplayMemory(tmp_path)
    memory.append([row(n) for n in range(4)])
    memory.rewind(0)
    memory = ReplayMemory(tmp_path)
    memory.rewind(3)
    assert holds(memory, [0, 1, 2])
    memory.append([row(8)])
    assert holds(memory, [0, 1, 2, 8])
    with pytest.raises(DataError, match="cannot go to 5 rows"):
        memory.rewind(5)


def test_what_lies_beyond_the_committed_rows_is_not_there(tmp_path):
    memory = ReplayMemory(tmp_path)
    memory.append([row(n) for n in range(6)])
    for file in tmp_path.glob("*.bin"):
        with file.open("ab") as stream:
            stream.write(b"torn!")
    memory = ReplayMemory(tmp_path)
    assert holds(memory, range(6))
    memory.append([row(6)])
    assert holds(ReplayMemory(tmp_path), range(7))


def test_a_full_disk_keeps_what_was_there(tmp_path):
    import resource

    memory = ReplayMemory(tmp_path)
    memory.append([row(n) for n in range(6)])
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    big = {**row(6), "tokens": np.zeros(10_000, np.int64)}
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 14, old[1]))
    try:
        with pytest.raises(StorageError, match="could not be written"):
            memory.append([row(6), big])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
    assert holds(memory, range(6)) and holds(ReplayMemory(tmp_path), range(6))
    memory.append([row(6), big])
    assert len(ReplayMemory(tmp_path)) == 8


WRITER = """
import sys, itertools
import numpy as np
from pathlib import Path
from speaq.experience.replay_memory import ReplayMemory
memory = ReplayMemory(Path(sys.argv[1]), capacity=int(sys.argv[2]))
for number in itertools.count(memory.count, 3):
    new = range(number, number + 3)
    memory.append([{"a": np.full(n % 5, n), "b": np.array([n / 2])} for n in new])
    print(number + 3, flush=True)
"""


@pytest.mark.parametrize("capacity", [0, 4])
def test_a_killed_writer_loses_nothing_acknowledged(tmp_path, capacity):
    for delay in (0.0, 0.013, 0.041):
        command = [sys.executable, "-c", WRITER, str(tmp_path), str(capacity)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
            acknowledged = int(writer.stdout.readline())
            time.sleep(delay)
            os.kill(writer.pid, signal.SIGKILL)
            acknowledged = max([acknowledged, *map(int, writer.stdout.read().split())])
        memory = ReplayMemory(tmp_path, capacity)
        assert memory.count >= acknowledged and memory.count % 3 == 0
        for found, n in zip(
            memory.rows(range(len(memory))), slots(memory.count, capacity), strict=True
        ):
            assert found["a"].tolist() == [n] * (n % 5) and found["b"].tolist() == [n / 2]


def test_the_oldest_rows_leave_the_disk_and_old_files_with_them(tmp_path):
    memory = ReplayMemory(tmp_path, capacity=8)
    most = 0
    for number in range(90):
        memory.append([row(number)])
        most = max(most, sum(file.stat().st_size for file in tmp_path.glob("*.bin")))
    assert most < 33 * (7 * 8 + 2 * 4 + 1 + 3 * 8)
    assert len({file.suffixes[-2] for file in tmp_path.glob("*.bin")}) == 1
    assert holds(memory, slots(90, 8))
    memory.rewind(82)  # as far back as a capacity is always possible
    assert holds(memory, slots(82, 8))
    with pytest.raises(DataError, match="cannot go to 20 rows"):
        memory.rewind(20)


def test_files_that_a_killed_compaction_left_are_cleared(tmp_path):
    memory = ReplayMemory(tmp_path, capacity=2)
    memory.append([row(n) for n in range(5)])
    left = tmp_path / "tokens.1.bin"
    left.write_bytes(b"half")
    assert holds(ReplayMemory(tmp_path, capacity=2), slots(5, 2))
    assert not left.exists()


def test_a_full_memory_may_refuse(tmp_path):
    memory = ReplayMemory(tmp_path, capacity=3, when_full="refuse")
    memory.append([row(0), row(1)])
    with pytest.raises(StorageError, match="holds 3 rows and is full"):
        memory.append([row(2), row(3)])
    memory.append([row(2)])
    assert holds(memory, [0, 1, 2])


def test_nothing_appended_is_nothing_written(tmp_path):
    memory = ReplayMemory(tmp_path / "memory")
    assert memory.append([]) == [] and len(memory) == 0 and memory.rows([]) == []
    memory.rewind(0)
    assert not (tmp_path / "memory").exists()


@pytest.mark.parametrize(
    "bad",
    [
        {"tokens": np.zeros(2, np.int64)},
        {**row(1), "rewards": np.zeros(2)},
        {**row(1), "tokens": np.zeros((2, 2), np.int64)},
        {**row(1), "more": np.zeros(1)},
    ],
)
def test_rows_of_another_layout_are_refused(tmp_path, bad):
    memory = ReplayMemory(tmp_path)
    memory.append([row(0)])
    with pytest.raises(DataError, match="item 2 to append has columns"):
        memory.append([row(1), bad])
    assert holds(memory, [0])


@pytest.mark.parametrize("name", ["index", "../out"])
def test_names_that_are_no_column_are_refused(tmp_path, name):
    with pytest.raises(DataError, match="named by a word"):
        ReplayMemory(tmp_path / "memory").append([{name: np.zeros(1)}])
    assert not (tmp_path / "memory").exists()


def test_another_capacity_or_version_is_refused(tmp_path):
    ReplayMemory(tmp_path, capacity=3).append([row(0)])
    with pytest.raises(SettingsError, match="made for 3 rows, not 4"):
        ReplayMemory(tmp_path, capacity=4)
    with pytest.raises(SettingsError, match="capacity = -1 must be"):
        ReplayMemory(tmp_path, capacity=-1)
    file = tmp_path / "memory.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "version": 2}))
    with pytest.raises(StorageError, match="is of version 2"):
        ReplayMemory(tmp_path, capacity=3)
