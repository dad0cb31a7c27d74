"""The page's conversation, without the page."""

from itertools import pairwise

import pytest

from speaq.experience.store import ExperienceStore
from speaq.models.head import HeadSettings
from speaq.serving import sitting
from speaq.serving.answering import Desk
from speaq.serving.engine import BusyError, Engine
from speaq.serving.errors import RefusedError
from speaq.serving.journal import Journal
from speaq.serving.settings import ServingSettings
from speaq.serving.sitting import Sitting


@pytest.fixture
def desk(tiny, with_random_head, tmp_path):
    model = with_random_head(tiny, HeadSettings("tied"))
    engine = Engine(parallel=1, max_waiting=0)
    with ExperienceStore(tmp_path / "store.sqlite") as store:
        settings = ServingSettings(journal=tmp_path / "open")
        yield Desk(model, store, Journal(settings.journal), engine, settings, beta=1.0)
        engine.close()


def ask(desk, one, message, beta=2.0, longest=12):
    return sitting.reply(desk, one, message, beta, 1.0, longest)


def test_an_answer_is_shown_as_it_grows_and_stored_as_shown(desk):
    one = Sitting()
    shown = [[*one.shown()] for _ in ask(desk, one, "你好")]
    assert all(
        later[1]["content"].startswith(earlier[1]["content"]) for earlier, later in pairwise(shown)
    )
    episode = desk.store.get(one.last_answer)
    assert episode.reply == one.said[1].text == shown[-1][1]["content"]
    assert episode.actions[0].token_ids == one.tokens
    assert episode.app == "page"
    assert episode.tags["beta"] == "2.0"
    assert len(one.heat) == len(one.tokens)
    assert one.heat_beta == 2.0


def test_a_conversation_goes_on_with_what_was_said(desk):
    one = Sitting()
    for message in ("first", "second"):
        for _ in ask(desk, one, message):
            pass
    episode = desk.store.get(one.last_answer)
    said = [(turn.speaker, turn.text) for turn in episode.turns[:-1]]
    assert said == [("user", "first"), ("assistant", one.said[1].text), ("user", "second")]
    assert len(episode.actions) == 1


def test_a_conversation_longer_than_the_model_forgets_its_beginning(desk):
    one = Sitting()
    for message in ("a" * 300, "b" * 300):
        for _ in ask(desk, one, message):
            pass
    assert desk.store.get(one.last_answer).prompt == "b" * 300
    with pytest.raises(RefusedError, match="exceed"):
        next(ask(desk, one, "c" * 600))
    assert one.said[-1].role == "assistant"


def test_thumbs_are_kept_for_the_answer_they_stand_under(desk):
    one = Sitting()
    for message in ("first", "second"):
        for _ in ask(desk, one, message):
            pass
    sitting.judge(desk, one, 1, True)
    sitting.judge(desk, one, 3, False)
    sitting.judge(desk, one, 3, None)
    thumbs = [
        [(event.kind, event.value) for event in desk.store.get(said.answer_id).feedback]
        for said in one.said
        if said.answer_id
    ]
    assert thumbs == [[("thumb", True)], [("thumb", False), ("thumb", "withdrawn")]]


def test_a_correction_is_kept_beside_the_last_answer(desk):
    one = Sitting()
    assert not sitting.correct(desk, one, "better")
    for _ in ask(desk, one, "hi"):
        pass
    assert not sitting.correct(desk, one, "  ")
    assert sitting.correct(desk, one, " better ")
    (event,) = desk.store.get(one.last_answer).feedback
    assert (event.kind, event.value) == ("correction", "better")


def test_who_stops_keeps_what_was_written_and_sees_its_heat(desk):
    one = Sitting()
    steps = ask(desk, one, "hi", beta=0.0, longest=400)
    next(steps)
    one.stop()
    for _ in steps:
        pass
    episode = desk.store.get(one.last_answer)
    assert episode.tags["finish"] == "cancelled"
    assert episode.reply == one.said[1].text
    assert episode.actions[0].token_ids == one.tokens
    assert 0 < len(one.heat) == len(one.tokens) < 400
    assert one.heat_beta == 1.0
    one.stop()


def test_a_closed_page_ends_the_answer(desk):
    one = Sitting()
    steps = ask(desk, one, "hi", longest=400)
    next(steps)
    ticket = one.ticket
    steps.close()
    ticket.done.result(30)
    assert desk.store.get(one.last_answer).reply.startswith(one.said[1].text)


def test_a_busy_server_says_so_and_the_message_is_not_lost_in_the_conversation(desk):
    one, other = Sitting(), Sitting()
    running = ask(desk, one, "hi", longest=400)
    next(running)
    with pytest.raises(BusyError):
        next(ask(desk, other, "hello"))
    assert other.said == []
    running.close()
