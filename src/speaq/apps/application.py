"""What an application is: a request in, an answer out, and every answer an episode.

The episode is what makes feedback teach: whoever shows an answer stores its episode first, and
judgements join it by `id`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, Self, TypeVar
from uuid import uuid4

from speaq import __version__
from speaq.core import registry
from speaq.core.errors import SettingsError
from speaq.experience.episode import Episode, Turn

Request = TypeVar("Request")


@dataclass(frozen=True)
class Answer:
    """What an application said, and the record of it."""

    episode: Episode
    details: Mapping[str, Any] = field(default_factory=dict)
    """What stands beside the text: scores, spans, citations, cuts. JSON values only."""

    @property
    def id(self) -> str:
        """Under which it is judged."""
        return self.episode.id

    @property
    def text(self) -> str:
        """What the person reads."""
        return self.episode.reply


class Application(Protocol[Request]):
    """One application on one folder of its own.

    `Request` is a frozen dataclass of JSON values; the HTTP route, the page and the command line
    fill it. It refuses what it cannot take with a `SpeaqError` when it is made or answered.
    """

    name: str
    """As in its entry point: the verb, the route, the panel, and `Episode.app`."""
    model: str
    """Name and version of what answers, as in `Episode.model`."""
    request: type[Request]

    @classmethod
    def open(cls, source: str) -> Self:
        """The application behind a folder, or another source it takes.

        Raises:
            ModelError: there is no such thing.
        """
        ...

    def respond(self, request: Request, answer_id: str) -> Iterator[str | Answer]:
        """Pieces of text as they become certain, then the whole `Answer`, exactly once and last.

        An application that knows its text all at once yields the answer only. Each `next` is one
        step of a server that serves several: it should take well under a second.
        """
        ...


def answered(application: Application[Request], request: Request, answer_id: str = "") -> Answer:
    """The whole answer to a request, in one piece."""
    for said in application.respond(request, answer_id or new_id(application.name)):
        if isinstance(said, Answer):
            return said
    raise AssertionError(f"{application.name} ended without an answer")


def new_id(name: str) -> str:
    """An id for a new answer."""
    return f"{name}-{uuid4().hex}"


def open_application(name: str, source: str) -> Application[Any]:
    """The application of this name on its folder or other source.

    Raises:
        SettingsError: no such application; suggests the nearest.
        ModelError: the source cannot be opened.
    """
    kind = registry.load("applications", name)
    opened: Application[Any] = kind.open(source)
    return opened


def named_source(word: str) -> tuple[str, str]:
    """`NAME=SOURCE` as its two parts.

    Raises:
        SettingsError: it is not written so.
    """
    name, sign, source = word.partition("=")
    if not (name and sign and source):
        raise SettingsError(
            f"an application is written NAME=FOLDER, such as translate=runs/de-en, not '{word}'.",
            f"应用的写法为 名称=目录，例如 translate=runs/de-en，而不是“{word}”。",
        )
    return name, source


def recorded(
    *, app: str, model: str, prompt: str, reply: Turn, answer_id: str, tags: Mapping[str, str]
) -> Episode:
    """The episode of one answer: what was asked, what was said.

    Args:
        app: the application's name.
        model: what answered.
        prompt: what the person asked.
        reply: an action, with its tokens and propensities where a language model drew it.
        answer_id: of the episode.
        tags: how it was made, beside speaq's version.
    """
    return Episode(
        turns=(Turn("observation", prompt), reply),
        id=answer_id,
        app=app,
        model=model,
        tags={"speaq": __version__, **tags},
    )
