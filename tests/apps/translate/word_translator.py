"""A translator for tests: word by word from a dictionary, with habits one can choose."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher

WORDS = {
    "ein": "a", "der": "the", "die": "the", "hund": "dog", "hunde": "dogs", "mann": "man",
    "frau": "woman", "läuft": "runs", "spielt": "plays", "im": "in the", "park": "park",
    "roter": "red", "rotes": "red", "auto": "car", "und": "and", "zwei": "two", "siehe": "see",
    "hallo": "hello", "welt": "world", "katze": "cat", "guten": "good", "tag": "day",
    "一只狗": "a dog", "你好": "hello",
}  # fmt: skip


ALIKE = {"hound": "dog", "hounds": "dogs", "trots": "runs"}
"""Words it would not say, but understands."""


@dataclass(frozen=True)
class Said:
    text: str
    token_ids: tuple[int, ...]
    token_logprobs: tuple[float, ...]

    @property
    def score(self) -> float:
        return sum(self.token_logprobs) / max(1, len(self.token_logprobs))


@dataclass
class WordTranslator:
    """Unknown words become ` ??? ` or are copied; of forced words it goes on where it was."""

    pairs: tuple[tuple[str, str], ...] = (("de", "en"),)
    copies: Callable[[str], bool] = lambda word: False
    odd: dict[str, str] = field(default_factory=dict)
    """What it says of whole texts instead."""
    name: str = "words"
    asked: list[str] = field(default_factory=list)

    def translate(
        self,
        texts: Sequence[str],
        *,
        source: str = "",
        target: str = "",
        beam: int = 4,
        n_best: int = 1,
        prefixes: Sequence[str] | None = None,
    ) -> list[list[Said]]:
        assert 1 <= n_best <= beam
        self.asked += texts
        made = []
        for text, begun in zip(texts, prefixes or [""] * len(texts), strict=True):
            own, forced = self.said(text), begun.split()
            whole = " ".join([*forced, *own.split()[len(forced) :]])
            whole = own if own.startswith(begun) else whole
            others = [f"{whole} ({n})" for n in range(1, n_best)]
            made.append([self._hypothesis(text, each) for each in [whole, *others]])
        return made

    def logprobs(
        self, texts: Sequence[str], translations: Sequence[str], *, source: str, target: str
    ) -> list[list[float]]:
        return [
            list(self._hypothesis(text, said).token_logprobs)
            for text, said in zip(texts, translations, strict=True)
        ]

    def ends(self, translations: Sequence[str], *, target: str) -> list[list[int]]:
        return [[word.end() for word in re.finditer(r"\S+", said)] for said in translations]

    def said(self, text: str) -> str:
        if text in self.odd:
            return self.odd[text]
        pieces = re.findall(r"[一-鿿]+|[\w'’-]+|[^\w\s]", text)
        made = ""
        for piece in pieces:
            if re.match(r"[^\w]", piece):
                made = made.rstrip() + piece + " "
            else:
                known = WORDS.get(piece.lower())
                word = known or (piece if self.copies(piece) else "???")
                made += word + " "
        made = made.strip()
        return made[:1].upper() + made[1:]

    def _hypothesis(self, text: str, said: str) -> Said:
        """Words that it would say itself, or next to one it would say, are likely."""
        own, words = (
            [word.strip(".,!?") for word in each.lower().split()]
            for each in (self.said(text), said)
        )
        meant = [ALIKE.get(word, word) for word in words]
        logprobs = [-2.0] * len(words)
        stems = [[word[:3] for word in each] for each in (own, meant)]
        for block in SequenceMatcher(None, *stems, autojunk=False).get_matching_blocks():
            for place in range(block.size):
                same = own[block.a + place] == meant[block.b + place]
                # Another ending is less likely, another word much less.
                logprobs[block.b + place] = -0.1 if same else -0.8
        # It is not done before it has said all it would say.
        logprobs.append(-0.1 - 2.0 * (len(own) - sum(each > -2.0 for each in logprobs)))
        return Said(said, tuple(range(len(logprobs))), tuple(logprobs))
