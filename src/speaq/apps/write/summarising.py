"""News in a few sentences, three ways side by side: the first ones, TextRank, and the model.

The first sentences of a report are hard to beat. They are always shown and always measured, so
that a model which is not worth its time is seen not to be.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from speaq.apps.write.report import rouge_n
from speaq.core.errors import DataError
from speaq.text.sentences import sentences
from speaq.text.stop_words import stop_words
from speaq.text.units import units
from speaq.training.supervised.measures import rouge_l

LEAD, RANK, MODEL = "lead", "textrank", "model"
MEASURES = ("rouge_1", "rouge_2", "rouge_l")
_DAMPING = 0.85
_ROUNDS = 100


def require_sentences(source: str) -> list[str]:
    """The sentences of a text that is to be shortened.

    Raises:
        DataError: there is none.
    """
    found = sentences(source)
    if not found:
        raise DataError(
            "the source is empty; expected the text to write a digest of.",
            "原文为空；应为需要写摘要的文本。",
            field="source",
        )
    return found


def lead(source: str, count: int = 3) -> str:
    """The first sentences."""
    return _joined(require_sentences(source)[:count])


def textrank(source: str, count: int = 3) -> str:
    """The sentences that others are most like, in their order (Mihalcea & Tarau 2004).

    Likeness is the number of words two sentences share, over the logarithms of their lengths, as
    in the paper's equation 2; stop words do not count. Ranks are the fixed point of equation 1.
    """
    found = require_sentences(source)
    if len(found) <= count:
        return _joined(found)
    common = stop_words("zh") | stop_words("en")
    words = [set(units(each)) - common for each in found]
    sizes = np.log(np.maximum([len(each) for each in words], 1) + 1.0)
    like = np.array([[len(a & b) for b in words] for a in words], dtype=float)
    like /= sizes[:, None] + sizes[None]
    np.fill_diagonal(like, 0)
    total = like.sum(1, keepdims=True)
    steps = np.divide(like, total, out=np.full_like(like, 1 / len(found)), where=total > 0)
    ranks = np.full(len(found), 1 / len(found))
    for _ in range(_ROUNDS):
        ranks = (1 - _DAMPING) / len(found) + _DAMPING * ranks @ steps
    # Of equals the earlier one.
    chosen = sorted(np.argsort(-ranks, kind="stable")[:count].tolist())
    return _joined([found[place] for place in chosen])


def _joined(chosen: Sequence[str]) -> str:
    from speaq.text.segmentation import is_chinese

    return ("" if is_chinese("".join(chosen)) else " ").join(each.strip() for each in chosen)


@dataclass(frozen=True)
class Compared:
    """Digests of one or more texts by each way, and how they fare."""

    digests: Mapping[str, Sequence[str]]
    scores: Mapping[str, Mapping[str, float]]
    """By way the mean ROUGE-1, -2 and -L, fractions; empty without references."""

    @property
    def verdict(self) -> tuple[str, str]:
        """What to make of it, in English and Chinese."""
        if not self.scores:
            return (
                "Without a reference summary nothing can be measured; the first sentences are "
                "shown beside.",
                "没有参考摘要，无法评测；旁边给出了原文的前几句。",
            )
        best = max(self.scores, key=lambda way: self.scores[way]["rouge_l"])
        shown = f"ROUGE-L {self.scores[best]['rouge_l']:.3f}"
        if best == MODEL:
            return (
                f"The model writes the best digest ({shown}).",
                f"模型写的摘要最好（{shown}）。",
            )
        if MODEL not in self.scores:
            return f"Best is {best} ({shown}).", f"最好的是 {best}（{shown}）。"
        own = self.scores[MODEL]["rouge_l"]
        way = {LEAD: ("the first sentences", "原文的前几句"), RANK: ("TextRank", "TextRank")}[best]
        return (
            f"{way[0]} win over the model: {shown} against {own:.3f}; the model is not worth it "
            "here."
            if best == LEAD
            else f"{way[0]} wins over the model: {shown} against {own:.3f}; the model is not "
            "worth it here.",
            f"{way[1]}胜过模型：{shown} 对 {own:.3f}；此处不值得用模型。",
        )


def compared(digests: Mapping[str, Sequence[str]], references: Sequence[str]) -> Compared:
    """Measure digests against references, text by text; without references nothing is measured."""
    scores = {}
    if references:
        for way, texts in digests.items():
            pairs = list(zip(texts, references, strict=True))
            scores[way] = {
                "rouge_1": float(np.mean([rouge_n(a, b, 1) for a, b in pairs])),
                "rouge_2": float(np.mean([rouge_n(a, b, 2) for a, b in pairs])),
                "rouge_l": rouge_l(texts, references),
            }
    return Compared(digests, scores)
