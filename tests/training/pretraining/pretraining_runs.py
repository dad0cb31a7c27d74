"""What the tests of pretraining share."""

import json

from speaq.training.pretraining.settings import PaceSettings

PACE = PaceSettings(
    steps=12, batch_size=4, warmup=3, validate_every=4, checkpoint_every=4, log_every=3
)


class StoppedError(Exception):
    """Stands for a kill."""


def metrics(folder):
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def bits(folder):
    [last] = sorted((folder / "checkpoints").glob("step-*"))
    files = (last / "state.safetensors", folder / "model" / "model.safetensors")
    return [last.name, *(file.read_bytes() for file in (*files, folder / "metrics.jsonl"))]
