"""Does a translator keep what it must: terms, addresses, numbers, and its nerve?

    python benchmarks/translation_service.py --model runs/de-en/model --seeds 0 1 2

case glossary        a customer's terms: `honoured` of all, and BLEU with all words for a term
                     counted as one (`bleu_elsewhere`), without the glossary and with it
case kept            addresses, placeholders, code, own names put into sentences: `identical` of
                     all, `whole` where the sentence was translated in one piece, and BLEU of the
                     rest (`bleu_elsewhere`) beside that of the plain sentences
case guard           `recall` of facts dropped from or changed in right translations (`facts`:
                     made sentences; `text`: real ones), and `false_alarms`: right translations
                     that are warned about
case degenerate      odd inputs: `loop`, `empty`, `crash`, and how each was answered

Without --model only the guard is asked, which needs none.
"""

import gzip
import random
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from report import parser, present, write
from translation_cases import KINDS, ODD, TERMS, dropped, facts, with_kept

from speaq.apps.application import answered
from speaq.apps.translate.application import Translate, TranslateRequest
from speaq.apps.translate.checks.degeneration import fault
from speaq.apps.translate.checks.guard import compare
from speaq.apps.translate.sentence import Rendered, Rules, render
from speaq.apps.translate.translating import Direction
from speaq.apps.translate.wording.glossary import Glossary, Term
from speaq.apps.translate.wording.terms import find, holds, stemmed
from speaq.core.errors import SpeaqError

Row = dict[str, Any]
CASES = ("guard", "glossary", "kept", "degenerate")
_PAIR = ("de", "en")
_TOGETHER = 32
_PLACES = {"multi30k": "multi30k/test_2016_flickr.de.gz", "tatoeba": "tatoeba/en-zh.tsv.gz"}


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--model", default="", help="a translator from German to English")
    arguments.add_argument("--root", type=Path, default=Path("../shared/data"))
    arguments.add_argument("--limit", type=int, default=1000, help="sentences of each case")
    arguments.add_argument("--beam", type=int, default=4)
    arguments.add_argument("--cases", nargs="+", default=CASES, choices=CASES)
    chosen = arguments.parse_args()
    data = present(chosen.root, _PLACES)
    rows: list[Row] = []
    for seed in chosen.seeds if "guard" in chosen.cases else ():
        rows += guard(chosen.root, data, chosen.limit, seed)
    if chosen.model and "multi30k" in data:
        import torch

        from speaq.core.devices import threads

        torch.set_num_threads(threads())
        application = Translate.open(chosen.model)
        direction = Direction(application.translator, *_PAIR, chosen.beam)
        pairs = list(zip(*(multi30k(chosen.root, code) for code in _PAIR), strict=True))
        pairs = pairs[: chosen.limit]
        asked = {"glossary", "kept"} & set(chosen.cases)
        plain = rendered(direction, [source for source, _ in pairs], Rules()) if asked else []
        for seed in chosen.seeds:
            rows += glossary(direction, pairs, plain, seed) if "glossary" in asked else []
            rows += kept(direction, pairs, plain, seed) if "kept" in asked else []
        rows += degenerate(application) if "degenerate" in chosen.cases else []
    write(chosen, rows)


def rendered(direction: Direction, texts: Sequence[str], rules: Rules) -> list[Rendered]:
    """Translations in batches, with the seconds they took not counted."""
    made: list[Rendered] = []
    for start in range(0, len(texts), _TOGETHER):
        made += render(direction, texts[start : start + _TOGETHER], rules)
    return made


