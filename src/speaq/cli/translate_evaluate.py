"""speaq translate evaluate: BLEU and chrF of a translator on parallel text, with signatures.

zh: 用平行文本评测翻译模型的 BLEU 与 chrF，附签名。
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from speaq.cli.options import parse
from speaq.core.files import write_text
from speaq.core.language import say

ABOUT = (
    "Translate the sources of parallel text and compare with its translations: sacreBLEU, cased "
    "and lower-cased, and chrF, with their signatures; Chinese is cut as Chinese.",
    "翻译平行文本的原文并与其译文比较：sacreBLEU（区分与不区分大小写）与 chrF，附签名；"
    "中文按中文切分。",
)


@dataclass(frozen=True)
class Evaluate:
    """Options of `speaq translate evaluate`."""

    model: Annotated[str, tyro.conf.Positional]
    """A trained folder, a hub model, or a folder of CTranslate2."""
    files: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """Parallel text."""
    source: str = ""
    """Code of the source language, where files and their names do not say it."""
    target: str = ""
    """Code of the target language, likewise."""
    beam: int = 4
    """Hypotheses kept at each step; 1 is greedy search."""
    json: Path | None = None
    """Write the figures and translations there."""


def main(args: list[str]) -> None:
    """Run the action with its command line."""
    options = parse(Evaluate, args, "translate evaluate", ABOUT)
    import torch

    from speaq.core.devices import threads

    torch.set_num_threads(threads())
    rows = _measured(options)
    for row in rows:
        print(_told(row))
    if options.json is not None:
        write_text(options.json, json.dumps(rows, ensure_ascii=False, indent=2) + "\n")


def _measured(options: Evaluate) -> list[dict[str, Any]]:
    """A row for each pair of languages."""
    from speaq.apps.translate.model.translator import Translator
    from speaq.apps.translate.training.measures import corpus_measures
    from speaq.apps.translate.training.parallel import read_pairs

    pairs = read_pairs(options.files, source=options.source, target=options.target, every_row=True)
    translator = Translator.open(options.model)
    rows = []
    for source, target in dict.fromkeys(pair.languages for pair in pairs):
        part = [pair for pair in pairs if pair.languages == (source, target)]
        found = translator.translate(
            [pair.source for pair in part], source=source, target=target, beam=options.beam
        )
        said = [best.text for best, *_ in found]
        measures = corpus_measures(said, [pair.target for pair in part], target)
        rows.append(
            {"source": source, "target": target, "sentences": len(part), **measures}
            | {"translations": said}
        )
    return rows


def _told(row: dict[str, Any]) -> str:
    head = say(
        f"{row['source']} → {row['target']}, {row['sentences']} sentences",
        f"{row['source']} → {row['target']}，{row['sentences']} 句",
    )
    return (
        f"{head}\n  BLEU {row['bleu']:.2f}  chrF {row['chrf']:.2f}  {row['signature']}\n"
        f"  BLEU {row['bleu_lower']:.2f}  {row['signature_lower']}"
    )
