"""The translation of a text while it is typed: what is certain stays, the rest may still change."""

from collections import OrderedDict
from dataclasses import dataclass

from speaq.apps.translate.application import Translate, TranslateRequest
from speaq.apps.translate.live.simultaneous import LiveSettings, Session, source_units
from speaq.apps.translate.sentence import Rules, render
from speaq.apps.translate.texts.languages import UNSPACED, plain
from speaq.apps.translate.texts.segments import Segment, joined, segments
from speaq.apps.translate.translating import Direction

_ENDS = tuple(".!?。！？…")
_KNOWN = 200
"""Sentences whose translations are remembered while a text is edited."""


@dataclass(frozen=True)
class Shown:
    """What is to be seen while somebody types."""

    certain: str
    guess: str
    """What may follow; the next word may change it."""


class Typing:
    """One text on its way; a visitor's own."""

    def __init__(self) -> None:
        self.session: Session | None = None
        self.known: OrderedDict[tuple[str, str, str], str] = OrderedDict()

    def shown(self, application: Translate, request: TranslateRequest) -> Shown:
        """The translation of the text so far.

        A whole sentence is translated once. Of one that is still being typed the words before the
        last blank are (characters in Chinese), and what two translations in a row agree on stays.
        Nothing is kept, and no memory, glossary or guard is asked: the answer does all that.

        Raises:
            SettingsError: languages that the model does not translate.
        """
        source, target = application.pair(request)
        direction = Direction(application.translator, source, target, 1)
        pieces = segments(request.text, source)
        sentences = [piece for piece in pieces if piece.sentence]
        still = sentences.pop() if sentences and _goes_on(sentences[-1], pieces) else None
        said = self._whole([piece.text for piece in sentences], direction)
        if still is None:
            self.session = None
            return Shown("".join(joined(pieces, said, source, target)), "")
        certain, guess = self._open(still.text, direction, request.text[-1:].isspace())
        before = [piece for piece in pieces if piece.end <= still.start]
        whole = "".join(joined([*before, still], [*said, certain], source, target))
        gap = "" if target in UNSPACED or not certain else " "
        return Shown(whole, gap + guess if guess else "")

    def _whole(self, texts: list[str], direction: Direction) -> list[str]:
        pair = (direction.source, direction.target)
        fresh = [text for text in dict.fromkeys(texts) if (*pair, text) not in self.known]
        for text, made in zip(fresh, render(direction, fresh, Rules()), strict=True):
            self.known[(*pair, text)] = made.text
        said = [self.known[(*pair, text)] for text in texts]
        while len(self.known) > max(_KNOWN, len(texts)):
            self.known.popitem(last=False)
        return said

    def _open(self, text: str, direction: Direction, blank: bool) -> tuple[str, str]:
        """What is certain of an unfinished sentence's translation, and what may follow."""
        words = source_units(text, direction.source)
        if not blank and direction.source not in UNSPACED:
            words = words[:-1]
        session = self.session
        pair = (direction.source, direction.target)
        goes_on = (
            session is not None
            and (session.source, session.target) == pair
            and session.read == words[: len(session.read)]
        )
        if session is None or not goes_on:
            session = Session(LiveSettings("agreement", 1), plain(pair[0]), plain(pair[1]))
            self.session = session
        for word in words[len(session.read) :]:
            session.hear_word(word)
        wanted = session.wanted()
        if wanted is not None:
            [best] = direction.best([wanted[0]], prefixes=[wanted[1]])
            session.said(best[0].text)
        certain = session.text()
        guess = session.guess[len(certain) :] if session.guess.startswith(certain) else ""
        return certain, guess.strip()


def _goes_on(last: Segment, pieces: list[Segment]) -> bool:
    """Whether the last sentence is still being typed: no stop, and no new line behind it."""
    behind = "".join(piece.text for piece in pieces if piece.start >= last.end)
    return not last.text.endswith(_ENDS) and "\n" not in behind
