"""On star graphs imitation stays at chance. Do values find the way?

    python benchmarks/star_graph.py --seeds 0 1 2 3 4 --degree 2 5 --length 5 --json FILE

One small model from scratch, the same for all: a short convolution, then one block of attention
used four times over, its weights shared (`transformers`' LFM2). Nodes go by as few letters as
there are nodes. Each row is the share of `prompts` new prompts answered by the one right way,
greedily:

    log                the walks learnt from: 1 / degree
    bc, filtered-bc    cloning of all walks, or of those that arrived
    mc                 Monte Carlo values of the same log, beside cloning
    mc hindsight       the same, where walks are also asked for nodes nearer the centre, and on
                       smaller graphs first; at β = 0 its policy alone
    mc hindsight folded    the saved folded folder in stock `transformers`' `generate`

`mc hindsight` alone sees smaller graphs, one more log of the same random walker for each length
from 3. A longer graph is taken up when the values tell the arms of the one before apart on new
prompts. Settings were chosen on seed 100.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import mean
from typing import Any

import torch
from report import parser, write
from torch import Tensor, nn
from transformers import Lfm2Config, Lfm2ForCausalLM

from speaq.core.devices import threads
from speaq.core.runs import RunFolder
from speaq.core.seeds import derive, generator
from speaq.environments.star_graph import StarGraph
from speaq.experience.episode import Episode
from speaq.models.decoding import guide
from speaq.models.fingerprint import fingerprint
from speaq.models.head import HeadSettings
from speaq.models.language_model import LanguageModel, Origin
from speaq.qlearning.learn import learn
from speaq.qlearning.learner import Learner
from speaq.qlearning.mc import MonteCarlo
from speaq.qlearning.student import LearnSettings
from speaq.training.encoding import Encoded, encode_episodes
from speaq.training.loop import LoopSettings, train
from speaq.training.replay import Draw

WIDTH, BLOCKS = 64, 4
REWARD, CLONING = 2.0, 0.2
"""What is learnt from is twice the reward, and cloning weighs little: values come first."""
SOLVED = 0.95
"""A rung is done when the values find this share of the right arms of new prompts."""
EARLIER = 0.2
"""Share of the steps spent on rungs that are done."""
LOOP = LoopSettings(
    batch_size=64, lr=2e-3, head_lr=5e-3, value_lr=5e-3, weight_decay=1e-2, beta2=0.98, warmup=30
)

STOCK = """
import json, sys
sys.modules["speaq"] = None  # an import of it now raises
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer
folder, threads, length = sys.argv[1], *map(int, sys.argv[2:])
torch.set_num_threads(threads)
model = AutoModelForCausalLM.from_pretrained(folder)
tokenizer = AutoTokenizer.from_pretrained(folder)
prompts = tokenizer(json.load(sys.stdin), add_special_tokens=False, return_tensors="pt").input_ids
with torch.no_grad():
    made = model.generate(prompts, attention_mask=torch.ones_like(prompts), do_sample=False,
                          max_new_tokens=length)
print(json.dumps(tokenizer.batch_decode(made[:, prompts.shape[1]:], skip_special_tokens=True)))
"""


def model(graph: StarGraph, seed: int) -> LanguageModel:
    """An untrained LFM2: a convolution over three tokens, then one block of attention, repeated.

    The convolution tells a node what stands before it. A step along an arm is the same look-up
    every time, so the blocks share their weights. Queries and keys begin alike, so that a node
    first looks where else it stands (Trockman & Kolter 2023, mimetic initialisation).
    """
    tokenizer = graph.tokenizer
    config = Lfm2Config(
        vocab_size=len(tokenizer),
        hidden_size=WIDTH,
        intermediate_size=WIDTH,
        block_auto_adjust_ff_dim=False,
        num_hidden_layers=1 + BLOCKS,
        layer_types=["conv"] + ["full_attention"] * BLOCKS,
        num_attention_heads=2,
        num_key_value_heads=2,
        max_position_embeddings=128,
        rope_parameters={"rope_type": "default", "rope_theta": 1e8},
        initializer_range=WIDTH**-0.5,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive(seed, "star-graph", "model"))
        causal = Lfm2ForCausalLM(config)
    attention = causal.model.layers[1].self_attn
    attention.k_proj.weight.data.copy_(attention.q_proj.weight.data)
    for block in causal.model.layers[2:]:
        replace_parameters(block, dict(causal.model.layers[1].named_parameters()))
    causal.eval()
    return LanguageModel(causal, tokenizer, Origin("new:star-graph", fingerprint(causal)))


def replace_parameters(block: nn.Module, others: Mapping[str, nn.Parameter]) -> None:
    """Put other parameters in the place of a block's own."""
    for name, parameter in others.items():
        module, _, last = name.rpartition(".")
        setattr(block.get_submodule(module), last, parameter)


