"""Do the tests see it when Q-learning is wrong? One fault at a time is planted and looked for.

    python benchmarks/mutations.py --json FILE

Each mutant is a copy of `src` in which one piece of text is another. First the tests nearest to
the fault are run, all of them, and the failing ones counted; only if none fails is everything
under tests/qlearning and tests/training run up to the first failure. A mutant is `killed` if a
test failed; `failed_tests` says how many did. The faults are those that implementations of
Q-learning over tokens were found to have, or that a small slip makes.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import report

ROOT = Path(__file__).parents[1]

QUICK = "not (reach or finds or guided)"
"""Leaves out the tests that train to an optimum, where others stand nearer to the fault."""

WHOLE = ("tests/training", "tests/qlearning")


@dataclass(frozen=True)
class Mutant:
    """A fault: in `file`, `old`, which stands there once, becomes `new`."""

    name: str
    file: str
    old: str
    new: str
    tests: str
    """Files of tests nearest to it, below `tests`."""


LEARNER = "qlearning/learner.py"
BATCH = "training/batch.py"
ENCODING = "training/encoding.py"
BOOTSTRAP = "qlearning/bootstrap.py"
ILQL = "qlearning/ilql.py"
REPLAY = "training/replay.py"
TREE = "experience/sum_tree.py"

MUTANTS = [
    # Target networks
    Mutant(
        "target never synced",
        LEARNER,
        "if self.target is not None and step % self.algorithm.target_every == 0:",
        "if step < 0:",
        "qlearning/test_targets.py",
    ),
    Mutant(
        "target synced every step",
        LEARNER,
        "step % self.algorithm.target_every == 0",
        "step % 1 == 0",
        "qlearning/test_targets.py",
    ),
    Mutant(
        "target is the online head",
        LEARNER,
        "target_of(self.head) if algorithm.target_every",
        "self.head if algorithm.target_every",
        "qlearning/test_targets.py",
    ),
    Mutant(
        "Polyak average reversed",
        "qlearning/targets.py",
        "slow.lerp_(fast, rate)",
        "slow.lerp_(fast, 1 - rate)",
        "qlearning/test_targets.py",
    ),
    Mutant(
        "target takes gradients",
        "qlearning/targets.py",
        "parameter.requires_grad_(False)",
        "parameter.requires_grad_(True)",
        "qlearning/test_gradients.py qlearning/test_targets.py",
    ),
    # Ends
    Mutant(
        "terminal mask dropped: always bootstrap",
        BATCH,
        "= discount if each.truncated else 0.0",
        "= discount",
        "training/test_batch.py",
    ),
    Mutant(
        "truncation treated as termination: discounts",
        BATCH,
        "= discount if each.truncated else 0.0",
        "= 0.0",
        "training/test_batch.py",
    ),
    Mutant(
        "truncation treated as termination: values",
        BOOTSTRAP,
        "(places < counts) | ((places == counts) & batch.truncated[:, None])",
        "places < counts + 0 * batch.truncated[:, None]",
        "qlearning/test_dqn.py",
    ),
    Mutant(
        "discount forgotten in the batch",
        BATCH,
        "discounts[row, :count] = discount",
        "discounts[row, :count] = 1.0",
        "training/test_batch.py",
    ),
    Mutant(
        "discount forgotten in the look-ahead",
        BOOTSTRAP,
        "rewards + discounts * reach[..., 1:]",
        "rewards + (discounts > 0) * reach[..., 1:]",
        "qlearning/test_dqn.py",
    ),
    # n steps, and which state comes next
    Mutant(
        "n-step sum one step too long",
        BOOTSTRAP,
        "for _ in range(steps or rewards.shape[-1]):",
        "for _ in range((steps or rewards.shape[-1]) + 1):",
        "qlearning/test_dqn.py",
    ),
    Mutant(
        "n-step sum one step too short",
        BOOTSTRAP,
        "for _ in range(steps or rewards.shape[-1]):",
        "for _ in range((steps or rewards.shape[-1]) - 1):",
        "qlearning/test_dqn.py",
    ),
    Mutant(
        "next state is this state",
        ILQL,
        "discounts * values[..., 1:]",
        "discounts * values[..., :-1]",
        "qlearning/test_losses.py",
    ),
    Mutant(
        "return without its first reward",
        BATCH,
        "total = self.rewards[:, k] + self.discounts[:, k] * total",
        "total = self.rewards[:, k] * (total != 0) + self.discounts[:, k] * total",
        "training/test_batch.py qlearning/test_losses.py",
    ),
    # What is an action
    Mutant(
        "observation tokens counted as actions",
        ENCODING,
        "                tokens += continuation(model, said, *previous, heard)\n",
        "                between = continuation(model, said, *previous, heard)\n"
        "                actions += range(len(tokens), len(tokens) + len(between))\n"
        "                turn_ids += [turn_number] * len(between)\n"
        "                rewards += [0.0] * len(between)\n"
        "                logprobs += [np.nan] * len(between)\n"
        "                tokens += between\n",
        "training/test_encoding.py",
    ),
    Mutant(
        "prompt's last token counted as an action",
        ENCODING,
        "actions += range(len(tokens), len(tokens) + len(ids))",
        "actions += range(len(tokens) - 1, len(tokens) + len(ids) - 1)",
        "training/test_encoding.py",
    ),
    Mutant(
        "actions shifted by one",
        ENCODING,
        "return self.tokens[self.actions]",
        "return self.tokens[self.actions - 1]",
        "training/test_encoding.py",
    ),
    Mutant(
        "states shifted by one",
        ENCODING,
        "np.append(self.actions - 1, len(self.tokens) - 1)",
        "np.append(self.actions, len(self.tokens) - 1)",
        "training/test_encoding.py",
    ),
    Mutant(
        "a cut-off episode goes on before what was heard last",
        ENCODING,
        "np.append(self.actions - 1, len(self.tokens) - 1)",
        "np.append(self.actions - 1, self.actions[-1])",
        "training/test_encoding.py",
    ),
    Mutant(
        "padding counted as actions",
        BATCH,
        "mask[row, :count] = True",
        "mask[row, :] = True",
        "training/test_batch.py",
    ),
    Mutant(
        "rewards rounded to whole numbers",
        ENCODING,
        "rewards=np.array(rewards, dtype=np.float32)",
        "rewards=np.array(rewards, dtype=np.int64)",
        "training/test_encoding.py",
    ),
    Mutant(
        "rewards inside of a reply moved to its end",
        ENCODING,
        "earned[place] += value",
        "earned[-1] += value",
        "training/test_spelling.py",
    ),
    Mutant(
        "members learn from episodes kept from them",
        "qlearning/algorithm.py",
        "seen = self.batch.member_mask[:, :, None] & self.batch.action_mask[None]",
        "seen = self.batch.member_mask[:, :, None] | self.batch.action_mask[None]",
        "qlearning/test_losses.py qlearning/test_importance.py",
    ),
    # The losses
    Mutant(
        "max for min of twins",
        ILQL,
        "*twins.shape[1:]).amin(1)",
        "*twins.shape[1:]).amax(1)",
        "qlearning/test_losses.py",
    ),
    Mutant(
        "expectile reversed",
        ILQL,
        "torch.where(error < 0, 1 - expectile, expectile)",
        "torch.where(error < 0, expectile, 1 - expectile)",
        "qlearning/test_losses.py",
    ),
    Mutant(
        "missing detach of ILQL's targets",
        ILQL,
        "        with torch.no_grad():\n            lower",
        "        with torch.enable_grad():\n            lower",
        "qlearning/test_detached_targets.py qlearning/test_gradients.py",
    ),
    Mutant(
        "missing detach of DQN's targets",
        BOOTSTRAP,
        "@torch.no_grad()\ndef values_of",
        "def values_of",
        "qlearning/test_detached_targets.py",
    ),
    Mutant(
        "missing detach of soft Q's targets",
        "qlearning/soft_q.py",
        "        with torch.no_grad():\n            q_values",
        "        with torch.enable_grad():\n            q_values",
        "qlearning/test_detached_targets.py",
    ),
    Mutant(
        "double Q's chooser swapped",
        "qlearning/dqn.py",
        "greedy_tokens(view if self.double else slow)",
        "greedy_tokens(slow if self.double else view)",
        "qlearning/test_dqn.py",
    ),
    # Prioritised replay
    Mutant(
        "importance weights ignored by the loss",
        "qlearning/algorithm.py",
        "return weights if self.importance is None else",
        "return weights if True else",
        "qlearning/test_importance.py",
    ),
    Mutant(
        "importance weights lost on the way",
        LEARNER,
        "importance=None if weights is None else weights.to(batch.tokens.device)",
        "importance=None",
        "qlearning/test_importance.py",
    ),
    Mutant(
        "importance weights upside down",
        REPLAY,
        "** -self.beta(step)",
        "** self.beta(step)",
        "training/test_replay.py",
    ),
    Mutant(
        "priorities not updated",
        REPLAY,
        "self._tree.update(places, priorities)",
        "self._tree.update(places, self._tree.at(places))",
        "training/test_replay.py::test_weights_by_hand "
        "training/test_replay.py::test_errors_reach_the_episodes_they_are_of "
        "training/test_replay.py::test_the_loop_tells_the_replay_of_the_errors_of_each_step",
    ),
    Mutant(
        "replay not told of errors",
        "training/loop.py",
        'replay.learned(drawn.indices, figures.pop("errors", None))',
        'figures.pop("errors", None)',
        "training/test_replay.py",
    ),
    Mutant(
        "replay forgotten by a resumed run",
        "training/loop.py",
        'replay.restore(_under("replay.", tensors))',
        "pass",
        "training/test_replay.py",
    ),
    Mutant(
        "sum tree off by one at the ends of leaves",
        TREE,
        "(sums > inside[:, None])",
        "(sums >= inside[:, None])",
        "training/test_replay.py experience/test_sum_tree.py",
    ),
]


@contextmanager
def planted(mutant: Mutant, folder: Path) -> Iterator[None]:
    """The copy of `src` in `folder` with the fault in it, and afterwards without."""
    file = folder / "speaq" / mutant.file
    text = file.read_text(encoding="utf-8")
    if text.count(mutant.old) != 1:
        raise SystemExit(
            f"mutant '{mutant.name}': {mutant.file} holds its text {text.count(mutant.old)} times, "
            "expected once; the source has changed, so change the mutant."
        )
    file.write_text(text.replace(mutant.old, mutant.new), encoding="utf-8")
    try:
        yield
    finally:
        file.write_text(text, encoding="utf-8")


def failures(source: Path, options: list[str]) -> int:
    """How many tests fail with the package in `source`; collecting may fail as well."""
    made = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options],
        cwd=ROOT,
        env={
            **os.environ,
            "PYTHONPATH": str(source),
            "PYTHONDONTWRITEBYTECODE": "1",
            "HYPOTHESIS_STORAGE_DIRECTORY": str(source / "hypothesis"),
            "OMP_NUM_THREADS": "1",
        },
        capture_output=True,
        text=True,
    )
    if made.returncode not in (0, 1, 2):
        raise SystemExit(f"the tests could not be run:\n{made.stdout}\n{made.stderr}")
    found = re.findall(r"^(?:FAILED|ERROR) ", made.stdout, re.MULTILINE)
    return max(len(found), int(made.returncode != 0))


def run(mutant: Mutant, source: Path) -> dict[str, Any]:
    near = [f"tests/{file}" for file in mutant.tests.split()]
    with planted(mutant, source):
        failed = failures(source, ["-k", QUICK, *near]) or failures(source, ["-x", *WHOLE])
    return {
        "mutant": mutant.name,
        "file": mutant.file,
        "killed": failed > 0,
        "failed_tests": failed,
    }


def main() -> None:
    parser = report.parser(__doc__)
    parser.add_argument("--only", nargs="+", help="names of mutants")
    arguments = parser.parse_args()
    chosen = [each for each in MUTANTS if not arguments.only or each.name in arguments.only]
    with tempfile.TemporaryDirectory(prefix="speaq-mutations-") as folder:
        source = Path(folder)
        shutil.copytree(ROOT / "src", source, dirs_exist_ok=True)
        for each in chosen:
            with planted(each, source):
                pass
        near = sorted({f"tests/{file}" for each in chosen for file in each.tests.split()})
        if failures(source, ["-k", QUICK, *near]):
            raise SystemExit("the tests fail without any fault; mend them first.")
        rows = []
        for each in chosen:
            rows.append(run(each, source))
            print(rows[-1], flush=True)
    report.write(arguments, rows)
    alive = [row["mutant"] for row in rows if not row["killed"]]
    print(f"{len(rows) - len(alive)} of {len(rows)} killed", *alive, sep="\n")
    sys.exit(bool(alive))


if __name__ == "__main__":
    main()
