"""One question from the queue to the record."""

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple
from uuid import uuid4

from speaq.experience.episode import Episode
from speaq.experience.store import ExperienceStore
from speaq.models.language_model import LanguageModel
from speaq.serving.engine import Engine, Ticket
from speaq.serving.generation import Drawn, draw_tokens
from speaq.serving.journal import Journal, OpenAnswer
from speaq.serving.recording import Finish, Question, Scribe
from speaq.serving.settings import ServingSettings
from speaq.serving.spelling import Speller


class Piece(NamedTuple):
    """Text that became certain, and the tokens that spell it."""

    text: str
    tokens: tuple[Drawn, ...]


class Ended(NamedTuple):
    """The reply is whole and in the store."""

    how: Finish
    tokens: tuple[Drawn, ...]
    """All that were drawn, the end token and those of a stop string included."""


Emit = Callable[[int, Piece | Ended], None]


@dataclass
class Desk:
    """What answering needs, shared by the routes and the page."""

    model: LanguageModel
    store: ExperienceStore
    journal: Journal
    engine: Engine
    settings: ServingSettings
    beta: float
    scribe: Scribe = field(init=False)

    def __post_init__(self) -> None:
        self.scribe = Scribe(self.model)

    def ask(
        self, questions: Sequence[Question], answer_id: str, emit: Emit, *, shown: bool
    ) -> Ticket:
        """Queue the questions of one answer, one choice each, to be written one after another.

        Args:
            questions: what is asked.
            answer_id: under which the answer will be known; see `choice_id`.
            emit: called from the engine's thread with the number of the choice and a piece of
                it; `Ended` comes last, when the choice is in the store.
            shown: whether the pieces, and so the id, are given out before a choice is whole.
                Then what was drawn is kept even if the asker goes away.

        Raises:
            BusyError: too many wait already.
        """

        def work(ticket: Ticket) -> Iterator[None]:
            for choice, question in enumerate(questions):
                begun = self.scribe.begin(question, choice_id(answer_id, choice))
                emit_choice = partial(emit, choice)
                yield from _Answer(self, question, begun, emit_choice, shown).steps(ticket)

        return self.engine.submit(work)

    def recover(self) -> int:
        """Store what crashed servers had begun; return how many answers that were."""
        count = 0
        for episode in self.journal.recover():
            self.store.append(episode)
            count += 1
        return count

    def knows(self, episode_id: str) -> bool:
        """Whether an answer with this id was given."""
        # In this order: an answer leaves the journal only once the store has it.
        return self.journal.holds(episode_id) or self.store.get(episode_id) is not None


def new_id(kind: str) -> str:
    """An id for a new answer."""
    return f"{kind}-{uuid4().hex}"


def choice_id(answer_id: str, choice: int) -> str:
    """The id of one choice's episode: the answer's own for the first, which mostly is all."""
    return answer_id if choice == 0 else f"{answer_id}-{choice}"


class _Answer:
    """One reply being written."""

    def __init__(
        self,
        desk: Desk,
        question: Question,
        begun: Episode,
        emit: Callable[[Piece | Ended], None],
        shown: bool,
    ) -> None:
        self._desk = desk
        self._question = question
        self._begun = begun
        self._emit = emit
        self._shown = shown
        self._speller = Speller(desk.model.decode, question.stops)
        self._tokens: list[Drawn] = []
        self._given = 0  # tokens already emitted
        self._open: OpenAnswer | None = None

    def steps(self, ticket: Ticket) -> Iterator[None]:
        try:
            how = yield from self._write(ticket)
            self._finish(how)
        finally:
            if self._open is not None:
                self._open.leave()

    def _write(self, ticket: Ticket) -> Generator[None, None, Finish]:
        asked = self._question
        draws = draw_tokens(
            self._desk.model,
            asked.prefix,
            asked.decoding,
            beta=asked.beta,
            seed=asked.seed,
            best=asked.best,
        )
        while not ticket.cancelled:
            drawn = next(draws, None)
            if drawn is None:
                return "length"
            if self._take(drawn):
                return "stop"
            yield
        return "cancelled"

    def _take(self, drawn: Drawn) -> bool:
        """Spell, note and give out one token; True if the reply ends with it."""
        ended = drawn.token_id == self._desk.model.end_id
        text = "" if ended else self._speller.add(drawn.token_id)
        self._tokens.append(drawn)
        if self._shown:
            self._note(text, drawn)
        if text:
            self._give(text)
        return ended or self._speller.stopped_by is not None

    def _note(self, text: str, drawn: Drawn) -> None:
        logprob = min(0.0, drawn.logprob)
        if self._open is None:
            self._open = self._desk.journal.open(self._begun, text, drawn.token_id, logprob)
        else:
            self._open.add(text, drawn.token_id, logprob)

    def _give(self, text: str) -> None:
        visible = self._speller.visible_tokens
        self._emit(Piece(text, tuple(self._tokens[self._given : visible])))
        self._given = max(self._given, visible)

    def _finish(self, how: Finish) -> None:
        rest = self._speller.end()
        if self._speller.stopped_by is not None:
            how = "stop"
        if self._tokens and (self._shown or how != "cancelled"):
            finish = self._desk.scribe.finish
            self._desk.store.append(finish(self._begun, self._speller.text, self._tokens, how))
        if self._open is not None:
            self._open.close()
            self._open = None
        if rest or self._speller.visible_tokens > self._given:
            self._give(rest)
        self._emit(Ended(how, tuple(self._tokens)))
