"""The texts that `writing.py` writes like, and that its rules are tried on."""

import gzip
import json
import re
from collections.abc import Sequence
from pathlib import Path

from speaq.text.files.readers import read_rows
from speaq.text.sentences import sentences
from speaq.text.units import HAN

FORMS = {(4, 5): "五绝", (4, 7): "七绝", (8, 5): "五律", (8, 7): "七律"}
"""By lines and characters of a line."""
PLACES = {
    "poems": "chinese_poetry",
    "reviews": "zh_sentiment/ChnSentiCorp_htl_all.csv.gz",
    "plays": "tinyshakespeare/input.txt.gz",
    "articles": "wikitext2/valid.txt.gz",
    "paragraphs": "cmrc2018/cmrc2018_dev.json.gz",
    "news": "cluener/train.jsonl.gz",
}


def poems(root: Path) -> list[str]:
    """Tang poems of the four forms: a title, and lines."""
    found = []
    for file in sorted((root / PLACES["poems"]).glob("*.json.gz")):
        for poem in json.loads(gzip.decompress(file.read_bytes())):
            lines = [part for row in poem["paragraphs"] for part in re.split("[，。]", row) if part]
            widths = {len(line) for line in lines}
            whole = re.compile(f"[{HAN}]+").fullmatch("".join(lines))
            if len(widths) == 1 and whole and (len(lines), widths.pop()) in FORMS:
                pairs = [f"{a}，{b}。" for a, b in zip(lines[::2], lines[1::2], strict=True)]
                found.append("\n".join([poem["title"], *pairs]))
    return found


def reviews(root: Path) -> list[str]:
    """What guests wrote about hotels."""
    return [str(record["review"]) for _, record in read_rows(root / PLACES["reviews"])]


def plays(root: Path) -> list[str]:
    """Shakespeare, a speech each."""
    text = gzip.decompress((root / PLACES["plays"]).read_bytes()).decode()
    return [speech for speech in text.split("\n\n") if speech.strip()]


def articles(root: Path) -> list[str]:
    """Paragraphs of English Wikipedia, put together again from tokens."""
    text = gzip.decompress((root / PLACES["articles"]).read_bytes()).decode()
    found = []
    for line in text.splitlines():
        if line.strip() and not line.startswith(" =") and "<unk>" not in line:
            line = re.sub(r" @(.)@ ", r"\1", line.strip())
            line = re.sub(r"\s+([,.;:?!)\]%]|'s\b|n't\b|'\w+\b)", r"\1", line)
            line = re.sub(r"([(\[$£])\s+", r"\1", line)
            found.append(re.sub(r"\" ([^\"]*?) \"", r'"\1"', line))
    return found


def paragraphs(root: Path) -> list[str]:
    """Paragraphs of Chinese Wikipedia."""
    data = json.loads(gzip.decompress((root / PLACES["paragraphs"]).read_bytes()))
    rows = data["data"] if isinstance(data, dict) else data
    found = []
    for each in rows:
        inside = each.get("paragraphs", [each])
        found += [one.get("context") or one["context_text"] for one in inside]
    return found


def news(root: Path) -> list[str]:
    """Sentences of Chinese news."""
    return [str(record["text"]) for _, record in read_rows(root / PLACES["news"])]


def held_out(texts: Sequence[str]) -> tuple[list[str], list[str]]:
    """For training, and the last tenth."""
    middle = len(texts) * 9 // 10
    return list(texts[:middle]), list(texts[middle:])


def whole_sentences(texts: Sequence[str], language: str, most: int) -> list[str]:
    """Sentences that begin and end as sentences do, of a usual length."""
    shape = r"[A-Z].*[.!?]\"?" if language == "en" else f"[{HAN}].*[。！？]"
    found = [one for text in texts for one in sentences(text)]
    return [one for one in found if re.fullmatch(shape, one) and 12 <= len(one) <= 240][:most]
