"""Characters of tiny-shakespeare: who has the lower loss after the same minutes?

    python benchmarks/char_lm.py --seeds 0 1 2 --minutes 3 --json FILE

The last tenth of the characters is for validation; the loss is the mean over all of it, in nats
per character, read in windows of each method's own context that do not overlap. Methods:

    speaq            `speaq pretrain` with the settings below, in as many steps as fit
    nanogpt_recipe   nanoGPT's published settings for a CPU (4 layers, 4 heads, 128 wide, context
                     64, batch 12, 2000 iterations, rate 1e-3 to 1e-4, no dropout), in a model of
                     its own; it may finish its iterations however long they take
    nanogpt_longer   the same in as many iterations as fit
    trainer          the Trainer of transformers with its defaults (batch 8, rate 5e-5, linear), on
                     speaq's model and rows, in as many steps as fit
    speaq_adamw      speaq with the Trainer's batch and optimiser: for tokens per second alone
    speaq_compiled   the same with compute.compile

Minutes are those of the CPU's clock on one thread, of the wall's on several, and those of speaq
hold everything: finding out how many steps fit, reading, saving. `tokens_per_second` is what a run
adds to one of a few steps, over the seconds that it adds, so that no method's beginning and end
count. With `--peak-tflops` of the machine,
`utilisation` is 6 · parameters · tokens per second over it.
"""

import argparse
import gzip
import math
import sys
import tempfile
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import matplotlib.figure  # noqa: F401  # imported on demand otherwise, in somebody's time
import torch
from report import clock, parser, write
from torch import Tensor, nn
from torch.nn import functional

import speaq
from speaq.core.devices import device, threads
from speaq.core.seeds import derive, generator
from speaq.training.optimisers import OptimiserSettings
from speaq.training.pretraining.pretrain import pretrain
from speaq.training.pretraining.settings import (
    ComputeSettings,
    ObjectiveSettings,
    PaceSettings,
    Recipe,
)

DATA = Path(__file__).parents[2] / "shared" / "data" / "tinyshakespeare" / "input.txt.gz"
METHODS = (
    "speaq",
    "nanogpt_recipe",
    "nanogpt_longer",
    "speaq_adamw",
    "speaq_compiled",
    "trainer",
)
TRAINER_BATCH, TRAINER_RATE = 8, 5e-5
RECIPE_ITERATIONS = 2000
PROBES = (6, 24)
"""Steps of two short runs, from whose difference the time of a step is known."""
SPARE = 0.97
"""Part of the time that is left which the steps are to fill."""


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--data", type=Path, default=DATA)
    arguments.add_argument("--minutes", type=float, default=3.0)
    arguments.add_argument("--methods", nargs="+", default=list(METHODS), choices=METHODS)
    arguments.add_argument("--precisions", nargs="+", default=["float32", "bfloat16"])
    arguments.add_argument("--model", default="llama-tiny")
    arguments.add_argument("--context", type=int, default=128)
    arguments.add_argument("--batch", type=int, default=16)
    arguments.add_argument("--lr", type=float, default=8e-3)
    arguments.add_argument("--dropout", type=float, default=0.0)
    arguments.add_argument("--peak-tflops", type=float, help="of the machine in bfloat16")
    chosen = arguments.parse_args()
    if not chosen.data.is_file():
        sys.exit(f"{chosen.data}: there is no such file; name tiny-shakespeare by --data")
    torch.set_num_threads(threads())
    speaq.load("new:tiny")  # what it imports on demand, everyone then has
    corpus = Characters(chosen.data)
    rows: list[dict[str, Any]] = []
    for seed in chosen.seeds:
        for method in chosen.methods:
            plain = method.startswith("nanogpt")
            for precision in ["float32"] if plain else chosen.precisions:
                row = {"seed": seed, "method": method, "precision": precision}
                rows.append({**row, **measured(method, precision, seed, corpus, chosen)})
                print(rows[-1], file=sys.stderr, flush=True)
    write(chosen, rows)


class Characters:
    """The corpus as numbers: `train` (N,) and `held` (M,), split as nanoGPT splits it."""

    def __init__(self, file: Path) -> None:
        with gzip.open(file, "rt", encoding="utf-8") as stream:
            text = stream.read()
        self.names = sorted(set(text))
        numbers = {name: number for number, name in enumerate(self.names)}
        ids = torch.tensor([numbers[name] for name in text])
        edge = int(len(ids) * 0.9)
        self.train, self.held = ids[:edge], ids[edge:]


Run = Callable[[int], tuple[Callable[[Tensor], Tensor], float, int]]
"""Trains for so many steps: scores of inputs (B, T) -> (B, T, V), seconds, parameters."""


