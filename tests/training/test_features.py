"""Cached hidden states: what a plain forward gives, and nothing that was never computed."""

import json
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
import torch

from speaq.models.sources import load
from speaq.training import features as module
from speaq.training.encoding import Encoded
from speaq.training.features import cache_features


@pytest.fixture
def float32(monkeypatch):
    monkeypatch.setattr("speaq.models.language_model.batch_dtype", lambda: torch.float32)


def episodes(count=9, seed=0):
    """Ragged, some with a common prefix, some with text between two replies."""
    stream = np.random.default_rng(seed)
    made = []
    for number in range(count):
        prefix = [3, 1, 4] if number % 3 == 0 else stream.integers(0, 250, 1 + number % 4).tolist()
        reply = stream.integers(0, 250, int(stream.integers(1, 7))).tolist()
        gap = [7, 7] if number % 2 else []
        places = np.arange(len(reply)) + len(prefix)
        if gap and len(reply) > 1:
            places[1:] += 2
            reply = [reply[0], *gap, *reply[1:]]
        made.append(
            Encoded(
                id=str(number),
                group="g",
                tokens=np.array([*prefix, *reply], np.int64),
                actions=places,
                turn_ids=np.zeros(len(places), np.int64),
                rewards=np.zeros(len(places), np.float32),
                behaviour_logprobs=np.zeros(len(places), np.float32),
                truncated=False,
            )
        )
    return made


@torch.no_grad()
def plain(model, each):
    hidden = model.hidden_states(torch.from_numpy(each.tokens)[None])[0]
    return hidden[torch.from_numpy(each.states)]


@pytest.mark.usefixtures("float32")
@pytest.mark.parametrize("at_once", [8192, 20])
def test_states_equal_a_plain_forward(tiny, tmp_path, monkeypatch, at_once):
    monkeypatch.setattr(module, "TOKENS_AT_ONCE", at_once)
    log = episodes()
    found = cache_features(tiny, log, tmp_path)
    for index, each in enumerate(log):
        assert found.states(index).shape == (len(each.actions) + 1, 128)
        torch.testing.assert_close(found.states(index), plain(tiny, each), atol=1e-4, rtol=1e-4)


@pytest.mark.usefixtures("float32")
def test_gathered_rows_are_padded_with_zeros(tiny, tmp_path):
    log = episodes()
    found = cache_features(tiny, log, tmp_path)
    rows = found.gather([2, 5, 2])
    longest = max(len(log[i].actions) + 1 for i in (2, 5))
    assert rows.shape == (3, longest, 128)
    for row, index in enumerate([2, 5, 2]):
        count = len(log[index].actions) + 1
        assert torch.equal(rows[row, :count], found.states(index))
        assert not rows[row, count:].any()


@pytest.mark.usefixtures("float32")
@pytest.mark.parametrize("temperature", [1.0, 0.5])
def test_centres_are_the_mean_output_embedding(tiny, tmp_path, temperature):
    log = episodes()
    found = cache_features(tiny, log, tmp_path, temperature)
    rows = found.gather_centres([0, 4])
    for row, index in enumerate([0, 4]):
        states = found.states(index)[:-1]
        with torch.no_grad():
            policy = torch.softmax(tiny.output_layer(states) / temperature, -1)
            expected = policy @ tiny.output_table
        torch.testing.assert_close(rows[row, : len(states)], expected, atol=1e-5, rtol=1e-4)
        assert not rows[row, len(states) :].any()


@pytest.mark.usefixtures("float32")
def test_features_without_centres_say_so(tiny, tmp_path):
    with pytest.raises(ValueError, match="without centres"):
        cache_features(tiny, episodes(2), tmp_path).gather_centres([0])


