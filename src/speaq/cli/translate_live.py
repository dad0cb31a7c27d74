"""speaq translate live: words are translated as they come, and what is written stays.

zh: 边输入边翻译，已写出的译文不再改动。
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, TextIO

import tyro

from speaq.apps.translate.live.simultaneous import LiveSettings
from speaq.cli.options import parse

ABOUT = (
    "Read words from standard input and print their translation as it becomes certain. The end of "
    "a sentence or of a line ends it.",
    "从标准输入读取词语，译文确定一词即输出一词。句末或行末结束一句。",
)


@dataclass(frozen=True)
class Live:
    """Options of `speaq translate live`."""

    model: Annotated[str, tyro.conf.Positional]
    """A folder that `speaq translate train` or `convert` left, or an encoder–decoder's."""
    source: str = ""
    """The language that is said; may be left out if the model knows one."""
    target: str = ""
    """The language wanted; likewise."""
    live: Annotated[LiveSettings, tyro.conf.arg(name="")] = field(default_factory=LiveSettings)
    """When to write."""
    log: Path | None = None
    """Write what was said, and when, as SimulEval's instances.log."""


def main(args: list[str]) -> None:
    """Run the action with its command line."""
    options = parse(Live, args, "translate live", ABOUT)
    import torch

    from speaq.apps.translate.live.latency import Instance, write_log
    from speaq.apps.translate.live.simultaneous import Session, follow
    from speaq.apps.translate.model.translator import Translator
    from speaq.apps.translate.texts.languages import UNSPACED, pair_of
    from speaq.apps.translate.translating import Direction
    from speaq.core.devices import threads

    torch.set_num_threads(threads())
    translator = Translator.open(options.model)
    source, target = pair_of(options.source, options.target, "", translator.pairs)
    direction = Direction(translator, source, target, options.live.beam)
    glue = "" if target in UNSPACED else " "
    made: list[Instance] = []
    for words in _sentences(sys.stdin, source in UNSPACED):
        session, delays = Session(options.live, source, target), list[float]()
        for new in follow(direction, session, words):
            delays += [float(len(session.read))] * len(new)
            print(glue.join(new), end=glue, flush=True)
        print(flush=True)
        if session.read:
            made.append(
                Instance(len(made), tuple(session.read), tuple(session.written), tuple(delays))
            )
    if options.log is not None:
        write_log(made, options.log, "char" if target in UNSPACED else "word")


def _sentences(stream: TextIO, unspaced: bool) -> Iterator[Iterator[str]]:
    """Sentences of words, each as it comes; a sentence must be read before the next."""
    waiting = [True]

    def words() -> Iterator[str]:
        word = ""
        while letter := stream.read(1):
            if letter.isspace() or (unspaced and word):
                if word:
                    yield word
                ended = letter == "\n" or word[-1:] in tuple(".!?。！？")
                word = letter if unspaced and not letter.isspace() else ""
                if ended and not word:
                    return
            else:
                word += letter
        waiting[0] = False
        if word:
            yield word

    while waiting[0]:
        yield words()