def measured(
    method: str, precision: str, seed: int, corpus: Characters, chosen: argparse.Namespace
) -> dict[str, Any]:
    """One row."""
    context = 64 if method.startswith("nanogpt") else chosen.context
    batch = 12 if method.startswith("nanogpt") else TRAINER_BATCH
    batch = chosen.batch if method == "speaq" else batch
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        run: Run
        if method.startswith("speaq"):
            run = of_speaq(method, precision, seed, corpus, chosen, folder)
        elif method == "trainer":
            run = of_trainer(precision, seed, corpus, chosen, folder)
        else:
            run = of_recipe(seed, corpus)
        fitted, before = fitting(run, chosen.minutes * 60)
        steps = RECIPE_ITERATIONS if method == "nanogpt_recipe" else fitted
        scores, seconds, size = run(steps)
        loss = held_out_loss(scores, corpus.held, context)
    row = {"context": context, "loss": loss, "seconds": seconds, "iterations": steps}
    added = (steps - PROBES[0]) * batch * context
    row["tokens_per_second"] = added / (seconds - before)
    if chosen.peak_tflops:
        row["utilisation"] = 6 * size * row["tokens_per_second"] / (chosen.peak_tflops * 1e12)
    return row


def fitting(run: Run, seconds: float) -> tuple[int, float]:
    """How many steps fit into what two short runs leave of the time; seconds of the shorter."""
    now = clock(torch.get_num_threads())
    begun = now()
    run(2)  # compiles, imports
    short, long = (run(steps)[1] for steps in PROBES)
    step = max((long - short) / (PROBES[1] - PROBES[0]), 1e-4)
    left = seconds - (now() - begun) - max(0.0, short - PROBES[0] * step)
    return max(PROBES[1], int(SPARE * left / step)), short


@torch.no_grad()
def held_out_loss(scores: Callable[[Tensor], Tensor], held: Tensor, context: int) -> float:
    """Mean over the whole validation part, in nats per character."""
    windows = (len(held) - 1) // context
    inputs = held[: windows * context].view(windows, context)
    targets = held[1 : windows * context + 1].view(windows, context)
    total = 0.0
    for start in range(0, windows, 64):
        part = slice(start, start + 64)
        found = scores(inputs[part].to(device())).float().cpu()
        total += float(
            functional.cross_entropy(found.flatten(0, 1), targets[part].flatten(), reduction="sum")
        )
    return total / (windows * context)


# speaq


def of_speaq(
    method: str,
    precision: str,
    seed: int,
    corpus: Characters,
    chosen: argparse.Namespace,
    folder: Path,
) -> Run:
    own_optimiser = OptimiserSettings(kind="muon", lr=chosen.lr)
    plain = method == "speaq"
    text = folder / "train.txt"
    text.write_text("".join(corpus.names[number] for number in corpus.train), encoding="utf-8")
    runs = count()

    def run(steps: int) -> tuple[Callable[[Tensor], Tensor], float, int]:
        now = clock(torch.get_num_threads())
        begun = now()
        made = pretrain([text], recipe(steps), folder=folder / str(next(runs)))
        seconds = now() - begun
        model = speaq.load(made.model, device=device())
        own = model.tokenizer.get_vocab()
        places = torch.tensor([own[name] for name in corpus.names], device=device())

        def scores(inputs: Tensor) -> Tensor:
            return model.causal(input_ids=places[inputs]).logits[..., places]

        return scores, seconds, sum(weight.numel() for weight in model.causal.parameters())

    def recipe(steps: int) -> Recipe:
        return Recipe(
            model=chosen.model,
            tokenizer="chars",
            objective=ObjectiveSettings(context=chosen.context, holdout=0.0),
            optimiser=own_optimiser if plain else OptimiserSettings(lr=TRAINER_RATE),
            pace=PaceSettings(
                steps=steps,
                batch_size=chosen.batch if plain else TRAINER_BATCH,
                warmup=50,
                schedule="linear",
                floor=0.0,
                checkpoint_every=steps,
            ),
            compute=ComputeSettings(
                precision=as_precision(precision),
                dropout=chosen.dropout,
                compile=method == "speaq_compiled",
            ),
            seed=seed,
        )

    return run


def as_precision(name: str) -> Any:
    """As written on the command line; `ComputeSettings` refuses unknown ones."""
    return name


# The Trainer of transformers


