"""Translation from scratch: which training gives the better translations after the same minutes?

    python benchmarks/translation.py --data multi30k --minutes 60 --seeds 0 --json FILE
    python benchmarks/translation.py --data tatoeba --minutes 60 --seeds 0 --json FILE

multi30k is German to English, test2016. tatoeba is English to Chinese; its English sentences
repeat, so it is split by them: 1,000 to test on, with their first translation as reference, and
1,000 to validate on. Methods:

    speaq            `speaq translate train` with its defaults and `--size`
    trainer          the Seq2SeqTrainer of transformers with its defaults (batches of 8, rate 5e-5,
                     linear) on the same tokens and an equal model
    trainer_recipe   the same with speaq's rate, warm-up and smoothing, and as many pairs a batch
    int8             speaq's model converted for CTranslate2

Minutes are those of the processor on one thread, else of the wall, and hold finding out how many
steps fit. Translations are searched with a beam of 4; `tokens_per_second` counts tokens written,
their end included, over `decode_seconds` of the whole test set in one run after another.
`bleu_lower` is lower-cased and tokenised (13a, for Chinese zh); `bleu` is cased.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from report import parser, present, write

from speaq.apps.translate.model.converting import convert
from speaq.apps.translate.model.tags import Tags
from speaq.apps.translate.model.translator import Translator
from speaq.apps.translate.training.measures import corpus_measures
from speaq.apps.translate.training.parallel import Pair, apart, read_pairs
from speaq.apps.translate.training.recipe import TrainSettings, new_model, tokenizer_of
from speaq.apps.translate.training.run import clock, pair_rows, train_translator
from speaq.core.devices import batch_dtype, threads
from speaq.core.seeds import generator

ROOT = Path(__file__).parents[2] / "shared" / "data"
PLACES = {"multi30k": "multi30k/train.de.gz", "tatoeba": "tatoeba/en-zh.tsv.gz"}
METHODS = ("speaq", "trainer", "trainer_recipe", "int8")
HELD = 1000
"""English sentences of tatoeba to test on, and as many to validate on."""
REHEARSED = 24
"""Steps by which a trainer's pace is known."""
BEAM = 4

Parts = tuple[list[Pair], list[Pair], list[Pair]]


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--data", nargs="+", default=list(PLACES), choices=list(PLACES))
    arguments.add_argument("--root", type=Path, default=ROOT)
    arguments.add_argument("--minutes", type=float, default=60.0)
    arguments.add_argument("--size", default=TrainSettings.model)
    arguments.add_argument("--lr", type=float, default=TrainSettings.lr)
    arguments.add_argument("--batch-tokens", type=int, default=TrainSettings.batch_tokens)
    arguments.add_argument("--vocabulary", type=int, default=TrainSettings.vocabulary)
    arguments.add_argument("--methods", nargs="+", default=list(METHODS), choices=METHODS)
    arguments.add_argument("--test", type=int, default=1000, help="sentences of the test set")
    arguments.add_argument("--folder", type=Path, help="where to keep the trained models")
    chosen = arguments.parse_args()
    torch.set_num_threads(threads())
    rows: list[dict[str, Any]] = []
    for name in present(chosen.root, {each: PLACES[each] for each in chosen.data}):
        parts = READERS[name](chosen.root)
        for seed in chosen.seeds:
            for row in measured(name, seed, parts, chosen):
                rows.append(row)
                print(row, file=sys.stderr, flush=True)
    write(chosen, rows)


def multi30k(root: Path) -> Parts:
    """German to English."""
    training, validation = (
        read_pairs([root / "multi30k" / f"{part}.{code}.gz" for code in ("de", "en")])
        for part in ("train", "val")
    )
    files = [root / "multi30k" / f"test_2016_flickr.{code}.gz" for code in ("de", "en")]
    return training, validation, read_pairs(files, every_row=True)


def tatoeba(root: Path) -> Parts:
    """English to Chinese, split by English sentence."""
    pairs = read_pairs([root / "tatoeba" / "en-zh.tsv.gz"], source="en", target="zh")
    sentences = list(dict.fromkeys(pair.source for pair in pairs))
    order = generator(0, "tatoeba").permutation(len(sentences)).tolist()
    first: dict[str, Pair] = {}
    for pair in pairs:
        first.setdefault(pair.source, pair)
    test = [first[sentences[place]] for place in order[:HELD]]
    validation = [first[sentences[place]] for place in order[HELD : 2 * HELD]]
    return apart(pairs, test, validation), validation, test


READERS: dict[str, Callable[[Path], Parts]] = {"multi30k": multi30k, "tatoeba": tatoeba}


