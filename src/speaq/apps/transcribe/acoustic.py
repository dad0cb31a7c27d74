"""The acoustic model: cepstra in, scores of letters out.

Two convolutions, the second of which halves the frames, a bidirectional LSTM, one linear layer,
trained by connectionist temporal classification (Graves et al. 2006).
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from speaq.apps.transcribe.features import HOP, Cepstra, frames_of, mfcc
from speaq.apps.transcribe.spelling import Spelling
from speaq.core.errors import ModelError
from speaq.core.seeds import derive
from speaq.core.settings import require

BLANK = 0
"""The score of saying nothing new; units count from 1."""
FACTS = "acoustic.json"
WEIGHTS = "acoustic.safetensors"
STEP = 2 * HOP
"""Seconds from one row of scores to the next."""
MARGIN = 0.1
"""Seconds of near silence around every recording: the coefficients' means, which are taken off,
are of speech and silence, in a word that was cut out as in a sentence."""
_QUIET = 2e-3
"""Loudness of the margin against the recording's peak."""


@dataclass(frozen=True)
class AcousticSettings:
    """The size of the network."""

    rate: int = 16_000
    """Samples a second; 8000 for recordings of telephones."""
    coefficients: int = 24
    """Cepstral coefficients of 40 mel filters."""
    width: int = 128
    """Channels of the convolutions, and units of the LSTM each way."""
    layers: int = 1
    """Of the LSTM."""
    dropout: float = 0.1
    """Between the parts."""

    def __post_init__(self) -> None:
        rules = {
            "rate": (4000 <= self.rate <= 48_000, "4000 to 48000"),
            "coefficients": (1 <= self.coefficients <= 40, "1 to 40"),
            "width": (self.width >= 8, "≥ 8"),
            "layers": (self.layers >= 1, "≥ 1"),
            "dropout": (0 <= self.dropout < 1, "in [0, 1)"),
        }
        require("acoustic", self, rules)

    @property
    def cepstra(self) -> Cepstra:
        """What the network reads."""
        return Cepstra(self.rate, 40, self.coefficients)


class Acoustic(nn.Module):
    """The network.

    Args:
        settings: its size.
        spelling: the units it tells apart.
        seed: of the first weights.
    """

    def __init__(self, settings: AcousticSettings, spelling: Spelling, seed: int = 0) -> None:
        super().__init__()
        self.settings = settings
        self.spelling = spelling
        width = settings.width
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derive(seed, "acoustic"))
            self.first = nn.Conv1d(settings.coefficients, width, 5, padding=2)
            self.second = nn.Conv1d(width, width, 5, stride=2, padding=2)
            self.norms = nn.ModuleList([nn.LayerNorm(width), nn.LayerNorm(width)])
            self.memory = nn.LSTM(
                width, width, settings.layers, batch_first=True, bidirectional=True
            )
            self.scores = nn.Linear(2 * width, len(spelling.symbols) + 1)
        self.drop = nn.Dropout(settings.dropout)

    def forward(self, waves: Tensor, samples: Tensor) -> tuple[Tensor, Tensor]:
        """Log-probabilities (B, T, units + 1) of waves (B, N), and (B,) how many rows count."""
        cepstra = self.settings.cepstra
        frames = frames_of(samples, cepstra)
        inside = _inside(frames, int(frames.max()))
        found = _normalised(mfcc(waves, cepstra)[:, : inside.shape[1]], inside)
        # What is beyond a recording's end must be to the next layer what its own edge is: zeros.
        found = self.norms[0](nn.functional.gelu(self.first(found.mT).mT)) * inside
        found = self.drop(self.norms[1](nn.functional.gelu(self.second(found.mT).mT)))
        rows = (frames + 1) // 2
        packed = nn.utils.rnn.pack_padded_sequence(found, rows, True, enforce_sorted=False)
        found, _ = nn.utils.rnn.pad_packed_sequence(self.memory(packed)[0], True)
        return self.scores(self.drop(found)).log_softmax(-1), rows

    @torch.inference_mode()
    def heard(self, wave: Tensor) -> Tensor:
        """Log-probabilities (T, units + 1) of one wave (N,), a row every `STEP` seconds, the
        first of them `MARGIN` before its beginning."""
        self.eval()
        size = round(MARGIN * self.settings.rate)
        around = _QUIET * torch.randn(2, size, generator=torch.Generator().manual_seed(0))
        wave = torch.cat([around[0], wave / wave.abs().max().clamp(min=1e-6), around[1]])
        found, _ = self(wave[None], torch.tensor([len(wave)]))
        made: Tensor = found[0]
        return made

    def numbers(self, text: str) -> list[int]:
        """The scores' numbers of a text's units."""
        symbols = self.spelling.symbols
        return [symbols.index(symbol) + 1 for symbol in self.spelling.spell(text)]

    def write(self, folder: Path, facts: dict[str, Any]) -> None:
        """Put weights and facts into a folder."""
        record = {"settings": asdict(self.settings), **asdict(self.spelling), "facts": facts}
        text = json.dumps(record, ensure_ascii=False, indent=2)
        (folder / FACTS).write_text(text + "\n", encoding="utf-8")
        tensors = {name: each.contiguous() for name, each in self.state_dict().items()}
        save_file(tensors, folder / WEIGHTS)


def open_acoustic(folder: Path) -> tuple[Acoustic, dict[str, Any]]:
    """The network in a folder, and its facts.

    Raises:
        ModelError: the folder is damaged.
    """
    try:
        record = json.loads((folder / FACTS).read_text(encoding="utf-8"))
        spelling = Spelling(record["letters"], tuple(record["words"]))
        model = Acoustic(AcousticSettings(**record["settings"]), spelling)
        model.load_state_dict(load_file(folder / WEIGHTS))
        return model.eval(), dict(record["facts"])
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        raise ModelError(
            f"{folder} holds no whole acoustic model ({error}); train it again.",
            f"{folder} 中没有完整的声学模型（{error}）；请重新训练。",
        ) from error


def _inside(frames: Tensor, longest: int) -> Tensor:
    """(B, T, 1) 1 where a frame belongs to its recording, else 0."""
    return (torch.arange(longest) < frames[:, None])[..., None].float()


def _normalised(cepstra: Tensor, inside: Tensor) -> Tensor:
    """Mean 0 and deviation 1 of each coefficient over a recording, so that a microphone's colour
    and loudness do not matter: (B, T, C), padding becomes 0."""
    total = inside.sum(1, keepdim=True)
    mean = (cepstra * inside).sum(1, keepdim=True) / total
    spread = (((cepstra - mean) * inside).square().sum(1, keepdim=True) / total).sqrt()
    made: Tensor = (cepstra - mean) / (spread + 1e-2) * inside
    return made