def of_trainer(
    precision: str,
    seed: int,
    corpus: Characters,
    chosen: argparse.Namespace,
    folder: Path,
) -> Run:
    from transformers import Trainer, TrainingArguments
    from transformers.utils import logging

    from speaq.training.pretraining.architectures import architecture_of
    from speaq.training.pretraining.vocabulary import tokenizer_of

    logging.set_verbosity_error()
    tokenizer = tokenizer_of("chars", corpus.names, "causal")
    own = tokenizer.get_vocab()
    places = torch.tensor([own[name] for name in corpus.names])
    rows = places[corpus.train[: len(corpus.train) // chosen.context * chosen.context]]
    rows = rows.view(-1, chosen.context)

    class Rows(torch.utils.data.Dataset[dict[str, Tensor]]):
        def __len__(self) -> int:
            return len(rows)

        def __getitem__(self, place: int) -> dict[str, Tensor]:
            return {"input_ids": rows[place], "labels": rows[place]}

    def run(steps: int) -> tuple[Callable[[Tensor], Tensor], float, int]:
        model = architecture_of(
            chosen.model,
            "causal",
            tokenizer,
            context=chosen.context,
            dropout=chosen.dropout,
            seed=seed,
        ).build()
        arguments = TrainingArguments(
            output_dir=str(folder),
            max_steps=steps,
            bf16=precision == "bfloat16",
            use_cpu=device().type == "cpu",
            seed=derive(seed, "trainer") % 2**31,
            save_strategy="no",
            report_to=[],
            disable_tqdm=True,
        )
        trainer = Trainer(model=model, args=arguments, train_dataset=Rows())
        now = clock(torch.get_num_threads())
        begun = now()
        trainer.train()
        seconds = now() - begun
        model.eval()
        where = places.to(device())

        def scores(inputs: Tensor) -> Tensor:
            return model(input_ids=where[inputs]).logits[..., where]

        return scores, seconds, sum(weight.numel() for weight in model.parameters())

    return run


# nanoGPT's recipe: a GPT-2 without biases, its loss and its schedule, as published


class Block(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.before = nn.LayerNorm(width, bias=False)
        self.attend = nn.Linear(width, 3 * width, bias=False)
        self.project = nn.Linear(width, width, bias=False)
        self.between = nn.LayerNorm(width, bias=False)
        self.widen = nn.Linear(width, 4 * width, bias=False)
        self.narrow = nn.Linear(4 * width, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        B, T, D = x.shape
        shape = (B, T, 3, self.heads, D // self.heads)
        q, k, v = self.attend(self.before(x)).view(shape).permute(2, 0, 3, 1, 4)
        y = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.project(y.transpose(1, 2).reshape(B, T, D))
        return x + self.narrow(functional.gelu(self.widen(self.between(x))))


class SmallGPT(nn.Module):
    def __init__(self, vocabulary: int, context: int = 64, width: int = 128) -> None:
        super().__init__()
        layers = heads = 4
        self.tokens = nn.Embedding(vocabulary, width)
        self.places = nn.Embedding(context, width)
        self.blocks = nn.ModuleList([Block(width, heads) for _ in range(layers)])
        self.last = nn.LayerNorm(width, bias=False)
        for name, weight in self.named_parameters():
            if weight.dim() == 2:
                narrow = name.endswith(("project.weight", "narrow.weight"))
                nn.init.normal_(weight, std=0.02 / (math.sqrt(2 * layers) if narrow else 1))

    def forward(self, inputs: Tensor) -> Tensor:
        x = self.tokens(inputs) + self.places.weight[: inputs.shape[1]]
        for block in self.blocks:
            x = block(x)
        return self.last(x) @ self.tokens.weight.T


def of_recipe(seed: int, corpus: Characters) -> Run:
    def run(steps: int) -> tuple[Callable[[Tensor], Tensor], float, int]:
        torch.manual_seed(derive(seed, "recipe"))
        model = SmallGPT(len(corpus.names)).to(device())
        matrices = [weight for weight in model.parameters() if weight.dim() > 1]
        rest = [weight for weight in model.parameters() if weight.dim() == 1]
        optimiser = torch.optim.AdamW(
            [{"params": matrices, "weight_decay": 0.1}, {"params": rest, "weight_decay": 0.0}],
            lr=1e-3,
            betas=(0.9, 0.99),
        )
        now = clock(torch.get_num_threads())
        begun = now()
        for step, (inputs, targets) in enumerate(batches(seed, corpus.train, steps)):
            for group in optimiser.param_groups:
                group["lr"] = rate(step, steps)
            loss = functional.cross_entropy(model(inputs).flatten(0, 1), targets.flatten())
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
        return model.eval(), now() - begun, sum(weight.numel() for weight in model.parameters())

    return run


def batches(seed: int, train: Tensor, steps: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Twelve windows of 64 characters at random places, and the same one character on."""
    stream = generator(seed, "recipe")
    for _ in range(steps):
        starts = stream.integers(len(train) - 64, size=12)
        rows = torch.stack([train[start : start + 65] for start in starts]).to(device())
        yield rows[:, :-1], rows[:, 1:]


def rate(step: int, steps: int, peak: float = 1e-3, least: float = 1e-4) -> float:
    """A hundred steps up, a cosine down to a tenth."""
    if step < 100:
        return peak * (step + 1) / 101
    done = (step - 100) / max(1, steps - 100)
    return least + 0.5 * (1 + math.cos(math.pi * done)) * (peak - least)


if __name__ == "__main__":
    main()
