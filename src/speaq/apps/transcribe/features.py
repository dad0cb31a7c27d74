"""From a waveform to mel-frequency cepstral coefficients (Davis and Mermelstein 1980).

    pre-emphasis -> frames of 25 ms every 10 ms -> Hamming window -> power spectrum
    -> triangles on the mel scale -> logarithm -> discrete cosine transform

as in HTK: m = 2595 lg(1 + f/700), orthonormal DCT-II. The pictures of `--look` show the steps.
"""

import math
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

WINDOW, HOP = 0.025, 0.010
"""Seconds of a frame, and from one to the next."""
_EMPHASIS = 0.97
_FLOOR = 1e-8
"""Below it energy is called silence, so that digital zeros have a logarithm."""


@dataclass(frozen=True)
class Cepstra:
    """How many coefficients of which filters."""

    rate: int = 16_000
    """Samples a second."""
    filters: int = 40
    coefficients: int = 20

    @property
    def hop(self) -> int:
        """Samples from one frame to the next."""
        return round(HOP * self.rate)

    @property
    def window(self) -> int:
        """Samples of a frame."""
        return round(WINDOW * self.rate)

    @property
    def points(self) -> int:
        """Of the Fourier transform: the next power of two."""
        return 1 << (self.window - 1).bit_length()


def frames_of(samples: Tensor, cepstra: Cepstra) -> Tensor:
    """How many frames each of some lengths in samples has; at least one."""
    return 1 + (samples - cepstra.window).clamp(min=0) // cepstra.hop


def log_mel(waves: Tensor, cepstra: Cepstra) -> Tensor:
    """Log energies of the mel filters: waves (B, N) -> (B, T, filters)."""
    if waves.shape[1] < cepstra.window:
        waves = torch.nn.functional.pad(waves, (0, cepstra.window - waves.shape[1]))
    louder = torch.cat([waves[:, :1], waves[:, 1:] - _EMPHASIS * waves[:, :-1]], 1)
    frames = louder.unfold(1, cepstra.window, cepstra.hop)
    frames = frames * torch.hamming_window(cepstra.window, periodic=False)
    power = torch.fft.rfft(frames, cepstra.points).abs().square() / cepstra.points
    made: Tensor = (power @ mel_filters(cepstra)).clamp(min=_FLOOR).log()
    return made


def mfcc(waves: Tensor, cepstra: Cepstra) -> Tensor:
    """Cepstral coefficients: waves (B, N) -> (B, T, coefficients)."""
    return log_mel(waves, cepstra) @ cosines(cepstra)


@cache
def mel_filters(cepstra: Cepstra) -> Tensor:
    """Triangles between neighbouring centres, evenly spaced in mel: (points/2 + 1, filters)."""
    top = 2595 * math.log10(1 + cepstra.rate / 2 / 700)
    mels = torch.linspace(0, top, cepstra.filters + 2, dtype=torch.float64)
    edges = 700 * (10 ** (mels / 2595) - 1)
    bins = torch.arange(cepstra.points // 2 + 1, dtype=torch.float64)[:, None]
    hertz = bins * cepstra.rate / cepstra.points
    rising = (hertz - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - hertz) / (edges[2:] - edges[1:-1])
    return torch.minimum(rising, falling).clamp(min=0).float()


@cache
def cosines(cepstra: Cepstra) -> Tensor:
    """The orthonormal DCT-II, its first rows: (filters, coefficients)."""
    places = (torch.arange(cepstra.filters, dtype=torch.float64) + 0.5)[:, None]
    waves = torch.arange(cepstra.coefficients, dtype=torch.float64)
    table = torch.cos(math.pi / cepstra.filters * places * waves)
    scale = torch.full_like(waves, math.sqrt(2 / cepstra.filters))
    scale[0] = math.sqrt(1 / cepstra.filters)
    return (table * scale).float()