def test_bfloat16_is_kept_as_it_is(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr("speaq.models.language_model.batch_dtype", lambda: torch.bfloat16)
    log = episodes(3)
    found = cache_features(tiny, log, tmp_path)
    assert found.dtype == torch.bfloat16
    assert found.file.stat().st_size == 2 * 128 * sum(len(each.actions) + 1 for each in log)
    for index, each in enumerate(log):
        states = found.states(index)
        assert torch.equal(states, states.bfloat16().float())
        torch.testing.assert_close(states, plain(tiny, each), atol=0.1, rtol=0.1)


@pytest.mark.usefixtures("float32")
def test_found_again_and_never_for_another_model_or_log(tiny, tmp_path, monkeypatch):
    log = episodes()
    first = cache_features(tiny, log, tmp_path)

    def refuse(*_):
        raise AssertionError("computed again")

    with monkeypatch.context() as patch:
        patch.setattr(module, "hidden_states", refuse)
        assert cache_features(tiny, log, tmp_path).file == first.file
        with pytest.raises(AssertionError, match="computed again"):
            cache_features(tiny, log[:-1], tmp_path)
    other = cache_features(load("new:tiny?seed=1"), log, tmp_path)
    assert other.file != first.file


class StoppedError(Exception):
    pass


def stop_after(monkeypatch, calls):
    real, done = module.hidden_states, []

    def computing(*arguments):
        if len(done) == calls:
            raise StoppedError
        done.append(1)
        return real(*arguments)

    monkeypatch.setattr(module, "hidden_states", computing)
    return done


@pytest.mark.usefixtures("float32")
@pytest.mark.parametrize("temperature", [None, 1.0])
@pytest.mark.parametrize("calls", [0, 1, 3])
def test_an_interrupted_cache_continues_to_the_same_bytes(
    tiny, tmp_path, monkeypatch, calls, temperature
):
    monkeypatch.setattr(module, "TOKENS_AT_ONCE", 20)
    log = episodes()
    whole = cache_features(tiny, log, tmp_path / "whole", temperature)
    pieces = len(module._pieces(log))
    with monkeypatch.context() as patch:
        stop_after(patch, calls)
        with pytest.raises(StoppedError):
            cache_features(tiny, log, tmp_path / "cut", temperature)
    with monkeypatch.context() as patch:
        done = stop_after(patch, 100)
        again = cache_features(tiny, log, tmp_path / "cut", temperature)
    assert len(done) == pieces - calls
    assert again.file.read_bytes() == whole.file.read_bytes()
    if temperature:
        assert again.centres.read_bytes() == whole.centres.read_bytes()


@pytest.mark.usefixtures("float32")
@pytest.mark.parametrize("damage", ["gone", "cut"])
def test_a_lost_file_is_computed_again_rather_than_believed(tiny, tmp_path, damage):
    log = episodes()
    first = cache_features(tiny, log, tmp_path, 1.0)
    expected = first.file.read_bytes(), first.centres.read_bytes()
    for file in (first.file, first.centres):
        if damage == "gone":
            file.unlink()
        else:
            file.write_bytes(file.read_bytes()[:-8])
        again = cache_features(tiny, log, tmp_path, 1.0)
        assert (again.file.read_bytes(), again.centres.read_bytes()) == expected


@pytest.mark.usefixtures("float32")
def test_other_centres_of_the_same_states_do_not_unmake_them(tiny, tmp_path):
    log = episodes()
    first = cache_features(tiny, log, tmp_path, 1.0)
    other = cache_features(tiny, log, tmp_path, 0.5)
    assert other.file == first.file and other.centres != first.centres
    torch.testing.assert_close(first.states(3), plain(tiny, log[3]), atol=1e-4, rtol=1e-4)
    assert len(json.loads(first.file.with_name(f"{first.file.stem}-1.json").read_text())) == 2


FULL_DISK = """
    import resource, sys
    sys.path.insert(0, sys.argv[2])
    from pathlib import Path
    from test_features import episodes
    from speaq.core.errors import StorageError
    from speaq.models.sources import load
    from speaq.training.features import cache_features
    model, folder = load("new:tiny"), Path(sys.argv[1])
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
    try:
        cache_features(model, episodes(), folder)
    except StorageError as error:
        print(error)
    assert not list(folder.glob("*.json")), "claims work that was not done"
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    found = cache_features(model, episodes(), folder)
    assert all(found.states(i).abs().sum(1).min() > 0 for i in range(9))
    print("whole")
"""


def test_a_full_disk_is_one_sentence_and_leaves_no_lie(tmp_path):
    here = str(Path(__file__).parent)
    answer = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(FULL_DISK), str(tmp_path), here],
        capture_output=True,
        text=True,
    )
    assert answer.returncode == 0, answer.stderr
    sentence, last = answer.stdout.strip().splitlines()
    assert ".states could not be written (File too large)" in sentence
    assert last == "whole"
