"""Clients that leave, too many clients, a server that dies."""

import os
import signal
import subprocess
import sys
import textwrap
import threading

import httpx
import openai
import pytest

from speaq.core.errors import StorageError
from speaq.experience.episode import Episode, Turn
from speaq.experience.store import ExperienceStore
from speaq.serving.journal import Journal

HELLO = [{"role": "user", "content": "hi"}]


def stream(running, longest=400):
    return running.client().chat.completions.create(
        model="tiny", messages=HELLO, max_tokens=longest, stream=True
    )


def hold(desk):
    """Keep one place in the engine busy until the returned event is set."""
    release = threading.Event()

    def work(ticket):
        while not (release.is_set() or ticket.cancelled):
            yield

    return desk.engine.submit(work), release


def test_who_leaves_mid_stream_leaves_what_was_written(running):
    chunks = stream(running)
    first = next(chunks)
    ticket = next(iter(running.desk.engine._running))
    chunks.close()
    ticket.done.result(30)
    episode = running.store.get(first.id)
    turn = episode.actions[0]
    assert turn.text.startswith(first.choices[0].delta.content)
    assert episode.truncated
    assert episode.tags["finish"] == "cancelled"
    assert 0 < len(turn.token_ids) == len(turn.logprobs) < 400
    assert not running.desk.journal.holds(first.id)


def test_feedback_on_an_answer_still_being_written_is_joined(running):
    chunks = stream(running, 60)
    first = next(chunks)
    reply = httpx.post(running.url + "/v1/feedback", json={"id": first.id, "value": True})
    assert reply.status_code == 200
    for _ in chunks:
        pass
    assert [event.value for event in running.store.get(first.id).feedback] == [True]


def test_who_leaves_while_waiting_costs_nothing(serve_model, tiny):
    running = serve_model(tiny, parallel=1, max_waiting=1)
    held, release = hold(running.desk)
    with pytest.raises(openai.APITimeoutError):
        running.client().with_options(timeout=0.3).chat.completions.create(
            model="tiny", messages=HELLO
        )
    # Leaving is noticed while the held work goes on: its place in the queue is free again.
    with running.desk.engine._lock:
        assert running.desk.engine._lock.wait_for(lambda: not running.desk.engine._waiting, 30)
    release.set()
    held.done.result(30)
    assert running.store.count() == 0


def test_too_many_are_refused_early_and_served_later(serve_model, tiny):
    running = serve_model(tiny, parallel=1, max_waiting=0)
    held, release = hold(running.desk)
    with pytest.raises(openai.InternalServerError) as refused:
        next(stream(running, 4))
    assert refused.value.status_code == 503
    assert int(refused.value.response.headers["Retry-After"]) >= 1
    assert refused.value.body["code"] == "overloaded"
    release.set()
    held.done.result(30)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in stream(running, 4))


def test_readiness_tells_of_a_full_queue_and_health_does_not(serve_model, tiny):
    running = serve_model(tiny, parallel=1, max_waiting=1)
    holds = [hold(running.desk) for _ in range(2)]
    assert httpx.get(running.url + "/ready").status_code == 503
    assert httpx.get(running.url + "/health").status_code == 200
    for ticket, release in holds:
        release.set()
        ticket.done.result(30)
    assert httpx.get(running.url + "/ready").json() == {
        "status": "ready",
        "running": 0,
        "waiting": 0,
    }


@pytest.mark.parametrize("streaming", [False, True])
def test_nothing_is_acknowledged_when_the_store_refuses(running, monkeypatch, streaming):
    def full(*episodes):
        raise StorageError("the disk is full.", "磁盘已满。")

    monkeypatch.setattr(running.store, "append", full)
    asked = {"model": "tiny", "messages": HELLO, "max_tokens": 4, "stream": streaming}
    with pytest.raises(openai.APIError, match="the disk is full"):
        for chunk in running.client().chat.completions.create(**asked):
            assert chunk.choices[0].finish_reason is None
    monkeypatch.undo()
    running.client().chat.completions.create(model="tiny", messages=HELLO, max_tokens=4)
    assert running.store.count() == 1


def begun(episode_id="a-1"):
    return Episode((Turn("observation", "你好"),), id=episode_id, time=5.0, tags={"beta": "2.0"})


def test_a_server_killed_mid_stream_leaves_its_answers_to_the_next(tmp_path):
    code = """
        import os, signal, sys
        from pathlib import Path
        from speaq.experience.episode import Episode, Turn
        from speaq.serving.journal import Journal
        episode = Episode((Turn("observation", "你好"),), id="a-1", time=5.0, tags={"beta": "2.0"})
        answer = Journal(Path(sys.argv[1])).open(episode, "", 7, -0.5)
        answer.add("好", 8, -1.5)
        os.kill(os.getpid(), signal.SIGKILL)
    """
    killed = subprocess.run([sys.executable, "-c", textwrap.dedent(code), tmp_path], check=False)
    assert killed.returncode == -signal.SIGKILL
    (file,) = tmp_path.iterdir()
    with file.open("a", encoding="utf-8") as stream:
        stream.write('["torn", 9')  # what a crash within a line leaves
    journal = Journal(tmp_path)
    assert journal.holds("a-1")
    (episode,) = journal.recover()
    assert episode.actions == (Turn("action", "好", token_ids=(7, 8), logprobs=(-0.5, -1.5)),)
    assert episode.truncated
    assert (episode.id, episode.time, episode.tags, episode.prompt) == (
        "a-1",
        5.0,
        {"beta": "2.0"},
        "你好",
    )
    assert not journal.holds("a-1")
    assert list(journal.recover()) == []


def test_answers_of_a_living_server_are_not_taken_from_it(tmp_path):
    open_answer = Journal(tmp_path).open(begun(), "", 7, -0.5)
    assert list(Journal(tmp_path).recover()) == []
    assert Journal(tmp_path).holds("a-1")
    open_answer.close()
    assert not Journal(tmp_path).holds("a-1")


def test_a_starting_server_stores_what_a_dead_one_had_begun(serve_model, tiny, tmp_path):
    open_answer = Journal(tmp_path / "open").open(begun(), "a", 7, -0.5)
    open_answer.leave()
    (file,) = (tmp_path / "open").iterdir()
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace(f'"process": {os.getpid()}', '"process": 999999999'))
    running = serve_model(tiny)
    assert httpx.get(running.url + "/health").status_code == 200
    assert running.store.get("a-1").reply == "a"
    assert httpx.post(running.url + "/v1/feedback", json={"id": "a-1", "value": True}).is_success


def test_an_id_is_never_a_way_out_of_the_folder(tmp_path):
    (tmp_path / "other.open.jsonl").touch()
    assert not Journal(tmp_path / "open").holds("../other")


def test_the_store_is_the_same_after_the_server_stopped(serve_model, tiny, tmp_path):
    running = serve_model(tiny)
    answer = running.client().chat.completions.create(model="tiny", messages=HELLO, max_tokens=3)
    with ExperienceStore(tmp_path / "store.sqlite") as another:
        assert another.get(answer.id).reply == answer.choices[0].message.content
