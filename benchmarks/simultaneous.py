"""How much worse is a translation that begins before the sentence has ended, and how far behind?

    python benchmarks/simultaneous.py --model runs/de-en/model --seeds 0

Wait-k at several k, local agreement, and whole sentences (k = 0), on Multi30k test2016 or other
parallel files. `al`, `ap` and `dal` are SimulEval's, in source words against the reference's
length; `first_word_ms` is from the moment that the k-th word is there to the first word written,
one sentence at a time on one thread: its median, and `first_word_p95_ms`.
"""

import random
import time
from collections.abc import Sequence
from statistics import median
from typing import Any

from report import parser, write

from speaq.apps.translate.live.latency import Instance, latency
from speaq.apps.translate.live.simultaneous import (
    LiveSettings,
    Policy,
    Session,
    follow,
    simulate,
    source_units,
)
from speaq.apps.translate.texts.languages import UNSPACED
from speaq.apps.translate.translating import Direction
from speaq.text.files.data_files import read_examples
from speaq.text.files.examples import Parallel

Row = dict[str, Any]
_DATA = (
    "../shared/data/multi30k/test_2016_flickr.de.gz",
    "../shared/data/multi30k/test_2016_flickr.en.gz",
)


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--model", nargs="+", required=True, help="one for each seed, or one")
    arguments.add_argument("--data", nargs="+", default=_DATA, help="a file, or two parallel ones")
    arguments.add_argument("--source", default="de")
    arguments.add_argument("--target", default="en")
    arguments.add_argument("--k", type=int, nargs="+", default=[1, 3, 5, 7, 9])
    arguments.add_argument("--beam", type=int, default=1, help="of beginnings")
    arguments.add_argument("--limit", type=int, default=1000)
    arguments.add_argument("--timed", type=int, default=50, help="sentences for first_word_ms")
    chosen = arguments.parse_args()
    import torch

    from speaq.apps.translate.model.translator import Translator

    torch.set_num_threads(1)
    found = [each for each in read_examples(*chosen.data) if isinstance(each, Parallel)]
    pairs = [(each.source, each.target) for each in found][: chosen.limit]
    rows: list[Row] = []
    for place, seed in enumerate(chosen.seeds):
        translator = Translator.open(chosen.model[min(place, len(chosen.model) - 1)])
        direction = Direction(translator, chosen.source, chosen.target, chosen.beam)
        rows.append({"seed": seed, "policy": "whole", "k": 0, **whole(direction, pairs)})
        cases: list[tuple[Policy, int]] = [("wait-k", k) for k in chosen.k]
        for policy, k in [*cases, ("agreement", 1)]:
            settings = LiveSettings(policy, k, chosen.beam)
            row = {"seed": seed, "policy": policy, "k": k, **simulated(direction, pairs, settings)}
            rows.append(row | timed(direction, pairs, settings, chosen.timed, seed))
            print(rows[-1], flush=True)
    write(chosen, rows)


def whole(direction: Direction, pairs: Sequence[tuple[str, str]]) -> Row:
    """Translations of whole sentences with the beam that beginnings have."""
    said: list[str] = []
    for start in range(0, len(pairs), 64):
        said += [
            each[0].text for each in direction.best([one for one, _ in pairs[start : start + 64]])
        ]
    glue, unit = _written(direction.target)
    instances = []
    for number, ((source, reference), text) in enumerate(zip(pairs, said, strict=True)):
        words = source_units(source, direction.source)
        spoken = tuple(text.split() if unit == "word" else text.replace(" ", ""))
        delays = (float(len(words)),) * len(spoken)
        instances.append(Instance(number, tuple(words), spoken, delays, reference))
    return measured(direction, instances, glue, pairs) | _no_times()


def simulated(
    direction: Direction, pairs: Sequence[tuple[str, str]], settings: LiveSettings
) -> Row:
    sources, references = zip(*pairs, strict=True)
    instances = simulate(direction, sources, references, settings)
    return measured(direction, instances, _written(direction.target)[0], pairs)


def measured(
    direction: Direction,
    instances: Sequence[Instance],
    glue: str,
    pairs: Sequence[tuple[str, str]],
) -> Row:
    from sacrebleu.metrics import BLEU

    unit = _written(direction.target)[1]
    found = latency(instances, unit)
    said = [glue.join(each.prediction) for each in instances]
    tokenizer = "zh" if direction.target == "zh" else "13a"
    score, lower = BLEU(tokenize=tokenizer), BLEU(lowercase=True, tokenize=tokenizer)
    references = [[reference for _, reference in pairs]]
    return {
        "bleu": float(score.corpus_score(said, references).score),
        "bleu_lower": float(lower.corpus_score(said, references).score),
        "al": found.al,
        "ap": found.ap,
        "dal": found.dal,
    }


def timed(
    direction: Direction,
    pairs: Sequence[tuple[str, str]],
    settings: LiveSettings,
    count: int,
    seed: int,
) -> Row:
    """From the last word that was needed to the first that is written, in milliseconds."""
    places = random.Random(seed).sample(range(len(pairs)), min(count, len(pairs)))
    waits = []
    for place in places:
        heard = 0.0

        def words(text: str = pairs[place][0]) -> Any:
            nonlocal heard
            for word in source_units(text, direction.source):
                heard = time.perf_counter()
                yield word

        session = Session(settings, direction.source, direction.target)
        for _ in follow(direction, session, words()):
            waits.append(1000 * (time.perf_counter() - heard))
            break
    waits.sort()
    return {
        "first_word_ms": median(waits),
        "first_word_p95_ms": waits[min(len(waits) - 1, int(0.95 * len(waits)))],
    }


def _no_times() -> Row:
    return {"first_word_ms": 0.0, "first_word_p95_ms": 0.0}


def _written(target: str) -> Any:
    """What target units are glued with, and what they are counted in."""
    return ("", "char") if target in UNSPACED else (" ", "word")


if __name__ == "__main__":
    main()