def glossary(
    direction: Direction, pairs: Sequence[tuple[str, str]], plain: Sequence[Rendered], seed: int
) -> list[Row]:
    chosen = random.Random(seed).sample(TERMS, 2 * len(TERMS) // 3)
    terms = Glossary(Term(source, target, _PAIR) for source, target, _ in chosen)
    touched = [place for place, (source, _) in enumerate(pairs) if terms.matches(source, *_PAIR)]
    sources = [pairs[place][0] for place in touched]
    references = [masked(pairs[place][1], chosen) for place in touched]
    begun = time.perf_counter()
    forced = rendered(direction, sources, Rules(glossary=terms))
    seconds = time.perf_counter() - begun
    rows = []
    for method, said in (("plain", [plain[place] for place in touched]), ("glossary", forced)):
        met = asked = 0
        for source, one in zip(sources, said, strict=True):
            for match in terms.matches(source, *_PAIR):
                asked += 1
                met += holds(one.text, match.term.target, _PAIR[1])
        rows.append(
            {
                "seed": seed,
                "case": "glossary",
                "method": method,
                "honoured": met / asked,
                "bleu_elsewhere": bleu([masked(one.text, chosen) for one in said], references),
                "terms": asked,
                "sentences": len(sources),
                "seconds_each": seconds / len(sources) if method == "glossary" else 0.0,
            }
        )
    return rows


def masked(text: str, chosen: Sequence[tuple[str, str, tuple[str, ...]]]) -> str:
    """The text with one word for each term, however it is translated."""
    for number, (_, wanted, usual) in enumerate(chosen):
        for word in (wanted, *usual):
            for start, end in reversed(find(stemmed(word, "en"), stemmed(text, "en"))):
                text = f"{text[:start]}term{number}{text[end:]}"
    return text


def kept(
    direction: Direction, pairs: Sequence[tuple[str, str]], plain: Sequence[Rendered], seed: int
) -> list[Row]:
    places = random.Random(seed).sample(range(len(pairs)), min(200, len(pairs)))
    cases = list(with_kept([pairs[place][0] for place in places], seed))
    said = rendered(direction, [text for text, _ in cases], Rules(keep=("Speaq X7",)))
    identical = [
        one.text.count(span) == text.count(span)
        for one, (text, spans) in zip(said, cases, strict=True)
        for span in spans
    ]
    references = [pairs[place][1] for place in places]
    bare = [without(one.text, spans) for one, (_, spans) in zip(said, cases, strict=True)]
    return [
        {
            "seed": seed,
            "case": "kept",
            "method": method,
            "identical": sum(identical) / len(identical) if method == "kept" else 1.0,
            "whole": sum(one.how == "model" for one in own) / len(own),
            "bleu_elsewhere": bleu(texts, references),
            "spans": len(identical),
        }
        for method, own, texts in (
            ("plain", [plain[place] for place in places], [plain[place].text for place in places]),
            ("kept", said, bare),
        )
    ]


def without(text: str, spans: Sequence[str]) -> str:
    for span in spans:
        text = text.replace(span, " ")
    return " ".join(text.split())


def guard(root: Path, data: Sequence[str], limit: int, seed: int) -> list[Row]:
    rows: list[Row] = []
    for pair in (("de", "en"), ("en", "de"), ("en", "fr"), ("en", "zh"), ("zh", "en")):
        for kind in KINDS:
            cases = list(facts(pair, kind, min(limit, 200), seed))
            told = [
                any(
                    each.what == "lost" and (each.text in one.lost or one.lost in each.text)
                    for each in compare(one.source, one.broken, pair)
                )
                for one in cases
            ]
            clean = [bool(compare(one.source, one.target, pair)) for one in cases]
            name = "-".join(pair)
            rows.append(guard_row(seed, f"facts {name} {kind}", told, clean))
    for name, pair, found in real(root, data, limit, seed):
        told = [
            any(each.what == "lost" for each in compare(source, broken, pair))
            for source, broken in dropped(found, seed)
        ]
        clean = [bool(compare(source, target, pair)) for source, target in found]
        rows.append(guard_row(seed, f"text {name}", told, clean))
    return rows


def guard_row(seed: int, method: str, told: Sequence[bool], clean: Sequence[bool]) -> Row:
    return {
        "seed": seed,
        "case": "guard",
        "method": method,
        "recall": sum(told) / len(told),
        "false_alarms": sum(clean) / len(clean),
        "losses": len(told),
        "clean": len(clean),
    }


def real(
    root: Path, data: Sequence[str], limit: int, seed: int
) -> list[tuple[str, tuple[str, str], list[tuple[str, str]]]]:
    """Real pairs with their names and languages."""
    made: list[tuple[str, tuple[str, str], list[tuple[str, str]]]] = []
    if "multi30k" in data:
        sides = {code: multi30k(root, code) for code in ("de", "en", "fr")}
        for one, two in (("de", "en"), ("en", "fr")):
            pairs = list(zip(sides[one], sides[two], strict=True))
            made.append((f"multi30k {one}-{two}", (one, two), pairs[:limit]))
    if "tatoeba" in data:
        for one, two in (("en", "zh"), ("en", "fr")):
            lines = lines_of(root / "tatoeba" / f"{one}-{two}.tsv.gz")
            cells = [line.split("\t") for line in lines]
            pairs = [(cell[0], cell[1]) for cell in cells if len(cell) > 1]
            some = random.Random(seed).sample(pairs, min(limit, len(pairs)))
            made.append((f"tatoeba {one}-{two}", (one, two), some))
            if two == "zh":
                turned = [(b, a) for a, b in some]
                made.append(("tatoeba zh-en", ("zh", "en"), turned))
    return made


def degenerate(application: Translate) -> list[Row]:
    rows = []
    for name, text in ODD.items():
        begun = time.perf_counter()
        how, loop, empty, crash = "", 0, 0, 0
        try:
            answer = answered(application, TranslateRequest(text, *_PAIR))
        except SpeaqError:
            how = "refused in one sentence"
        except Exception:  # noqa: BLE001  what is counted here
            crash = 1
        else:
            sentences = answer.details["sentences"]
            how = ", ".join(sorted({each["how"] for each in sentences})) or "copied"
            loop = sum(fault(each["source"], each["text"]) == "loop" for each in sentences)
            empty = int(not answer.text)
        rows.append(
            {
                "case": "degenerate",
                "method": name,
                "loop": loop,
                "empty": empty,
                "crash": crash,
                "seconds": time.perf_counter() - begun,
                "how": how,
            }
        )
    return rows


def bleu(found: Sequence[str], wanted: Sequence[str]) -> float:
    from sacrebleu.metrics import BLEU

    return float(BLEU().corpus_score(list(found), [list(wanted)]).score)


def multi30k(root: Path, code: str) -> list[str]:
    return lines_of(root / "multi30k" / f"test_2016_flickr.{code}.gz")


def lines_of(path: Path) -> list[str]:
    with gzip.open(path, "rt", encoding="utf-8") as stream:
        return [line.rstrip("\n") for line in stream]


if __name__ == "__main__":
    main()