def unshared(learnt: LanguageModel) -> LanguageModel:
    """The same model with weights of its own in each block, as its file has to hold them."""
    for block in learnt.causal.model.layers[2:]:
        own = {name: nn.Parameter(each.detach().clone()) for name, each in block.named_parameters()}
        replace_parameters(block, own)
    return learnt


class Ladder:
    """A replay that climbs: the next rung begins when the values tell the arms of one apart.

    Args:
        rungs: the episodes of each rung, easiest first; a batch is of one rung.
        solved: whether a rung is.
        seed: of the draws.
    """

    def __init__(self, rungs: Sequence[range], solved: Callable[[int], bool], seed: int) -> None:
        self.rungs, self.solved, self.seed = rungs, solved, seed
        self.rung, self.steps = 0, 0

    def draw(self, step: int, batch_size: int) -> Draw:
        """See `Replay`."""
        stream = generator(self.seed, "ladder", step)
        rung = int(stream.integers(self.rung + 1)) if stream.random() < EARLIER else self.rung
        among = self.rungs[rung]
        return Draw(stream.integers(among.start, among.stop, size=batch_size).tolist())

    def learned(self, indices: Sequence[int], errors: Tensor | None) -> None:
        """Climb, if it is time."""
        self.steps += 1
        if self.steps % 50 == 0 and self.rung + 1 < len(self.rungs) and self.solved(self.rung):
            self.rung += 1
            print(f"rung {self.rung} at step {self.steps}", file=sys.stderr)

    def state(self) -> dict[str, Tensor]:
        """Rung and steps."""
        return {"rung": torch.tensor(self.rung), "steps": torch.tensor(self.steps)}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """See `Replay`."""
        self.rung, self.steps = int(state["rung"]), int(state["steps"])


@torch.no_grad()
def told_apart(learnt: LanguageModel, graph: StarGraph, prompts: Sequence[str]) -> float:
    """Share of prompts where the first step of the right arm has the highest value of all arms'."""
    tokens = torch.tensor([learnt.encode(prompt) for prompt in prompts])
    scores = learnt.require_head().advantages(learnt.hidden_states(tokens)[:, -1])
    right = []
    for prompt, row in zip(prompts, scores, strict=True):
        firsts = [arm[0] for arm in graph.arms(prompt)]
        best = row[torch.tensor(learnt.encode("".join(firsts)))].argmax()
        right.append(firsts[int(best)] == graph.solution(prompt)[0])
    return mean(right)


def main() -> None:
    arguments = parser(__doc__)
    arguments.set_defaults(seeds=[0, 1, 2, 3, 4])
    arguments.add_argument("--degree", type=int, nargs="+", default=[2, 5])
    arguments.add_argument("--length", type=int, default=5)
    arguments.add_argument("--steps", type=int, default=3000)
    arguments.add_argument("--episodes", type=int, default=10_000, help="of each log")
    arguments.add_argument("--prompts", type=int, default=500)
    arguments.add_argument("--beta", type=float, default=1.0)
    arguments.add_argument(
        "--methods", nargs="+", default=["bc", "filtered-bc", "mc", "mc hindsight"]
    )
    chosen = arguments.parse_args()
    torch.set_num_threads(threads())
    rows = []
    for degree in chosen.degree:
        for seed in chosen.seeds:
            for row in measure(degree, seed, chosen):
                rows.append(row)
                print(json.dumps(row), file=sys.stderr, flush=True)
    write(chosen, rows)


