"""speaq translate text: a text in, its translation out.

zh: 输入文本，输出译文。
"""

import json
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from speaq.cli.inputs import tell
from speaq.cli.options import parse
from speaq.core.errors import SettingsError

if TYPE_CHECKING:
    from speaq.apps.application import Answer
    from speaq.apps.translate.application import Translate, TranslateRequest

ABOUT = (
    "Translate a text, or what comes on standard input. What is lost or doubtful is said on "
    "standard error.",
    "翻译文本或标准输入。丢失或可疑之处在标准错误中给出。",
)


@dataclass(frozen=True)
class Asking:
    """Options of every action that translates."""

    source: str = "auto"
    """The language of the text; auto: found out."""
    target: str = ""
    """The language wanted, such as en or zh-Hant; may be left out if there is one."""
    glossary: tuple[Path, ...] = ()
    """Terms and their translations: TSV, CSV or TMX, beside the model's own."""
    keep: tuple[str, ...] = ()
    """Terms that are not translated."""
    memory: Path | None = None
    """A translation memory, see `speaq translate memory`; unset: the model's own."""
    beam: int = 4
    """Hypotheses kept at each step."""
    store: str = ""
    """Keep the answers in this experience store; without, they are not kept."""


@dataclass(frozen=True)
class TranslateText:
    """Options of `speaq translate text`."""

    model: Annotated[str, tyro.conf.Positional]
    """A folder that `speaq translate train` or `convert` left, or an encoder–decoder's."""
    text: Annotated[tuple[str, ...], tyro.conf.Positional] = ()
    """Words; without any, standard input."""
    format: Literal["text", "html"] = "text"
    """What the text is."""
    alternatives: int = 0
    """Other translations to print as well, a line each."""
    details: bool = False
    """Print all that is known, as JSON."""
    asking: Annotated[Asking, tyro.conf.arg(name="")] = field(default_factory=Asking)
    """From what into what, and by which rules."""


def main(args: list[str]) -> None:
    """Run the action with its command line."""
    options = parse(TranslateText, args, "translate text", ABOUT)
    from speaq.apps.application import answered

    text = " ".join(options.text) if options.text else sys.stdin.read()
    application = opened(options.model, options.asking)
    request = replace(
        asked(options.asking, text or "\n"),
        format=options.format,
        alternatives=options.alternatives,
    )
    answer = answered(application, request)
    keep_answers(options.asking.store, [answer])
    if options.details:
        print(json.dumps({"text": answer.text, **answer.details}, ensure_ascii=False, indent=2))
        return
    print(answer.text, end="" if answer.text.endswith("\n") else "\n")
    for other in answer.details["alternatives"]:
        print(other)
    for warning in answer.details["warnings"]:
        tell(warning["en"], warning["zh"])


def opened(model: str, asking: Asking) -> "Translate":
    """The application with the glossaries and the memory that were named.

    Raises:
        SettingsError: there is no such memory.
    """
    import torch

    from speaq.apps.translate.application import Translate
    from speaq.apps.translate.wording.glossary import read_glossary
    from speaq.apps.translate.wording.memory import TranslationMemory
    from speaq.core.devices import threads

    torch.set_num_threads(threads())
    application = Translate.open(model)
    for path in asking.glossary:
        application.glossary += read_glossary(path)
    if asking.memory is not None:
        if not asking.memory.is_file():
            raise SettingsError(
                f"there is no translation memory {asking.memory}; make one with `speaq translate "
                "memory`.",
                f"没有翻译记忆 {asking.memory}；请用 speaq translate memory 创建。",
            )
        application.memory = TranslationMemory(asking.memory)
    return application


def asked(asking: Asking, text: str) -> "TranslateRequest":
    """A request by the options."""
    from speaq.apps.translate.application import TranslateRequest

    return TranslateRequest(text, asking.source, asking.target, keep=asking.keep, beam=asking.beam)


def keep_answers(store: str, answers: "Iterable[Answer]") -> None:
    """Keep answers in an experience store, if one is named."""
    if not store:
        return
    from speaq.experience.store import ExperienceStore

    with ExperienceStore(store) as kept:
        kept.append(*(answer.episode for answer in answers))
