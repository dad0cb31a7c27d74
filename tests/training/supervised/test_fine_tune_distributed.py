"""Two processes under torchrun fine-tune to what one does, with whole and with sharded weights."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from small_tasks import LOOP, NEW, SHORT, learn, tags, texts

from speaq.training.supervised.batches import collate
from speaq.training.supervised.examples import Dialogue, Message

# Run by every process: what stands in this file as well, with counts of what is in parts.
PROCESS = """
import json, os, sys
from pathlib import Path
import torch
torch.set_num_threads(1)
sys.path.insert(0, sys.argv[1])
from torch.distributed.tensor import DTensor
from speaq.training.descent import Descent
from speaq.training.distributed import processes
import test_fine_tune_distributed as here
counts = []
clip = Descent.clip
def counted(self, limit):
    weights = [weight for group in self.optimiser.param_groups for weight in group["params"]]
    counts.append((sum(isinstance(each, DTensor) for each in weights), len(weights)))
    return clip(self, limit)
Descent.clip = counted
task, parallel, folder = sys.argv[2:]
with processes(parallel):
    here.run(task, Path(folder))
Path(folder, f"counts-{os.environ['RANK']}.json").write_text(json.dumps(counts[0]))
"""

PACE = {"steps": 8, "batch_size": 7, "lr": 1e-3, "head_lr": 1e-3, "checkpoint_every": 8}


def run(task: str, folder: Path) -> None:
    from dataclasses import replace

    from speaq.training.supervised.fine_tune import fine_tune
    from speaq.training.supervised.multi_task import TogetherSettings, fine_tune_together
    from speaq.training.supervised.preparing import Examples
    from speaq.training.supervised.writing import fine_tune_writer

    loop = replace(LOOP, **PACE)
    settings = replace(SHORT, dropout=0.0, crf=True, class_weights="balanced")
    # Passes of 7, 7, 7 and 1: the last batch leaves a process without work of its own.
    sentences = [*texts("en")[:11], *texts("zh")[:11]]
    if task == "writing":
        dialogues = [_dialogue(n) for n in range(10)]
        model = "new:tiny"
        fine_tune_writer(
            model,
            Examples(dialogues, dialogues),
            settings=replace(settings, strategy="full"),
            loop=loop,
            folder=folder,
        )
        return
    parts = {"classes": Examples(sentences, sentences), "tags": Examples(tags("en")[:22])}
    if task == "together":
        fine_tune_together(
            NEW,
            parts,
            settings=settings,
            together=TogetherSettings(singles=False),
            loop=loop,
            folder=folder,
        )
    else:
        strategy = "lora" if task == "lora" else "full"
        chosen = parts["tags" if task == "tags" else "classes"]
        fine_tune(
            NEW, chosen, settings=replace(settings, strategy=strategy), loop=loop, folder=folder
        )


def _dialogue(n: int) -> Dialogue:
    said = "yes " * (1 + n % 4)
    return Dialogue((Message("user", f"question {n}"), Message("assistant", said.strip())))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("task", "parallel"),
    [
        ("classes", "ddp"),
        ("tags", "fsdp"),
        ("lora", "fsdp"),
        ("together", "ddp"),
        ("together", "fsdp"),
        ("writing", "ddp"),
        ("writing", "fsdp"),
    ],
)
def test_two_processes_learn_what_one_does(tmp_path, task, parallel):
    one, two = tmp_path / "one", tmp_path / "two"
    run(task, one)
    two.mkdir()
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"]
    command += ["--rdzv-backend", "c10d", "--rdzv-endpoint", "localhost:0", "--no-python"]
    command += [sys.executable, "-c", PROCESS, str(Path(__file__).parent), task, parallel]
    done = subprocess.run([*command, str(two)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    for rank in range(2):
        sharded, all_ = json.loads((two / f"counts-{rank}.json").read_text())
        assert sharded == (all_ if parallel == "fsdp" else 0)
    files = sorted(each.name for each in (one / "model").glob("*.safetensors"))
    assert files
    for name in files:
        wanted, found = (load_file(folder / "model" / name) for folder in (one, two))
        assert set(wanted) == set(found)
        for key, tensor in wanted.items():
            assert torch.allclose(tensor, found[key], rtol=1e-3, atol=3e-4), key
    rows = [json.loads(line) for line in (one / "metrics.jsonl").read_text().splitlines()]
    same = [json.loads(line) for line in (two / "metrics.jsonl").read_text().splitlines()]
    for row, wanted in zip(same, rows, strict=True):
        assert row == pytest.approx(wanted, rel=2e-3, abs=2e-3)


def test_a_batch_is_shared_by_its_terms_and_not_by_its_rows(tmp_path):
    """Halves of a batch hold unlike numbers of words, so a mean of means would be wrong."""
    made = learn(tags("en")[:20], tmp_path)
    kind, trunk = made.model.skills[""].kind, made.model.trunk
    rows, _ = kind.rows(trunk, [*tags("en")[:3], *tags("zh")[:3]])
    head = kind.head(trunk.size, 0.0)

    @torch.no_grad()
    def loss(part):
        batch = collate(part, trunk.padding, trunk.device)
        return kind.loss(head, trunk.hidden(batch).float(), batch), kind.terms(batch)

    (first, few), (second, many), (whole, all_) = loss(rows[:3]), loss(rows[3:]), loss(rows)
    assert few + many == all_ and few != many
    assert float((first * few + second * many) / all_) == pytest.approx(float(whole), rel=1e-5)
