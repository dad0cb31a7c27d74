"""speaq transcribe train: an acoustic model and n-grams from your own recordings.

zh: 用自己的录音训练声学模型与 n 元模型。
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from speaq.apps.transcribe.acoustic import AcousticSettings
from speaq.apps.transcribe.recordings import read_recordings
from speaq.apps.transcribe.training import HearingSettings, default_loop, train_acoustic
from speaq.cli.inputs import read_prompts
from speaq.cli.options import parse
from speaq.core.language import say
from speaq.training.loop import LoopSettings

ABOUT = (
    "Train an acoustic model and n-grams on your own recordings: a CSV with the columns "
    "path,text, a Kaldi folder, or files named as in the Free Spoken Digit Dataset. The same "
    "command on the same folder continues an interrupted run.",
    "用自己的录音训练声学模型与 n 元模型：含 path,text 两列的 CSV、Kaldi 目录，"
    "或按 FSDD 命名的文件。对同一目录再次运行同一命令即可继续中断的运行。",
)


@dataclass(frozen=True)
class Train:
    """Options of `speaq transcribe train`."""

    data: Annotated[Path, tyro.conf.Positional]
    """A CSV with the columns path,text, a Kaldi folder (wav.scp, text), or a folder of files like
    7_jackson_12.wav."""
    folder: Path = Path("runs/transcribe")
    """The run folder; the model goes to model in it."""
    texts: Path | None = None
    """What people say, for the n-grams: a .txt with one text a line; unset: the recordings'."""
    seed: int = 0
    """Of everything random."""
    acoustic: AcousticSettings = field(default_factory=AcousticSettings)
    """The size of the network."""
    hearing: HearingSettings = field(default_factory=HearingSettings)
    """How recordings are varied."""
    loop: LoopSettings = field(default_factory=default_loop)
    """How long and how fast to train."""


def train(args: list[str]) -> None:
    """Run the action with its command line."""
    import torch

    from speaq.core.devices import threads

    options = parse(Train, args, "transcribe train", ABOUT)
    torch.set_num_threads(threads())
    made = train_acoustic(
        read_recordings(options.data),
        options.folder,
        acoustic=options.acoustic,
        hearing=options.hearing,
        loop=options.loop,
        texts=() if options.texts is None else read_prompts(options.texts, "text"),
        seed=options.seed,
    )
    print(
        say(
            f"The model is in {made.folder}, curves in {options.folder / 'plots'}.",
            f"模型在 {made.folder}，曲线在 {options.folder / 'plots'}。",
        )
    )
