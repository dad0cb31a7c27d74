"""What supervised tasks are measured by. Rates are fractions in [0, 1], BLEU and chrF 0 to 100."""

import re
import string
import unicodedata
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from speaq.text.tagging import stretches
from speaq.text.units import HAN, units

_HAN = re.compile(f"[{HAN}]")
_ARTICLES = re.compile(r"\b(a|an|the)\b")


def f1(right: int, found: int, wanted: int) -> float:
    """Harmonic mean of right / found and right / wanted; 0 where nothing is right."""
    return 2 * right / (found + wanted) if right else 0.0


def class_measures(found: Sequence[str], wanted: Sequence[str]) -> dict[str, float]:
    """Accuracy, and macro-F1: the mean over the classes that occur in either of the two."""
    pairs = list(zip(found, wanted, strict=True))
    classes = sorted({*found, *wanted})
    scores = [
        f1(
            sum(a == b == name for a, b in pairs),
            sum(a == name for a in found),
            sum(b == name for b in wanted),
        )
        for name in classes
    ]
    return {
        "accuracy": float(np.mean([a == b for a, b in pairs])),
        "macro_f1": float(np.mean(scores)),
    }


def directed_f1(found: Sequence[str], wanted: Sequence[str], other: str = "Other") -> float:
    """Macro-F1 of relations with a direction, as the official scorer of SemEval-2010 task 8 has it.

    Labels are `Kind(e1,e2)`, `Kind(e2,e1)` or `other`. A relation is right only in the right
    direction, but counts are made over both of its directions together; `other` is no class of
    its own, though what is taken for it or instead of it counts against the others.
    """
    kinds = sorted({label.partition("(")[0] for label in wanted} - {other})
    pairs = [
        (a, b, a.partition("(")[0], b.partition("(")[0]) for a, b in zip(found, wanted, strict=True)
    ]
    scores = [
        f1(
            sum(a == b and kind == one for a, b, kind, _ in pairs),
            sum(kind == one for _, _, kind, _ in pairs),
            sum(kind == one for _, _, _, kind in pairs),
        )
        for one in kinds
    ]
    return float(np.mean(scores)) if scores else 0.0


def per_class(found: Sequence[str], wanted: Sequence[str]) -> dict[str, dict[str, float]]:
    """Precision, recall and F1 of each class that is wanted, and how often it is."""
    both = Counter(a for a, b in zip(found, wanted, strict=True) if a == b)
    given, asked = Counter(found), Counter(wanted)
    return {
        name: {
            "precision": both[name] / given[name] if given[name] else 0.0,
            "recall": both[name] / count,
            "f1": f1(both[name], given[name], count),
            "examples": float(count),
        }
        for name, count in sorted(asked.items())
    }


def several_measures(
    found: Sequence[Sequence[str]], wanted: Sequence[Sequence[str]]
) -> dict[str, float]:
    """Several labels an example: exact match of the sets, micro-F1 and macro-F1."""
    pairs = [(set(a), set(b)) for a, b in zip(found, wanted, strict=True)]
    names = sorted({name for both in pairs for name in both[0] | both[1]})
    right = {name: sum(name in a & b for a, b in pairs) for name in names}
    given = {name: sum(name in a for a, _ in pairs) for name in names}
    asked = {name: sum(name in b for _, b in pairs) for name in names}
    scores = [f1(right[name], given[name], asked[name]) for name in names]
    return {
        "accuracy": float(np.mean([a == b for a, b in pairs])),
        "micro_f1": f1(sum(right.values()), sum(given.values()), sum(asked.values())),
        "macro_f1": float(np.mean(scores)) if scores else 0.0,
    }


def span_measures(
    found: Sequence[Sequence[str]], wanted: Sequence[Sequence[str]]
) -> dict[str, float]:
    """Span F1 over IOB2 tags (a span counts where both ends and the kind are right), micro over
    all kinds, with precision and recall, and the share of sentences that are right throughout."""
    right = given = asked = whole = 0
    for one, other in zip(found, wanted, strict=True):
        a, b = set(stretches(one)), set(stretches(other))
        right, given, asked = right + len(a & b), given + len(a), asked + len(b)
        whole += a == b
    return {
        "f1": f1(right, given, asked),
        "precision": right / given if given else 0.0,
        "recall": right / asked if asked else 0.0,
        "sentences": whole / max(1, len(found)),
    }


def plain_answer(text: str) -> list[str]:
    """The units of an answer that are compared: lower case, without punctuation and articles.

    Words in English, as SQuAD compares them (Rajpurkar et al. 2016); single characters in
    Chinese, as CMRC 2018 does (Cui et al. 2019).
    """
    kept = "".join(
        c for c in text.lower() if c not in string.punctuation and not _is_punctuation(c)
    )
    kept = _ARTICLES.sub(" ", kept)
    return _HAN.sub(lambda match: f" {match.group()} ", kept).split()


def _is_punctuation(character: str) -> bool:
    return unicodedata.category(character).startswith("P")


def answer_measures(found: Sequence[str], wanted: Sequence[Sequence[str]]) -> dict[str, float]:
    """Exact match and F1 of answers, each against the likest of those wanted.

    Where none is wanted, the empty answer is right and any other wrong.
    """
    exact, overlap = [], []
    for given, options in zip(found, wanted, strict=True):
        units_given = plain_answer(given)
        scores = [_overlap(units_given, plain_answer(each)) for each in options or [""]]
        exact.append(max(float(units_given == plain_answer(each)) for each in options or [""]))
        overlap.append(max(scores))
    return {"em": float(np.mean(exact)), "f1": float(np.mean(overlap))}


def _overlap(found: list[str], wanted: list[str]) -> float:
    if not found or not wanted:
        return float(found == wanted)
    shared = sum((Counter(found) & Counter(wanted)).values())
    return f1(shared, len(found), len(wanted))


def text_measures(found: Sequence[str], wanted: Sequence[str]) -> dict[str, Any]:
    """BLEU and chrF of texts by sacrebleu, with their signatures.

    Chinese is tokenised as Chinese (`tok:zh`): with the default tokenizer a whole clause is one
    token, and a good translation scores 0.
    """
    from sacrebleu.metrics.bleu import BLEU
    from sacrebleu.metrics.chrf import CHRF

    letters = sum(character.isalpha() for text in wanted for character in text)
    chinese = sum(len(_HAN.findall(text)) for text in wanted) > letters / 2
    bleu, chrf = BLEU(tokenize="zh" if chinese else "13a"), CHRF()
    references = [list(wanted)]
    return {
        "chrf": float(chrf.corpus_score(list(found), references).score),
        "bleu": float(bleu.corpus_score(list(found), references).score),
        "signature": f"{bleu.get_signature()}; {chrf.get_signature()}",
    }


def rouge_l(found: Sequence[str], wanted: Sequence[str]) -> float:
    """Mean F1 of the longest common subsequence of units: words, or single Chinese characters."""
    return float(
        np.mean([_rouge_l(units(a), units(b)) for a, b in zip(found, wanted, strict=True)])
    )


def _rouge_l(found: Sequence[str], wanted: Sequence[str]) -> float:
    row = [0] * (len(wanted) + 1)
    for unit in found:
        before = 0
        for place, other in enumerate(wanted, 1):
            kept = row[place]
            row[place] = before + 1 if unit == other else max(row[place], row[place - 1])
            before = kept
    return f1(row[-1], len(found), len(wanted))
