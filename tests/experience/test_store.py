"""The experience store: what it acknowledged is there, once, for those who may read it."""

import sqlite3
import subprocess
import sys
import tempfile
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from sqlalchemy import event
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import Engine

from speaq.core.errors import DataError, SettingsError, StorageError
from speaq.experience import schema
from speaq.experience.episode import Episode, Feedback, Turn
from speaq.experience.store import ExperienceStore


def episode(name: str, **more) -> Episode:
    return Episode((Turn("observation", "hi"), Turn("action", f"reply {name}")), id=name, **more)


def integrity(path: Path) -> str:
    connection = sqlite3.connect(path)
    (answer,) = connection.execute("PRAGMA integrity_check").fetchone()
    connection.close()
    return answer


@pytest.fixture
def path(tmp_path):
    return tmp_path / "log.db"


@pytest.fixture
def store(path):
    with ExperienceStore(path) as opened:
        yield opened


THUMB = Feedback("thumb", True, 5.0, "user", "k1")


def test_what_goes_in_comes_out_in_order_after_reopening(path):
    whole = Episode(
        (
            Turn("observation", "你好"),
            Turn("action", "嗯 \ud83d", token_ids=(1, 2), logprobs=(-0.1, -2.0)),
        ),
        id="w",
        time=1.5,
        reward=0.25,
        subject="p",
        consent=("learn",),
        tags={"a": "b"},
        feedback=(THUMB, Feedback("comment", "好", 6.0)),
    )
    many = [whole, *(episode(f"e{number}", time=float(-number)) for number in range(1200))]
    with ExperienceStore(path) as store:
        assert store.append(*many) == len(many)
    with ExperienceStore(path) as store:
        assert store.episodes() == many
        assert store.get("w") == whole
        assert (store.get("nobody"), store.count()) == (None, len(many))


def test_a_second_copy_changes_nothing(store):
    first = episode("e", feedback=(THUMB,))
    assert store.append(first, first) == 1
    assert store.append(replace(first, tags={"other": "words"})) == 0
    assert store.add_feedback("e", replace(THUMB, value=False)) is False
    assert store.episodes() == [first]


def test_feedback_comes_late_and_from_a_second_import(store):
    store.append(episode("e"))
    assert store.add_feedback("e", THUMB) is True
    assert store.append(episode("e", feedback=(THUMB, Feedback("score", 1.0, 7.0)))) == 0
    assert store.get("e").feedback == (THUMB, Feedback("score", 1.0, 7.0))


def test_feedback_stays_in_the_order_it_was_added(store):
    store.append(episode("e"))
    said = [Feedback("score", 1.0, 5.0, id=key) for key in "zma"]
    for each in said:
        store.add_feedback("e", each)
    assert store.get("e").feedback == tuple(said)


def test_feedback_may_come_before_its_episode(path):
    with ExperienceStore(path) as store:
        assert store.add_feedback("later", THUMB) is True
        assert store.get("later") is None
        assert store.count() == 0
    with ExperienceStore(path) as store:
        store.append(episode("later"))
        assert store.get("later").feedback == (THUMB,)


def test_without_an_id_content_and_time_tell_events_apart(store):
    plain = Feedback("score", 1.0, 5.0)
    said = [
        plain,
        plain,
        replace(plain, time=6.0),
        replace(plain, value=True),
        replace(plain, source="x"),
    ]
    assert [store.add_feedback("e", each) for each in said] == [True, False, True, True, True]


def test_one_id_may_serve_two_episodes(store):
    assert store.add_feedback("a", THUMB) and store.add_feedback("b", THUMB)


@pytest.mark.parametrize(
    "wrong",
    [
        episode(""),
        episode("a\0b"),
        episode("\ud83d"),
        episode("a", subject="\ud83d"),
        episode("a", reward=float("nan")),
        episode("a", feedback=(Feedback("score", float("nan")),)),
        Episode((Turn("action", ""),)),
    ],
)
def test_one_bad_episode_keeps_the_others_out_too(store, wrong):
    with pytest.raises(DataError):
        store.append(episode("good"), wrong)
    assert store.count() == 0
    with pytest.raises(DataError):
        store.add_feedback("good", Feedback("score", float("inf")))


