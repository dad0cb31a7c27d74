"""How well does an acoustic model that was trained here hear digits, alone and in strings?

    python benchmarks/digits.py --split official --seeds 0 --json benchmarks/results/digits.json
    python benchmarks/digits.py --split speaker --json FILE

`official`: recordings 0 to 4 of each speaker and digit are the test, as the Free Spoken Digit
Dataset says; `speaker`: each speaker is heard by a model that never heard them. A network of
letters is trained for `--steps` steps, its n-grams are counted on random strings of digits. Rows:
`accuracy` is the share of recordings, or of strings, that are heard without any mistake, `wer` the
word error rate, `seconds` the CPU time of training (one thread). `strings` are 3 to 7 test
recordings of one speaker in a row with random pauses; `best path` asks neither n-grams nor beam.
"""

import tarfile
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import report
import torch
from numpy.typing import NDArray

from speaq.apps.transcribe.acoustic import Acoustic, AcousticSettings
from speaq.apps.transcribe.audio import read_audio
from speaq.apps.transcribe.beam import BeamSettings, beam_search, best_path
from speaq.apps.transcribe.recordings import DIGITS, Recording, read_recordings
from speaq.apps.transcribe.scoring import Errors, total, word_errors
from speaq.apps.transcribe.training import Trained, default_loop, train_acoustic
from speaq.core.seeds import generator

DATA = Path("../shared/data/fsdd/recordings.tar.gz")
RATE = 8000
BEAM = BeamSettings(width=16, weight=1.0, bonus=0.5)
STRINGS = 200
Wave = NDArray[np.float32]
Said = tuple[Wave, str]


def main() -> None:
    options = report.parser(__doc__)
    options.add_argument("--data", type=Path, default=DATA)
    options.add_argument("--split", choices=["official", "speaker"], default="official")
    options.add_argument("--steps", type=int, default=900)
    arguments = options.parse_args()
    torch.set_num_threads(1)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(arguments.data) as packed:
            packed.extractall(folder, filter="data")
        recordings = read_recordings(next(Path(folder).rglob("*.wav")).parent)
        for seed in arguments.seeds:
            for name, known, unknown in splits(recordings, arguments.split):
                run = Path(folder) / f"{name}-{seed}"
                rows += heard(seed, name, known, unknown, run, arguments.steps)
    report.write(arguments, rows)


def splits(
    recordings: Sequence[Recording], kind: str
) -> list[tuple[str, list[Recording], list[Recording]]]:
    """Name, what is learnt from, what is heard."""
    if kind == "official":
        known = [each for each in recordings if each.number > 4]
        return [("official", known, [each for each in recordings if each.number <= 4])]
    return [
        (
            f"without {speaker}",
            [each for each in recordings if each.speaker != speaker],
            [each for each in recordings if each.speaker == speaker],
        )
        for speaker in sorted({each.speaker for each in recordings})
    ]


def heard(
    seed: int, name: str, known: list[Recording], unknown: list[Recording], run: Path, steps: int
) -> list[dict[str, Any]]:
    begun = time.process_time()
    stream = generator(seed, "strings")
    texts = [
        " ".join(DIGITS[digit] for digit in stream.integers(0, 10, stream.integers(1, 8)))
        for _ in range(1000)
    ]
    made = train_acoustic(
        known,
        run,
        acoustic=AcousticSettings(rate=RATE, width=64),
        loop=replace(default_loop(), steps=steps, batch_size=24, lr=5e-3, checkpoint_every=steps),
        texts=texts,
        seed=seed,
    )
    seconds = time.process_time() - begun
    alone = [(read_audio(each.path, RATE), each.text) for each in unknown]
    rows = []
    for kind, said in (("digits", alone), ("strings", strings(unknown, alone, seed))):
        for way in ("best path", "beam and n-grams"):
            errors = [word_errors(text, text_of(made, wave, way)) for wave, text in said]
            rows.append(row(seed, f"{name}, {kind}, {way}", errors, seconds))
    return rows


def strings(recordings: Sequence[Recording], alone: Sequence[Said], seed: int) -> list[Said]:
    """Recordings of one speaker in a row, with pauses of up to 0.2 seconds."""
    stream = generator(seed, "joined")
    speakers = sorted({each.speaker for each in recordings})
    made = []
    for number in range(STRINGS):
        speaker = speakers[number % len(speakers)]
        own = [
            said for each, said in zip(recordings, alone, strict=True) if each.speaker == speaker
        ]
        parts, words = [], []
        for place in stream.integers(0, len(own), stream.integers(3, 8)):
            wave, text = own[place]
            quiet = stream.standard_normal(int(stream.uniform(0, 0.2) * RATE)) * 1e-3
            parts += [wave / np.abs(wave).max(), quiet.astype(np.float32)]
            words.append(text)
        made.append((np.concatenate(parts), " ".join(words)))
    return made


def text_of(made: Trained, wave: Wave, way: str) -> str:
    model: Acoustic = made.model
    scores = model.heard(torch.from_numpy(wave)).numpy()
    symbols = model.spelling.symbols
    if way == "best path":
        return model.spelling.read(best_path(scores, symbols).text)
    return model.spelling.read(beam_search(scores, symbols, BEAM, made.ngrams)[0].text)


def row(seed: int, method: str, errors: Sequence[Errors], seconds: float) -> dict[str, Any]:
    right = [not (each.substituted or each.deleted or each.inserted) for each in errors]
    return {
        "seed": seed,
        "method": method,
        "accuracy": float(np.mean(right)),
        "wer": total(errors).rate,
        "seconds": seconds,
    }


if __name__ == "__main__":
    main()
