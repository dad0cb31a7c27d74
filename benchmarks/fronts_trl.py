"""What the comparisons share: a log as DPO and KTO want it, and TRL in a process of its own."""

import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from speaq.core.devices import batch_dtype
from speaq.core.files import write_text
from speaq.experience.episode import Episode
from speaq.models.language_model import LanguageModel
from speaq.training.encoding import encode_episodes

PEERS = ("dpo", "kto")

Row = dict[str, Any]


def by_trl(
    python: Path,
    method: str,
    *,
    base: Path,
    rows: Sequence[Row],
    seconds: float,
    lr: float,
    seed: int,
    out: Path,
) -> float:
    """Train by `peer_trl.py` into `out`, what stock `transformers` loads; return the seconds."""
    job = {
        "method": method,
        "model": str(base),
        "rows": rows,
        "seconds": seconds,
        "lr": lr,
        "beta": 0.1,
        "half": batch_dtype() == torch.bfloat16,
        "seed": seed,
        "out": str(out.parent),
    }
    file = out.parent / "job.json"
    write_text(file, json.dumps(job))
    script = Path(__file__).with_name("peer_trl.py")
    subprocess.run([python, "-W", "ignore", script, file], check=True)
    done = json.loads((out.parent / "done.json").read_text())
    for kept in [*base.glob("*token*"), *base.glob("*.jinja")]:
        shutil.copy(kept, out)
    taken: float = done["seconds"]
    return taken


def plain(model: LanguageModel, folder: Path) -> Path:
    """`model` as an ordinary folder, written if it is not there."""
    if not folder.exists():
        LanguageModel(model.causal, model.tokenizer, model.origin).save(folder)
    return folder


def rating(episode: Episode) -> float:
    """The score in the log."""
    return float(episode.feedback[-1].value)


def pairs(model: LanguageModel, log: Sequence[Episode]) -> list[Row]:
    """Each prompt's best replies against its worst, four pairs a prompt at most."""
    rows = []
    for prompt in sorted({each.prompt for each in log}):
        own = sorted((each for each in log if each.prompt == prompt), key=rating)
        count = min(4, len(own) // 2)
        for worse, better in zip(own[:count], own[::-1][:count], strict=True):
            (first, good), (_, bad) = tokens(model, better), tokens(model, worse)
            rows.append({"prompt_ids": first, "chosen_ids": good, "rejected_ids": bad})
    return rows


def thumbs(model: LanguageModel, log: Sequence[Episode]) -> list[Row]:
    """Every reply, and whether its rating is above the median."""
    middle = float(np.median([rating(each) for each in log]))
    rows = []
    for each in log:
        first, reply = tokens(model, each)
        rows.append({"prompt_ids": first, "completion_ids": reply, "label": rating(each) > middle})
    return rows


def tokens(model: LanguageModel, episode: Episode) -> tuple[list[int], list[int]]:
    """Prompt and reply as token ids."""
    (encoded,) = encode_episodes(model, [episode], rating)
    return list(encoded.prefix), encoded.action_tokens.tolist()
