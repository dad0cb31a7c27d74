"""One person's conversation on the page: what was said, what it was worth, what was judged."""

import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from queue import SimpleQueue

from speaq.core.errors import SpeaqError
from speaq.experience.episode import Turn
from speaq.models.decoding import Decoding
from speaq.serving.answering import Desk, Ended, Piece, new_id
from speaq.serving.engine import Ticket
from speaq.serving.errors import failed
from speaq.serving.feedback import keep_feedback
from speaq.serving.heat import TokenHeat, token_heat
from speaq.serving.questions import context_length, conversation_tokens, room_after
from speaq.serving.recording import Question
from speaq.serving.schemas import FeedbackRequest


@dataclass
class Said:
    """One message as the page shows it."""

    role: str
    text: str
    answer_id: str = ""


@dataclass
class Sitting:
    """A conversation, from its first message until it is cleared."""

    said: list[Said] = field(default_factory=list)
    prefix: tuple[int, ...] = ()
    """Tokens before the last answer."""
    tokens: tuple[int, ...] = ()
    """Tokens of the last answer."""
    heat: list[TokenHeat] = field(default_factory=list)
    heat_beta: float = 0.0
    ticket: Ticket | None = None
    """The answer being written."""
    left: bool = False
    """A new conversation took this one's place on the page."""

    def stop(self) -> None:
        """End the answer being written where it is."""
        if self.ticket is not None:
            self.ticket.cancel()

    @property
    def last_answer(self) -> str:
        """The id of the last answer; empty if there is none."""
        return next((one.answer_id for one in reversed(self.said) if one.answer_id), "")

    def shown(self) -> list[dict[str, str]]:
        """The messages in the shape the page's component takes."""
        return [{"role": one.role, "content": one.text} for one in self.said]


def reply(
    desk: Desk, sitting: Sitting, message: str, beta: float, temperature: float, longest: int
) -> Iterator[None]:
    """Answer `message`; yields whenever `sitting` has something new to show.

    What was written stays in the sitting, and in the store, when the caller stops listening.

    Raises:
        SpeaqError: the conversation is too long, the server is busy, or the disk refused.
    """
    sitting.said.append(Said("user", message))
    try:
        question = _question(desk, sitting, beta, temperature, longest)
        heard: SimpleQueue[Piece | Ended | BaseException | None] = SimpleQueue()
        answer = Said("assistant", "", new_id("page"))
        ticket = desk.ask([question], answer.answer_id, lambda _, what: heard.put(what), shown=True)
    except SpeaqError:
        sitting.said.pop()
        raise
    ticket.done.add_done_callback(lambda done: heard.put(done.exception()))
    sitting.said.append(answer)
    sitting.ticket = ticket
    sitting.prefix, sitting.tokens, sitting.heat = question.prefix, (), []
    yield from _listen(ticket, heard, sitting, answer)
    measure(desk, sitting, beta)
    yield


def _listen(
    ticket: Ticket,
    heard: "SimpleQueue[Piece | Ended | BaseException | None]",
    sitting: Sitting,
    answer: Said,
) -> Iterator[None]:
    try:
        while (what := heard.get()) is not None:
            if isinstance(what, BaseException):
                raise what if isinstance(what, SpeaqError) else failed(what)
            if isinstance(what, Ended):
                sitting.tokens = tuple(drawn.token_id for drawn in what.tokens)
            else:
                sitting.tokens += tuple(drawn.token_id for drawn in what.tokens)
                answer.text += what.text
                yield
    finally:
        ticket.cancel()
        sitting.ticket = None


def measure(desk: Desk, sitting: Sitting, beta: float) -> None:
    """Score the last answer's tokens; a β of 0 is shown as 1, or nothing could be compared."""
    sitting.heat_beta = beta if beta != 0 else 1.0
    prefix, tokens = sitting.prefix, sitting.tokens
    sitting.heat = desk.engine.call(
        lambda: token_heat(desk.model, prefix, tokens, beta=sitting.heat_beta)
    )


def judge(desk: Desk, sitting: Sitting, place: int, good: bool | None) -> None:
    """Keep a thumb for the answer at `place` among the messages; on disk when this returns.

    None takes an earlier thumb back: an event of its own, as nothing is ever overwritten.
    """
    answer_id = sitting.said[place].answer_id
    value = "withdrawn" if good is None else good
    keep_feedback(desk, FeedbackRequest(id=answer_id, kind="thumb", value=value), None)


def correct(desk: Desk, sitting: Sitting, text: str) -> bool:
    """Keep what the last answer should have been; False if there is nothing to keep."""
    if not text.strip() or not sitting.last_answer:
        return False
    event = FeedbackRequest(id=sitting.last_answer, kind="correction", value=text.strip())
    keep_feedback(desk, event, None)
    return True


def _question(
    desk: Desk, sitting: Sitting, beta: float, temperature: float, longest: int
) -> Question:
    turns = tuple(
        Turn("observation", one.text, speaker="user" if one.role == "user" else "assistant")
        for one in sitting.said
        if one.text
    )
    prefix = conversation_tokens(desk.model, turns)
    # The oldest turns go first when a conversation outgrows the model, two at a time.
    while len(prefix) + longest > context_length(desk.model) and len(turns) > 2:
        turns = turns[2:]
        prefix = conversation_tokens(desk.model, turns)
    room = room_after(desk.model, len(prefix), None, "messages")
    decoding = Decoding(
        temperature=temperature,
        support=desk.settings.support,
        max_new_tokens=min(longest, room),
    )
    return Question(
        prefix=prefix,
        turns=turns,
        decoding=decoding,
        beta=beta,
        seed=secrets.randbits(62),
        app="page",
        consent=desk.settings.consent,
    )
