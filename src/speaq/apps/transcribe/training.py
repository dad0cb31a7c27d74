"""Training the acoustic model on recordings; a run that was killed and continued is the same run.

Recordings are joined at random with pauses, sped up or slowed down, and laid under noise, so that
a few hundred single words teach whole sentences of them. All draws belong to the step.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from speaq.apps.transcribe.acoustic import BLANK, MARGIN, Acoustic, AcousticSettings
from speaq.apps.transcribe.audio import read_audio
from speaq.apps.transcribe.ngrams import NGrams, counted
from speaq.apps.transcribe.recordings import Recording, plain
from speaq.apps.transcribe.spelling import Units, spelling_of
from speaq.core.errors import DataError
from speaq.core.files import digest, replacing_folder
from speaq.core.progress import track
from speaq.core.runs import RunFolder
from speaq.core.settings import require
from speaq.training.curves import plot_curves
from speaq.training.loop import LoopSettings, train

_LOUD = 32767.0


@dataclass(frozen=True)
class HearingSettings:
    """How recordings are varied, and what the n-grams are counted from."""

    joined: int = 3
    """At most so many recordings in a row are heard as one; 1: each by itself."""
    pause: float = 0.2
    """Longest silence in seconds between them, and beyond the margin before and after."""
    speed: float = 0.1
    """Faster or slower by up to this share."""
    noise: float = 0.01
    """Loudest noise laid over, relative to the sound's own peak."""
    order: int = 6
    """Letters the n-grams look at; of words, a third as many."""
    units: Units = "letters"
    """What is told apart; words where only some dozens are ever said, auto: where few are."""

    def __post_init__(self) -> None:
        rules = {
            "joined": (self.joined >= 1, "≥ 1"),
            "pause": (0 <= self.pause <= 5, "0 to 5"),
            "speed": (0 <= self.speed < 0.5, "in [0, 0.5)"),
            "noise": (0 <= self.noise <= 1, "in [0, 1]"),
            "units": (self.units in ("auto", "letters", "words"), "auto, letters or words"),
            "order": (1 <= self.order <= 20, "1 to 20"),
        }
        require("hearing", self, rules)


def default_loop() -> LoopSettings:
    """What suits some thousands of short recordings on a CPU."""
    return LoopSettings(
        steps=800,
        batch_size=32,
        lr=3e-3,
        weight_decay=1e-2,
        beta2=0.99,
        warmup=50,
        schedule="cosine",
        checkpoint_every=200,
        log_every=20,
    )