def measured(
    name: str, seed: int, parts: Parts, chosen: argparse.Namespace
) -> list[dict[str, Any]]:
    """The rows of one data set and seed."""
    settings = TrainSettings(
        model=chosen.size,
        minutes=chosen.minutes,
        lr=chosen.lr,
        batch_tokens=chosen.batch_tokens,
        vocabulary=chosen.vocabulary,
    )
    rows = []
    with tempfile.TemporaryDirectory() as place:
        folder = (chosen.folder or Path(place)) / f"{name}-{seed}"
        for method in chosen.methods:
            seconds = trained(method, seed, parts, settings, folder)
            source = folder / ("speaq/model" if method == "speaq" else method)
            row = {"seed": seed, "data": name, "method": method}
            rows.append({**row, **translated(source, parts[2][: chosen.test]), "seconds": seconds})
    return rows


def trained(method: str, seed: int, parts: Parts, settings: TrainSettings, folder: Path) -> float:
    """Make the method's folder; the seconds that took."""
    begun = clock()
    if method == "int8":
        convert(folder / "speaq" / "model", folder / "int8")
        return clock() - begun
    if method == "speaq":
        made = train_translator(parts[0], parts[1], settings, folder=folder / "speaq", seed=seed)
        return made.seconds
    return by_trainer(method, seed, parts, settings, folder)


def by_trainer(
    method: str, seed: int, parts: Parts, settings: TrainSettings, folder: Path
) -> float:
    """The trainer of transformers in as many steps as fit; leaves a model folder."""
    begun = clock()
    texts = (text for pair in parts[0] for text in (pair.source, pair.target))
    tokenizer = tokenizer_of(texts, settings.vocabulary, [])
    model = new_model(settings.model, tokenizer, settings.dropout, seed)
    tags = Tags((parts[0][0].languages,))
    rows = pair_rows(model, tags, parts[0], settings.longest)
    data = [{"input_ids": one, "labels": other} for one, other in rows]
    usual = sum(len(other) for _, other in rows) / len(rows)
    recipe = {
        "per_device_train_batch_size": max(1, round(settings.batch_tokens / usual)),
        "learning_rate": settings.lr,
        "warmup_steps": settings.warmup,
        "label_smoothing_factor": settings.smoothing,
    }
    own = {} if method == "trainer" else recipe
    initial = {key: value.clone() for key, value in model.plain.state_dict().items()}
    spent = clock() - begun
    each = trainer_seconds(model, data, own, REHEARSED, seed, folder) / REHEARSED
    spent += each * REHEARSED
    model.plain.load_state_dict(initial)
    steps = max(1, int((settings.minutes * 60 - spent) / each))
    spent += trainer_seconds(model, data, own, steps, seed, folder)
    # The trainer leaves its own forward on the model it trained; its weights go into a plain one.
    weights = model.plain.state_dict()
    model = new_model(settings.model, tokenizer, settings.dropout, seed)
    model.plain.load_state_dict(weights)
    model.facts = {"translation": {"pairs": [list(parts[0][0].languages)], "tagged": False}}
    model.save(folder / method)
    return spent


def trainer_seconds(
    model: Any, data: Sequence[Any], own: dict[str, Any], steps: int, seed: int, folder: Path
) -> float:
    from transformers import DataCollatorForSeq2Seq, Seq2SeqTrainer, Seq2SeqTrainingArguments
    from transformers.models.m2m_100.modeling_m2m_100 import shift_tokens_right

    pad = DataCollatorForSeq2Seq(model.tokenizer)

    def collate(rows: Any) -> Any:
        # With label smoothing the trainer keeps the labels from the model, which then needs these.
        batch = pad(rows)
        config = model.plain.config
        batch["decoder_input_ids"] = shift_tokens_right(
            batch["labels"], config.pad_token_id, config.decoder_start_token_id
        )
        return batch

    arguments = Seq2SeqTrainingArguments(
        output_dir=str(folder / "trainer-run"),
        max_steps=steps,
        seed=seed,
        bf16=batch_dtype() == torch.bfloat16,
        use_cpu=not torch.cuda.is_available(),
        save_strategy="no",
        report_to=[],
        disable_tqdm=True,
        logging_steps=100,
        **own,
    )
    trainer = Seq2SeqTrainer(
        model=model.plain,
        args=arguments,
        train_dataset=list(data),
        data_collator=collate,
    )
    begun = clock()
    trainer.train()
    return clock() - begun


def translated(source: Path, test: Sequence[Pair]) -> dict[str, Any]:
    """What a folder makes of the test set."""
    translator = Translator.open(str(source))
    sentences = [pair.source for pair in test]
    one, other = test[0].languages
    translator.translate(sentences[:8], source=one, target=other, beam=BEAM)
    begun = clock()
    found = translator.translate(sentences, source=one, target=other, beam=BEAM)
    seconds = clock() - begun
    tokens = sum(len(best.token_ids) for best, *_ in found)
    measures = corpus_measures(
        [best.text for best, *_ in found], [pair.target for pair in test], other
    )
    weights = [*source.glob("*.safetensors"), *source.glob("model.bin")]
    return {
        **measures,
        "decode_seconds": seconds,
        "tokens_per_second": tokens / seconds,
        "megabytes": sum(file.stat().st_size for file in weights) / 1e6,
    }


if __name__ == "__main__":
    main()
