"""BLEU and chrF by sacrebleu, with signatures, and the right tokenizer for the language by itself.

With the default tokenizer a Chinese clause is one word, and a good translation scores 0. The
tokenised lower-cased BLEU of papers stands beside the cased one: the two are not comparable, and
Multi30k's figures are of the first kind.
"""

from collections.abc import Sequence
from typing import Any

from speaq.apps.translate.texts.languages import UNSPACED, plain
from speaq.core.errors import DataError


def tokenizer_name(target: str) -> str:
    """What sacrebleu cuts the language into words with; characters where it needs more for it."""
    code = plain(target)
    if code == "zh":
        return "zh"
    return "char" if code in UNSPACED else "13a"


def corpus_measures(found: Sequence[str], wanted: Sequence[str], target: str) -> dict[str, Any]:
    """`bleu` (cased), `bleu_lower` (lower-cased) and `chrf`, 0–100, and their `signature`s.

    Raises:
        DataError: no translations, or not as many as references.
    """
    from sacrebleu.metrics.bleu import BLEU
    from sacrebleu.metrics.chrf import CHRF

    if not found or len(found) != len(wanted):
        raise DataError(
            f"{len(found)} translations and {len(wanted)} references; there must be as many, and "
            "some.",
            f"译文 {len(found)} 条，参考译文 {len(wanted)} 条；两者须等数且不为零。",
        )
    name = tokenizer_name(target)
    bleu, lower, chrf = BLEU(tokenize=name), BLEU(tokenize=name, lowercase=True), CHRF()
    references = [list(wanted)]
    return {
        "bleu": float(bleu.corpus_score(list(found), references).score),
        "bleu_lower": float(lower.corpus_score(list(found), references).score),
        "chrf": float(chrf.corpus_score(list(found), references).score),
        "signature": f"{bleu.get_signature()}; {chrf.get_signature()}",
        "signature_lower": str(lower.get_signature()),
    }


def sentence_chrf(found: Sequence[str], wanted: Sequence[str]) -> list[float]:
    """chrF of each translation, 0–100 (Popović 2015)."""
    from sacrebleu.metrics.chrf import CHRF

    chrf = CHRF()
    return [
        float(chrf.sentence_score(one, [other]).score)
        for one, other in zip(found, wanted, strict=True)
    ]
