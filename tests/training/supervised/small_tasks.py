"""Small tasks in English and Chinese, and encoders small enough to learn them in a second."""

import itertools
from pathlib import Path
from typing import Any

import torch

from speaq.training.loop import LoopSettings
from speaq.training.supervised.examples import (
    Answer,
    Labelled,
    Question,
    Related,
    Tagged,
)
from speaq.training.supervised.fine_tune import Outcome, fine_tune
from speaq.training.supervised.preparing import Examples
from speaq.training.supervised.settings import FineTuneSettings

WORDS = {
    "en": (
        ["red", "blue", "green", "black"],
        ["apple", "pear", "plum", "fig"],
        "I like the {} now",
    ),
    "zh": (["红色", "蓝色", "绿色", "黑色"], ["苹果", "梨子", "李子", "葡萄"], "我现在喜欢{}了"),
}
NEW = "new:encoder?layers=1&hidden=32&heads=2&context=40&vocabulary=300&dropout=0"
LOOP = LoopSettings(
    steps=60,
    batch_size=8,
    lr=3e-3,
    head_lr=3e-3,
    warmup=5,
    schedule="cosine",
    checkpoint_every=20,
    log_every=10,
)


def texts(language: str, count: int = 6) -> list[Labelled]:
    """Colours and fruits, each in `count` sentences."""
    colours, fruits, sentence = WORDS[language]
    return [
        Labelled(sentence.format(word) + f" {n}", (label,))
        for n in range(count)
        for label, words in (("colour", colours), ("fruit", fruits))
        for word in words
    ]


def tags(language: str) -> list[Tagged]:
    """Sentences of words, or of characters, in which colours and fruits are spans."""
    colours, fruits, sentence = WORDS[language]
    made = []
    for one, other in itertools.product(colours + fruits, repeat=2):
        words: list[str] = []
        marks: list[str] = []
        for piece in (*sentence.split("{}")[:1], one, "and", other):
            kind = "colour" if piece in colours else "fruit" if piece in fruits else ""
            parts = list(piece) if language == "zh" and piece != "and" else piece.split()
            words += parts
            marks += [
                f"{'B' if n == 0 else 'I'}-{kind}" if kind else "O" for n in range(len(parts))
            ]
        made.append(Tagged(tuple(words), tuple(marks)))
    return made


def questions() -> list[Question]:
    """Which fruit lies on the table; half of the questions ask what the text does not say."""
    fruits = WORDS["en"][1]
    return [
        Question(
            "which fruit" if n % 2 else "which animal",
            f"there is one {fruit} on the table {n}",
            (Answer(13, fruit),) if n % 2 else (),
            id=f"{n}-{fruit}",
        )
        for n in range(10)
        for fruit in fruits
    ]


def relations() -> list[Related]:
    """Who gave what to whom is said by the verb between them."""
    made = []
    for one, other in itertools.permutations(["ann", "bob", "eve", "tim"], 2):
        for verb, label in (("helps", "help(1,2)"), ("was helped by", "help(2,1)"), ("sees", "no")):
            text = f"then {one} {verb} {other} again"
            tail = 5 + len(one) + len(verb) + 2
            made.append(Related(text, (5, 5 + len(one)), (tail, tail + len(other)), label))
    return made


def model_folder(kind: str, folder: Path, limit: int = 40) -> Path:
    """A random model of an architecture, with a tokenizer, as a folder of `transformers`."""
    from transformers import AutoConfig, AutoModel

    from speaq.training.supervised.scratch import word_pieces

    sentences = [each.text for language in WORDS for each in texts(language)]
    tokenizer = word_pieces(sentences, 300, limit)
    sizes: dict[str, dict[str, Any]] = {
        "bert": {"hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 2,
                 "intermediate_size": 64, "max_position_embeddings": limit},
        "roberta": {"hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 2,
                    "intermediate_size": 64, "max_position_embeddings": limit + 2,
                    "type_vocab_size": 1, "pad_token_id": 1},
        "distilbert": {"dim": 32, "n_layers": 3, "n_heads": 2, "hidden_dim": 64,
                       "max_position_embeddings": limit},
        "electra": {"hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 2,
                    "intermediate_size": 64, "embedding_size": 32,
                    "max_position_embeddings": limit},
        "gpt2": {"n_embd": 32, "n_layer": 3, "n_head": 2, "n_positions": limit},
        "llama": {"hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 2,
                  "num_key_value_heads": 2, "intermediate_size": 64,
                  "max_position_embeddings": limit},
    }  # fmt: skip
    config = AutoConfig.for_model(kind, vocab_size=len(tokenizer), **sizes[kind])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        AutoModel.from_config(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


SHORT = FineTuneSettings(epochs=0, patience=0)
"""As many steps as the loop says."""


def learn(
    examples: Any,
    tmp_path: Path,
    source: str | Path = NEW,
    loop: LoopSettings = LOOP,
    settings: FineTuneSettings = SHORT,
    **rest: Any,
) -> Outcome:
    """Fine-tune on examples that are also what validates."""
    parts = examples if isinstance(examples, Examples) else Examples(examples, examples)
    return fine_tune(source, parts, settings=settings, loop=loop, folder=tmp_path / "run", **rest)
