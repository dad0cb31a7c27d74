"""The chain as pictures: waveform, cepstra, what the acoustic model thinks, what was heard."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from speaq.apps.fonts import families, shown
from speaq.apps.transcribe.acoustic import MARGIN, STEP, Acoustic
from speaq.apps.transcribe.audio import RATE, Samples, resampled
from speaq.apps.transcribe.engines import Engine
from speaq.apps.transcribe.features import HOP, Cepstra, log_mel, mfcc
from speaq.apps.transcribe.segments import Segment
from speaq.core.files import replacing_file

MOST_SECONDS = 20
"""Longer recordings are shown from their beginning."""


def draw_chain(
    samples: Samples,
    rate: int,
    segments: list[Segment],
    file: Path,
    acoustic: Acoustic | None = None,
) -> None:
    """Write a PNG: a row for each link of the chain, one axis of time.

    Args:
        samples: at `rate`.
        rate: samples a second.
        segments: what was heard.
        file: to write.
        acoustic: whose scores of units are shown; other engines show none.

    Raises:
        StorageError: the file cannot be written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    begin = samples[: MOST_SECONDS * rate]
    seconds = len(begin) / rate
    cepstra = Cepstra(rate)
    wave = torch.from_numpy(begin)[None]
    tables: list[tuple[str, NDArray[np.float32], float, list[str]]] = [
        ("log mel", log_mel(wave, cepstra)[0].numpy(), HOP, []),
        ("MFCC", mfcc(wave, cepstra)[0, :, 1:].numpy(), HOP, []),
    ]
    if acoustic is not None:
        scores = acoustic.heard(wave[0]).exp().numpy()[round(MARGIN / STEP) :]
        tables.append(("units", scores, STEP, _labels(acoustic)))
    figure = Figure(figsize=(12, 2.2 * (len(tables) + 1)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(len(tables) + 1, 1, sharex=True)
    axes[0].plot(np.arange(len(begin)) / rate, begin, color="#1f5fa8", linewidth=0.5)
    axes[0].set_ylabel("waveform")
    for each in (word for segment in segments for word in segment.words or (segment,)):
        if each.start < seconds:
            axes[0].axvline(each.start, color="#c0392b", linewidth=0.6)
            axes[0].text(
                each.start,
                axes[0].get_ylim()[1],
                shown(each.text),
                fontsize=8,
                va="bottom",
                family=families(),
            )
    for axis, (name, table, step, labels) in zip(axes[1:], tables, strict=True):
        edges = (0, len(table) * step, -0.5, table.shape[1] - 0.5)
        axis.imshow(table.T, aspect="auto", origin="lower", extent=edges, cmap="magma")
        axis.set_ylabel(name)
        if labels and len(labels) <= 40:
            names = [shown(label) for label in labels]
            axis.set_yticks(range(len(names)), names, fontsize=6, family=families())
    axes[-1].set_xlabel("s")
    with replacing_file(file) as temporary:
        figure.savefig(temporary, dpi=110, format="png")


def draw_answer(engine: Engine, samples: Samples, segments: list[Segment], file: Path) -> None:
    """`draw_chain` for what an engine heard in samples at `RATE`; the engine that was trained here
    shows its scores, too."""
    from speaq.apps.transcribe.own import Own

    if isinstance(engine, Own):
        heard = resampled(samples, engine.rate)
        draw_chain(heard, engine.rate, segments, file, engine.acoustic)
    else:
        draw_chain(samples, RATE, segments, file)


def _labels(acoustic: Acoustic) -> list[str]:
    spelling = acoustic.spelling
    return ["·", *(spelling.words or spelling.letters.replace(" ", "␣"))]
