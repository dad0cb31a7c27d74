"""One run of TRL's DPO or KTO, for `fronts.py`; started with a Python that has `trl`.

    python benchmarks/peer_trl.py JOB.json

The job: `method` (`dpo`, `kto`), `model` (a folder), `rows` (token ids: `prompt_ids` with
`chosen_ids` and `rejected_ids`, or with `completion_ids` and `label`), `seconds`, `lr`, `half`,
`seed`, `out`. Rows come as token ids, end token included only where the reply ended: TRL would put
one after every text. LoRA of rank 16 on all linear layers, as filtered cloning has. The learning
rate is constant after five steps, so that the clock may stop a run anywhere. The merged model is
written to `out`, and `seconds` and `steps` to `done.json` beside it.
"""

import json
import random
import sys
import time
from pathlib import Path
from typing import Any

from datasets import Dataset
from peft import LoraConfig
from transformers import AutoModelForCausalLM, AutoTokenizer, TrainerCallback
from trl import DPOConfig, DPOTrainer, KTOConfig, KTOTrainer

BATCH = {"dpo": 4, "kto": 8}
"""Pairs, or replies: eight sequences a step for either, as for cloning."""


class Clock(TrainerCallback):  # type: ignore[misc]
    """Stops a run once its time is up, counted from its first step."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.start = 0.0

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.start = time.perf_counter()

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        control.should_training_stop |= time.perf_counter() - self.start > self.seconds


class Pairs(DPOTrainer):  # type: ignore[misc]
    """DPO on rows that are tokens already."""

    def _prepare_dataset(self, dataset: Any, *_: Any) -> Any:
        return dataset


class Thumbs(KTOTrainer):  # type: ignore[misc]
    """KTO on rows that are tokens already; its KL term wants replies moved on within a batch."""

    def _prepare_dataset(self, dataset: Any, *_: Any) -> Any:
        def moved_on(rows: dict[str, list[Any]]) -> dict[str, list[Any]]:
            replies = rows["completion_ids"]
            return {**rows, "KL_completion_ids": replies[-1:] + replies[:-1]}

        return dataset.map(moved_on, batched=True, batch_size=BATCH["kto"])


def main(file: Path) -> None:
    job = json.loads(file.read_text())
    method, out = job["method"], Path(job["out"])
    rows = job["rows"]
    random.Random(job["seed"]).shuffle(rows)
    rows = rows[: len(rows) // BATCH[method] * BATCH[method]]
    config, trainer = {"dpo": (DPOConfig, Pairs), "kto": (KTOConfig, Thumbs)}[method]
    settings = config(
        output_dir=str(out / "trainer"),
        per_device_train_batch_size=BATCH[method],
        num_train_epochs=100,  # the clock ends it
        learning_rate=job["lr"],
        lr_scheduler_type="constant_with_warmup",
        warmup_steps=5,
        bf16=job["half"],
        use_cpu=True,
        gradient_checkpointing=False,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        logging_steps=5,
        seed=job["seed"],
        beta=job["beta"],
        max_length=None,
    )
    adapters = LoraConfig(r=16, lora_alpha=32, target_modules="all-linear", task_type="CAUSAL_LM")
    clock = Clock(job["seconds"])
    made = trainer(
        model=AutoModelForCausalLM.from_pretrained(job["model"], dtype="float32"),
        args=settings,
        train_dataset=Dataset.from_list(rows),
        processing_class=AutoTokenizer.from_pretrained(job["model"]),
        peft_config=adapters,
        callbacks=[clock],
    )
    made.train()
    taken = time.perf_counter() - clock.start
    made.model.merge_and_unload().save_pretrained(out / "model")
    done = {"seconds": taken, "steps": made.state.global_step, "log": made.state.log_history}
    (out / "done.json").write_text(json.dumps(done))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
