"""What can be said of texts by counting: how surprising, how varied, how repetitive, how copied.

distinct-n   different runs of n units among all of them (Li et al. 2016)
rep-n        runs of n units that stood in the same text before, as a share (Welleck et al. 2020)
self-BLEU    mean BLEU of each text against the others, 0 to 100; low is varied (Zhu et al. 2018)
bits/byte    what a model needs to foretell the text, per byte of UTF-8; comparable between models

Units are words, or single characters in Chinese.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from speaq.apps.write.copying import FLAG, longest_copied
from speaq.core.errors import DataError
from speaq.core.seeds import generator
from speaq.models.language_model import LanguageModel
from speaq.text.units import units

_TEXTS = 200
"""Texts that self-BLEU is measured on; more change little and take their square."""


def report(
    texts: Sequence[str],
    *,
    model: LanguageModel | None = None,
    training: Iterable[str] | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """Every measure of `texts` that can be taken.

    Args:
        texts: written ones.
        model: foretells them; None: no perplexity.
        training: what may have been copied from; None: nothing is looked for.
        seed: of the choice of texts for self-BLEU.

    Raises:
        DataError: there is no text.
    """
    texts = [text for text in texts if text.strip()]
    if not texts:
        raise DataError("there is no text to report on.", "没有可供报告的文本。")
    split = [units(text) for text in texts]
    found: dict[str, Any] = {
        "texts": len(texts),
        "units": sum(map(len, split)),
        "distinct_1": distinct(split, 1),
        "distinct_2": distinct(split, 2),
        "rep_4": repeated(split, 4),
        "self_bleu": self_bleu(split, seed),
    }
    if model is not None:
        found |= surprise(model, texts)
    if training is not None:
        copied = longest_copied(texts, training)
        found |= {
            "copied_characters": copied.length,
            "copied_span": copied.span,
            "copied": copied.length >= FLAG,
        }
    return found


def distinct(texts: Sequence[Sequence[str]], size: int) -> float:
    """Different runs of `size` units among all runs of all texts; 0 without any."""
    runs = [run for text in texts for run in _runs(text, size)]
    return len(set(runs)) / len(runs) if runs else 0.0


def repeated(texts: Sequence[Sequence[str]], size: int) -> float:
    """Mean share of a text's runs that stood in it before."""
    shares = []
    for text in texts:
        runs = _runs(text, size)
        if runs:
            shares.append(1 - len(set(runs)) / len(runs))
    return float(np.mean(shares)) if shares else 0.0


def self_bleu(texts: Sequence[Sequence[str]], seed: int = 0) -> float | None:
    """Mean sentence BLEU-4 of each text against all others; None of fewer than two."""
    from sacrebleu.metrics.bleu import BLEU

    if len(texts) < 2:
        return None
    if len(texts) > _TEXTS:
        chosen = generator(seed, "self-bleu").choice(len(texts), _TEXTS, replace=False)
        texts = [texts[int(n)] for n in sorted(chosen)]
    bleu = BLEU(tokenize="none", effective_order=True, force=True)
    spelt = [" ".join(text) for text in texts]
    scores = [
        bleu.sentence_score(one, [*spelt[:n], *spelt[n + 1 :]]).score for n, one in enumerate(spelt)
    ]
    return float(np.mean(scores))


def surprise(model: LanguageModel, texts: Sequence[str]) -> dict[str, float]:
    """Perplexity per token and bits per byte of texts, each begun behind the end token.

    Texts longer than the model reads are read in stretches, each beginning anew.
    """
    import torch

    from speaq.models.vocabulary import weighted_logprobs

    nats, tokens, size = 0.0, 0, 0
    for text in texts:
        ids = model.encode(text)
        size += len(text.encode())
        stretch = min(model.context_length, 1 + len(ids)) - 1
        for start in range(0, len(ids), stretch):
            part = ids[start : start + stretch]
            before = model.opening if model.reads_source else (model.end_id,)
            source = [[model.end_id]] if model.reads_source else [[]]
            device = model.output_table.device
            with torch.inference_mode():
                states = model.hidden_states(
                    torch.tensor([[*before, *part]], device=device),
                    source=torch.tensor(source, dtype=torch.long, device=device),
                )[0, len(before) - 1 : -1]
                share = torch.full((len(part),), 1.0, device=device)
                actions = torch.tensor(part, device=device)
                nats -= float(weighted_logprobs(states, model.output_table, actions, share))
            tokens += len(part)
    return {
        "perplexity": float(np.exp(nats / tokens)),
        "bits_per_byte": float(nats / np.log(2) / size),
    }


def _runs(text: Sequence[str], size: int) -> list[tuple[str, ...]]:
    return [tuple(text[n : n + size]) for n in range(len(text) - size + 1)]


def rouge_n(found: str, wanted: str, size: int) -> float:
    """F1 of the runs of `size` units two texts share (Lin 2004), by character in Chinese."""
    ours, theirs = (Counter(_runs(units(text), size)) for text in (found, wanted))
    shared = sum((ours & theirs).values())
    return 2 * shared / (ours.total() + theirs.total()) if shared else 0.0