def test_only_those_who_agreed_are_learnt_from(store):
    """Consent is enforced where experience is read: this fails if `iterate` gives all."""
    agreed = episode("yes", consent=("learn", "share"))
    own = episode("own", consent=None)
    store.append(episode("no", consent=()), agreed, episode("other", consent=("share",)), own)
    assert store.episodes() == [agreed, own]
    assert list(store.iterate("learn")) == [agreed, own]
    assert [each.id for each in store.episodes("share")] == ["yes", "other", "own"]
    assert [each.id for each in store.episodes(None)] == ["no", "yes", "other", "own"]


def test_consent_is_enforced_beyond_the_first_page(store):
    many = [episode(f"{n}", consent=("learn",) if n % 7 else ()) for n in range(1500)]
    store.append(*many)
    assert store.episodes() == [each for each in many if each.consent]


def test_erasing_leaves_no_byte(path):
    with ExperienceStore(path) as store:
        theirs = episode("x", subject="person-7", feedback=(Feedback("correction", "SECRET-A"),))
        store.append(replace(theirs, turns=(*theirs.turns, Turn("action", "SECRET-B " * 2000))))
        store.append(episode("y", subject="person-8", feedback=(Feedback("note", "SECRET-C"),)))
        store.add_feedback("x", Feedback("comment", "SECRET-D"))
        assert b"SECRET-D" in everything_in(path.parent)
        assert store.erase("person-7") == 1
        left = everything_in(path.parent)
        assert [name for name in b"ABD" if b"SECRET-" + bytes([name]) in left] == []
        assert b"person-7" not in left and b"SECRET-C" in left
        assert [each.id for each in store.episodes()] == ["y"]
        assert store.get("y").feedback[0].value == "SECRET-C"
        assert store.erase("person-7") == 0


def everything_in(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in folder.iterdir())


def test_erasing_says_if_a_reader_keeps_the_bytes_alive(path, monkeypatch):
    monkeypatch.setattr(schema, "_BUSY_SECONDS", 0.01)
    with ExperienceStore(path) as store:
        store.append(episode("x", subject="p"))
        reader = sqlite3.connect(path, isolation_level=None)
        reader.execute("BEGIN")
        assert reader.execute("SELECT count(*) FROM episodes").fetchone() == (1,)
        with pytest.raises(StorageError, match="erase again"):
            store.erase("p")
        reader.close()
        assert store.erase("p") == 0
        assert b"reply x" not in everything_in(path.parent)