def measure(degree: int, seed: int, chosen: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """All rows of one graph and one seed."""
    graph = StarGraph(degree, chosen.length, seed, letters=0)
    prompts = [graph.prompt(number, "test") for number in range(chosen.prompts)]
    log = graph.log(chosen.episodes)
    plain = {"seed": seed, "degree": degree, "length": chosen.length}
    known = mean(each.reward or 0.0 for each in log)
    yield {**plain, "method": "log", "beta": 0.0, "accuracy": known}
    for method in chosen.methods:
        if method == "mc hindsight":
            learnt = valued(graph, log, chosen)
        else:
            learnt = learned(graph, method, log, chosen)
        for beta in [0.0] if learnt.head is None else [0.0, chosen.beta]:
            earned = graph.score(prompts, replies(learnt, prompts, beta, chosen.length))
            yield {**plain, "method": method, "beta": beta, "accuracy": earned}
        if learnt.head is not None:
            stock = graph.score(prompts, run_by_stock(learnt.fold(beta), prompts, chosen.length))
            yield {**plain, "method": f"{method} folded", "beta": beta, "accuracy": stock}


def loop(steps: int) -> LoopSettings:
    return replace(LOOP, steps=steps, checkpoint_every=steps)


def paid(episode: Episode) -> float:
    """What is learnt from an episode."""
    return REWARD * (episode.reward or 0.0)


def learned(
    graph: StarGraph, method: str, log: Sequence[Episode], chosen: argparse.Namespace
) -> LanguageModel:
    """The model after `steps` steps on the log as it is."""
    with tempfile.TemporaryDirectory() as place:
        run = learn(
            model(graph, graph.seed),
            log,
            method,
            settings=LearnSettings(trunk="full"),
            options={"cloning": CLONING} if method == "mc" else {},
            loop=loop(chosen.steps),
            head=HeadSettings(kind="tied"),
            reward=paid,
            folder=Path(place) / "run",
            seed=graph.seed,
        )
    return unshared(run.model)


def valued(graph: StarGraph, log: Sequence[Episode], chosen: argparse.Namespace) -> LanguageModel:
    """The model after at most `steps` steps up the ladder of hindsight."""
    student = model(graph, graph.seed).with_head(HeadSettings(kind="tied"))
    encoded: list[Encoded] = []
    rungs: list[range] = []
    graphs = [
        StarGraph(graph.degree, length, graph.seed, letters=graph.nodes)
        for length in range(3, graph.length + 1)
    ]
    for each in graphs:
        walks = log if each.length == graph.length else each.log(len(log))
        asked = [
            episode
            for depth in range(1, each.length)
            for episode in each.hindsight(walks, depth, graph.seed)
        ]
        rungs.append(range(len(encoded), len(encoded) + len(asked)))
        encoded += encode_episodes(student, asked, paid)
    held = [[each.prompt(number, "ladder") for number in range(500)] for each in graphs]
    learner = Learner(
        student,
        MonteCarlo(cloning=CLONING),
        encoded,
        None,
        torch.ones(1, len(encoded), dtype=torch.bool),
    )
    ladder = Ladder(
        rungs, lambda rung: told_apart(student, graphs[rung], held[rung]) > SOLVED, graph.seed
    )
    with tempfile.TemporaryDirectory() as place:
        run = RunFolder(Path(place) / "run", {})
        train(learner, ladder, loop(chosen.steps), run, graph.seed)
    return unshared(student)


@torch.inference_mode()
def replies(learnt: LanguageModel, prompts: Sequence[str], beta: float, length: int) -> list[str]:
    """Greedy guided replies; all prompts have as many tokens, and are read anew for each token."""
    tokens = torch.tensor([learnt.encode(prompt) for prompt in prompts])
    start = tokens.shape[1]
    for _ in range(length):
        hidden = learnt.hidden_states(tokens)[:, -1]
        scores = learnt.output_layer(hidden)
        if beta:
            scores = guide(scores, learnt.require_head().advantages(hidden), beta)
        tokens = torch.cat([tokens, scores.argmax(-1, keepdim=True)], 1)
    made = tokens[:, start:].tolist()
    return [
        learnt.decode(ids[: ids.index(learnt.end_id)] if learnt.end_id in ids else ids)
        for ids in made
    ]


def run_by_stock(folded: LanguageModel, prompts: Sequence[str], length: int) -> list[str]:
    """Replies of the saved model, by `generate` alone."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "folded"
        folded.save(folder)
        answer = subprocess.run(
            [sys.executable, "-c", STOCK, str(folder), str(threads()), str(length)],
            input=json.dumps(list(prompts)),
            capture_output=True,
            text=True,
            check=True,
        )
    made: list[str] = json.loads(answer.stdout)
    return made


if __name__ == "__main__":
    main()