@dataclass
class Hearing:
    """The task of the training loop: the CTC loss of joined recordings."""

    model: Acoustic
    waves: Sequence[NDArray[np.int16]]
    texts: Sequence[Sequence[int]]
    """The units' numbers of each recording."""
    settings: HearingSettings
    _between: list[int] = field(init=False)

    def __post_init__(self) -> None:
        self._between = self.model.numbers(self.model.spelling.between)

    def modules(self) -> Mapping[str, nn.Module]:
        """See `Task`."""
        return {"acoustic": self.model}

    def parameters(self) -> Mapping[str, Sequence[nn.Parameter]]:
        """See `Task`."""
        return {"trunk": list(self.model.parameters())}

    def loss(
        self, indices: Sequence[int], weights: Tensor | None = None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """See `Task`: nats of each recording, divided by its units."""
        self.model.train()
        drawn = [self._joined(index) for index in indices]
        waves = nn.utils.rnn.pad_sequence([wave for wave, _ in drawn], batch_first=True)
        samples = torch.tensor([len(wave) for wave, _ in drawn])
        letters = torch.tensor([letter for _, text in drawn for letter in text])
        lengths = torch.tensor([len(text) for _, text in drawn])
        scores, rows = self.model(waves, samples)
        found = nn.functional.ctc_loss(
            scores.transpose(0, 1), letters, rows, lengths, BLANK, "none", zero_infinity=True
        )
        return (found / lengths).mean(), {}

    def after_step(self, step: int) -> None:
        """Nothing follows the weights."""

    def _joined(self, first: int) -> tuple[Tensor, list[int]]:
        """A recording, perhaps others after it, with pauses; and the units of all."""
        count = int(torch.randint(1, self.settings.joined + 1, ()))
        others = torch.randint(len(self.waves), (count - 1,)).tolist()
        parts, text = [self._pause(MARGIN)], list[int]()
        for index in (first, *others):
            parts += [_at_speed(self._wave(index), self._pace()), self._pause()]
            text += [*(self._between if text else ()), *self.texts[index]]
        whole = torch.cat([*parts, self._pause(MARGIN)])
        level = float(torch.rand(())) ** 2 * self.settings.noise
        return whole + level * torch.randn(len(whole)), text

    def _wave(self, index: int) -> Tensor:
        wave = torch.from_numpy(self.waves[index]).float()
        return wave / wave.abs().max().clamp(min=1)

    def _pause(self, least: float = 0.0) -> Tensor:
        seconds = least + float(torch.rand(())) * self.settings.pause
        quiet = 10 ** -float(2 + 2 * torch.rand(()))
        return quiet * torch.randn(int(seconds * self.model.settings.rate))

    def _pace(self) -> float:
        return 1 + self.settings.speed * float(2 * torch.rand(()) - 1)


def _at_speed(wave: Tensor, pace: float) -> Tensor:
    """A wave (N,) played faster: linear interpolation, which suffices within a tenth."""
    if pace == 1 or len(wave) < 2:
        return wave
    size = max(2, round(len(wave) / pace))
    made: Tensor = nn.functional.interpolate(
        wave[None, None], size, mode="linear", align_corners=True
    )[0, 0]
    return made


@dataclass(frozen=True)
class Trained:
    """What came of a training."""

    model: Acoustic
    ngrams: NGrams
    folder: Path
    """The model folder, inside the run folder."""


def train_acoustic(
    recordings: Sequence[Recording],
    folder: Path,
    *,
    acoustic: AcousticSettings | None = None,
    hearing: HearingSettings | None = None,
    loop: LoopSettings | None = None,
    texts: Sequence[str] = (),
    seed: int = 0,
) -> Trained:
    """Train a network and count n-grams; the same call on the same folder continues.

    Args:
        recordings: to learn from.
        folder: the run folder; the model is left in `model` in it.
        acoustic: the network's size.
        hearing: how recordings are varied.
        loop: how long and how fast.
        texts: what else people say, for the n-grams; without any, the recordings' own texts.
        seed: of everything random.

    Raises:
        DataError: a recording cannot be read, or is too short for its text.
        SettingsError: the folder holds another run.
    """
    acoustic, hearing = acoustic or AcousticSettings(), hearing or HearingSettings()
    loop = loop or default_loop()
    said = [plain(text) for text in texts] or [each.text for each in recordings]
    spelling = spelling_of([each.text for each in recordings], hearing.units)
    waves = [_heard(each, acoustic) for each in track(recordings, "reading", len(recordings))]
    facts = {
        "recordings": len(recordings),
        "seconds": round(sum(map(len, waves)) / acoustic.rate, 1),
        "data": digest(*(each.tobytes() for each in waves), *(each.text for each in recordings)),
        "acoustic": asdict(acoustic),
        "hearing": asdict(hearing),
        "loop": asdict(loop),
        "texts": digest(*said),
        "seed": seed,
    }
    run = RunFolder(folder, facts)
    model = Acoustic(acoustic, spelling, seed)
    task = Hearing(model, waves, [model.numbers(each.text) for each in recordings], hearing)
    train(task, len(recordings), loop, run, seed)
    plot_curves(run)
    order = -(-hearing.order // 3) if spelling.words else hearing.order
    ngrams = counted([spelling.spell(each) for each in said], order)
    return Trained(model.eval(), ngrams, _kept(model, ngrams, run, facts))


def _heard(recording: Recording, acoustic: AcousticSettings) -> NDArray[np.int16]:
    wave = read_audio(recording.path, acoustic.rate)
    rows = len(wave) / (2 * acoustic.cepstra.hop)
    if rows < len(recording.text) / 2:
        seconds = len(wave) / acoustic.rate
        raise DataError(
            f"{seconds:.2f} seconds are too short for the text '{recording.text}'.",
            f"{seconds:.2f} 秒的录音容不下文本“{recording.text}”。",
            file=recording.path,
        )
    return (wave.clip(-1, 1) * _LOUD).astype(np.int16)


def _kept(model: Acoustic, ngrams: NGrams, run: RunFolder, facts: dict[str, Any]) -> Path:
    place = run.path / "model"
    with replacing_folder(place) as temporary:
        model.write(temporary, facts)
        ngrams.write(temporary)
    return place