def test_threads_are_answered_each_for_their_own(store):
    news = {}

    def add(worker):
        news[worker] = [store.add_feedback("e", replace(THUMB, id=str(n))) for n in range(30)]
        store.append(episode(f"of-{worker}"))

    threads = [threading.Thread(target=add, args=(worker,)) for worker in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # Every worker sent the same thirty events; each was new to exactly one of them.
    assert [sum(news[worker][n] for worker in range(8)) for n in range(30)] == [1] * 30
    assert store.count() == 8


class Held:
    """Holds the store's next commit until told; the first caller waits in it, the rest queue."""

    def __init__(self, store: ExperienceStore) -> None:
        self.commits, self.entered, self.go_on = 0, threading.Event(), threading.Event()
        self._queue = store._writer._queue
        event.listen(store._engine, "commit", self.hold)

    def hold(self, _connection):
        self.commits += 1
        self.entered.set()
        assert self.go_on.wait(30)

    def start(self, threads):
        threads[0].start()
        assert self.entered.wait(30)
        for thread in threads[1:]:
            thread.start()
        while self._queue.qsize() < len(threads) - 1:
            threads[0].join(0.001)


def appending(store, count, done):
    def append(name):
        done.append(store.append(episode(name)))

    return [threading.Thread(target=append, args=(str(number),)) for number in range(count)]


def test_waiting_callers_share_one_commit_and_none_is_answered_before_it(path):
    done = []
    with ExperienceStore(path) as store:
        held = Held(store)
        threads = appending(store, 20, done)
        held.start(threads)
        assert done == []
        reader = sqlite3.connect(path)
        assert reader.execute("SELECT count(*) FROM episodes").fetchone() == (0,)
        reader.close()
        held.go_on.set()
        for thread in threads:
            thread.join()
        assert (held.commits, store.count(), done) == (2, 20, [1] * 20)


def test_what_is_queued_at_closing_is_still_written(path):
    done = []
    store = ExperienceStore(path)
    held = Held(store)
    threads = appending(store, 10, done)
    held.start(threads)
    closer = threading.Thread(target=store.close)
    closer.start()
    held.go_on.set()
    for thread in [*threads, closer]:
        thread.join()
    assert done == [1] * 10
    with ExperienceStore(path) as reopened:
        assert reopened.count() == 10


def test_a_fault_of_our_own_reaches_its_callers_and_no_one_waits_for_ever(path, monkeypatch):
    store = ExperienceStore(path)
    monkeypatch.setattr(threading, "excepthook", lambda _: None)

    def fault(*_):
        raise RuntimeError("a fault in the program")

    monkeypatch.setattr(schema, "add_new", fault)
    with pytest.raises(RuntimeError, match="a fault in the program"):
        store.append(episode("e"))
    with pytest.raises(StorageError, match="closed"):
        store.append(episode("f"))
    store.close()


def test_a_full_database_is_said_to_all_and_the_store_goes_on(path):
    with ExperienceStore(path) as store:
        store.append(episode("before"))
    limits = ["PRAGMA max_page_count = 20"]

    def limit(connection, _record):
        connection.execute(limits[0])

    event.listen(Engine, "connect", limit)
    try:
        with ExperienceStore(path) as store:
            errors = []

            def add(name):
                try:
                    store.append(episode(f"small-{name}"), episode(name, tags={"x": "y" * 99_000}))
                except StorageError as error:
                    errors.append(str(error))

            threads = [threading.Thread(target=add, args=(name,)) for name in "abcd"]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert len(errors) == 4
            assert all("database or disk is full" in each and str(path) in each for each in errors)
            assert store.append(episode("after")) == 1
            assert [each.id for each in store.episodes()] == ["before", "after"]
    finally:
        event.remove(Engine, "connect", limit)
    assert integrity(path) == "ok"


FILL = """
import resource, signal, sys
from speaq.core.errors import StorageError
from speaq.experience.episode import Episode, Feedback, Turn
from speaq.experience.store import ExperienceStore
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
kept = []
with ExperienceStore(sys.argv[1]) as store:
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, hard))
    try:
        for n in range(1000):
            store.append(Episode((Turn("action", "x" * 1000),), id=str(n)))
            kept.append(str(n))
    except StorageError as error:
        assert "nothing of this was kept" in error.en
    try:
        store.add_feedback("0", Feedback("note", "y" * 400_000))
        raise SystemExit("took more than the disk has room for")
    except StorageError:
        pass
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    store.append(Episode((Turn("action", "z"),), id="after"))
    kept.append("after")
print(*kept)
"""


def test_an_operating_system_that_refuses_to_write_loses_nothing_acknowledged(path):
    done = subprocess.run(
        [sys.executable, "-c", FILL, str(path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    kept = done.stdout.split()
    assert 10 < len(kept) < 1000
    with ExperienceStore(path) as store:
        assert [each.id for each in store.episodes()] == kept
        assert all(each.feedback == () for each in store.iterate())
    assert integrity(path) == "ok"


def test_a_store_that_may_only_be_read_says_so(path):
    with ExperienceStore(path) as store:
        store.append(episode("e"))

        def read_only(connection, _record, _proxy):
            connection.execute("PRAGMA query_only = ON")

        event.listen(store._engine, "checkout", read_only)
        with pytest.raises(StorageError, match="readonly"):
            store.append(episode("f"))
        with pytest.raises(StorageError, match="readonly"):
            store.erase("p")
        assert [each.id for each in store.episodes()] == ["e"]


WRITER = """
import sys
from speaq.experience.episode import Episode, Feedback, Turn
from speaq.experience.store import ExperienceStore
with ExperienceStore(sys.argv[1]) as store:
    for n in range(60):
        store.append(Episode((Turn("action", "a"),), id=f"{sys.argv[2]}-{n}"))
        store.add_feedback("shared", Feedback("n", float(n), id=str(n)))
"""


def test_several_processes_make_and_fill_one_store(path):
    command = [sys.executable, "-c", WRITER, str(path)]
    running = [subprocess.Popen([*command, name], stderr=subprocess.PIPE) for name in "abc"]
    errors = [process.communicate()[1].decode() for process in running]
    assert errors == ["", "", ""]
    with ExperienceStore(path) as store:
        assert {each.id for each in store.iterate()} == {
            f"{p}-{n}" for p in "abc" for n in range(60)
        }
        store.append(episode("shared"))
        assert sorted(each.value for each in store.get("shared").feedback) == list(range(60))


def test_every_connection_syncs_fully_and_wipes_what_it_deletes(store):
    pragmas = []
    for _ in range(3):
        with store._engine.connect() as connection:
            pragmas.append(
                [
                    connection.exec_driver_sql(f"PRAGMA {name}").scalar()
                    for name in ("journal_mode", "synchronous", "secure_delete")
                ]
            )
    assert pragmas == [["wal", 2, 1]] * 3


def test_a_closed_store_refuses(path):
    store = ExperienceStore(path)
    store.close()
    store.close()
    with pytest.raises(StorageError, match="closed"):
        store.append(episode("e"))


@pytest.mark.parametrize(
    ("where", "error", "says"),
    [
        ("sqlite://", SettingsError, "in memory"),
        (":memory:", SettingsError, "in memory"),
        ("mysql://host/name", SettingsError, "cannot use mysql"),
        ("postgresql+nodriver://host/name", SettingsError, "driver"),
        ("no address://", SettingsError, "neither a path"),
    ],
)
def test_addresses_that_cannot_be_used(where, error, says):
    with pytest.raises(error, match=says):
        ExperienceStore(where)


def test_a_file_that_is_no_store_is_left_alone(path):
    path.write_bytes(b"these are my notes\n" * 100)
    with pytest.raises(StorageError, match="not a database"):
        ExperienceStore(path)
    assert path.read_bytes() == b"these are my notes\n" * 100


def test_tables_of_another_version_are_refused(path):
    ExperienceStore(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE speaq_store SET version = 99")
    connection.close()
    with pytest.raises(StorageError, match="version 99"):
        ExperienceStore(path)


def test_a_url_and_a_path_name_the_same_store(tmp_path):
    with ExperienceStore(tmp_path / "new" / "log.db") as store:
        store.append(episode("e"))
    with ExperienceStore(f"sqlite:///{tmp_path}/new/log.db") as store:
        assert store.count() == 1


def test_passwords_stay_out_of_messages():
    url = schema.url_of("postgresql+psycopg://me:hunter2@host/name")
    assert "hunter2" not in schema.shown(url)


@pytest.mark.parametrize(
    ("table", "key"), [(schema.episodes, "(id)"), (schema.feedback, "(episode, key)")]
)
def test_postgresql_is_asked_to_ignore_what_it_knows(table, key):
    statement = str(schema.insert_new("postgresql", table).compile(dialect=postgresql.dialect()))
    assert f"ON CONFLICT {key} DO NOTHING RETURNING" in statement


class Model(RuleBasedStateMachine):
    """Any order of appends, feedback, erasures and reopenings against plain dictionaries."""

    names = st.sampled_from("abc")
    people = st.sampled_from(["p", "q", None])

    @initialize()
    def open(self):
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "log.db"
        self.store = ExperienceStore(self.path)
        self.episodes: dict[str, Episode] = {}
        self.said: dict[str, dict[str, Feedback]] = {}

    @rule(name=names, person=people)
    def append(self, name, person):
        new = name not in self.episodes
        assert self.store.append(episode(name, subject=person, time=0.0)) == int(new)
        self.episodes.setdefault(name, episode(name, subject=person, time=0.0))

    @rule(name=names, key=st.sampled_from("xy"), value=st.booleans() | st.floats(0, 1))
    def say(self, name, key, value):
        events = self.said.setdefault(name, {})
        said = Feedback("f", value, 0.0, id=key)
        assert self.store.add_feedback(name, said) == (key not in events)
        events.setdefault(key, said)

    @rule(person=st.sampled_from("pq"))
    def erase(self, person):
        theirs = [name for name, each in self.episodes.items() if each.subject == person]
        assert self.store.erase(person) == len(theirs)
        for name in theirs:
            del self.episodes[name]
            self.said.pop(name, None)

    @rule()
    def reopen(self):
        self.store.close()
        self.store = ExperienceStore(self.path)

    @invariant()
    def same(self):
        expected = [
            replace(each, feedback=tuple(self.said.get(name, {}).values()))
            for name, each in self.episodes.items()
        ]
        assert self.store.episodes(None) == expected

    def teardown(self):
        self.store.close()
        self.folder.cleanup()


TestModel = Model.TestCase
TestModel.settings = settings(max_examples=20, stateful_step_count=15, deadline=None)
