"""A domain: its index, who reads and writes for it, and when it keeps silent."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from speaq.apps.answer import deciding, ranking, settings
from speaq.apps.answer.reader import Reads, SentenceReader, Span, SpanReader
from speaq.apps.answer.relations import Follower
from speaq.apps.answer.searching import Found, Search, open_search
from speaq.apps.answer.terms import terms
from speaq.apps.answer.writer import Writer
from speaq.text.doctor.languages import language
from speaq.text.segmentation import is_chinese


@dataclass(frozen=True, slots=True)
class Reading:
    """What was found and read for a question."""

    found: list[Found]
    """Passages, best first."""
    spans: list[Span]
    """The best span of each."""
    place: int
    """The passage to answer from."""
    signs: tuple[float, ...]
    """Of that passage; see `deciding.SIGNS`."""
    probability: float
    """That the documents hold the answer."""


class Domain:
    """An open domain. What is added to its index, or fitted for it, is seen at once.

    Args:
        folder: of its index.

    Raises:
        ModelError: no index there, or something damaged.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.search: Search = open_search(folder)
        self._stamps: dict[str, int] = {}
        self._read()

    def _read(self) -> None:
        self.settings = settings.open_settings(self.folder)
        self.decider = deciding.open_decider(self.folder)
        self.ranking = ranking.open_ranking(self.folder)
        self._stamps = self._stamped()

    def _stamped(self) -> dict[str, int]:
        names = (settings.FILE, deciding.FILE, ranking.FILE)
        files = {name: self.folder / name for name in names}
        return {name: f.stat().st_mtime_ns for name, f in files.items() if f.is_file()}

    def refresh(self) -> None:
        """See what was changed on disk since."""
        self.search.index.refresh()
        if self._stamped() != self._stamps:
            before = self.settings
            self._read()
            if before != self.settings:
                for opened in ("reader", "writer", "follower"):
                    self.__dict__.pop(opened, None)

    @property
    def name(self) -> str:
        """What it is called: its settings' word, else its folder's name."""
        return self.settings.domain or self.folder.name

    @cached_property
    def reader(self) -> Reads:
        """Who reads."""
        if self.settings.reader:
            return SpanReader(Path(self.settings.reader))
        return SentenceReader(self.search)

    @cached_property
    def writer(self) -> Writer | None:
        """Who writes, if anybody."""
        return Writer.open(self.settings.writer) if self.settings.writer else None

    @cached_property
    def follower(self) -> Follower | None:
        """Who follows relations, if there is a graph."""
        return Follower(Path(self.settings.graph)) if self.settings.graph else None

    def read(self, question: str, best: int = 0) -> Reading | None:
        """The best answer there is to a question, sure or not; None if nothing was found."""
        count = best or self.settings.passages
        found = self.search.find(question, count)
        if self.follower is not None:
            further = self.follower.further(self.search, question, found)
            found = sorted([*found, *further], key=lambda each: -each.score)
        if not found:
            return None
        spans = self.reader.spans(question, found)
        asked = len(terms().asked(question))

        def signs(place: int) -> tuple[float, ...]:
            return deciding.signs_of(place, found, spans, asked)

        place = deciding.best_place(found, spans)
        if self.ranking is not None:
            place = self._liked(self.ranking, place, found, [signs(n) for n in range(len(found))])
        said = signs(place)
        return Reading(found, spans, place, said, self.decider.probability(said))

    def _liked(
        self,
        learnt: ranking.Ranking,
        place: int,
        found: Sequence[Found],
        signs: Sequence[tuple[float, ...]],
    ) -> int:
        """The passage of most value among those that may answer; the one that was to be answered
        from where none has more."""
        best, most = place, learnt.value(found[place].passage.key, signs[place])
        for n, (each, said) in enumerate(zip(found, signs, strict=True)):
            value = learnt.value(each.passage.key, said)
            if value > most and self.decider.probability(said) >= self.decider.threshold:
                best, most = n, value
        return best

    def foreign(self, question: str) -> tuple[str, str]:
        """The languages of a question and of the documents, where they are not the same and this
        is certain; two empty texts otherwise."""
        known = self.search.index.languages()
        asked = "zh" if is_chinese(question) else language(question, 0.95)
        if not asked or not known or asked in known:
            return "", ""
        return asked, ", ".join(sorted(known))
