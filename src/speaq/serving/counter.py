"""Where an application is asked: in one queue with everything else the server does."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from queue import SimpleQueue
from typing import Any

from speaq.apps.application import Answer, Application, new_id
from speaq.core.errors import SpeaqError
from speaq.experience.store import ExperienceStore
from speaq.serving.engine import Engine, Ticket
from speaq.serving.errors import failed
from speaq.serving.feedback import keep_feedback
from speaq.serving.schemas import FeedbackRequest


@dataclass(frozen=True)
class Counter:
    """One application, and where its answers are kept before they are given."""

    application: Application[Any]
    store: ExperienceStore
    engine: Engine
    consent: tuple[str, ...] | None = None
    """Purposes written into every episode, see `Episode.consent`."""

    @property
    def name(self) -> str:
        """The application's name: of its route, and of its panel."""
        return self.application.name

    def knows(self, episode_id: str) -> bool:
        """Whether an answer with this id was given."""
        return self.store.get(episode_id) is not None

    def ask(
        self,
        request: Any,
        emit: Callable[[str | Answer], None],
        *,
        subject: str | None = None,
        consent: tuple[str, ...] | None = None,
    ) -> Ticket:
        """Queue a request; each `next` of the application is one step of the engine.

        Args:
            request: of the application's own type.
            emit: called from the engine's thread with every piece, and last with the `Answer`,
                whose episode is in the store by then, unless it has no words. Not called any more
                once the ticket is cancelled; then nothing is kept.
            subject: a pseudonym of the person.
            consent: instead of the server's own purposes.

        Raises:
            BusyError: too many wait already.
        """
        purposes = self.consent if consent is None else consent

        def work(ticket: Ticket) -> Iterator[None]:
            for said in self.application.respond(request, new_id(self.name)):
                if ticket.cancelled:
                    return
                if isinstance(said, Answer):
                    episode = replace(said.episode, subject=subject, consent=purposes)
                    # Of silence there is nothing to keep: a reply without words is no action.
                    if episode.reply:
                        self.store.append(episode)
                    emit(replace(said, episode=episode))
                else:
                    emit(said)
                yield

        return self.engine.submit(work)

    def answers(self, request: Any) -> Iterator[str | Answer]:
        """What `respond` yields, for a caller who waits; leaving early cancels the work.

        Raises:
            SpeaqError: the application refused, the server is busy, or the disk refused.
        """
        heard: SimpleQueue[str | Answer | BaseException | None] = SimpleQueue()
        ticket = self.ask(request, heard.put)
        ticket.done.add_done_callback(lambda done: heard.put(done.exception()))
        try:
            while (what := heard.get()) is not None:
                if isinstance(what, BaseException):
                    raise what if isinstance(what, SpeaqError) else failed(what)
                yield what
        finally:
            ticket.cancel()

    def answer(self, request: Any) -> Answer:
        """The whole answer to a request.

        Raises:
            SpeaqError: see `answers`.
        """
        return next(said for said in self.answers(request) if isinstance(said, Answer))

    def judge(self, answer_id: str, value: float | bool | str, kind: str = "thumb") -> None:
        """Keep a judgement of an answer; on disk when this returns.

        Raises:
            RefusedError: no answer has this id.
            StorageError: the disk refused.
        """
        keep_feedback(self, FeedbackRequest(id=answer_id, kind=kind, value=value))
