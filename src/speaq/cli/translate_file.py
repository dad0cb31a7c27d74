"""speaq translate file: whole files, whose form, tags and times stay.

zh: 翻译整个文件，保留结构、标签与时间。
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from speaq.cli.options import parse
from speaq.cli.translate_text import Asking, asked, keep_answers, opened
from speaq.core.errors import DataError, SettingsError
from speaq.core.language import say
from speaq.core.places import require_file

if TYPE_CHECKING:
    from speaq.apps.translate.application import Translate

ABOUT = (
    "Translate files: txt, md, srt, vtt, html, tsv, csv, docx, po. A translation goes beside its "
    "file, with the language in its name, or to --out.",
    "翻译文件：txt、md、srt、vtt、html、tsv、csv、docx、po。译文写在原文件旁（文件名含语言代码），"
    "或写到 --out。",
)


@dataclass(frozen=True)
class TranslateFile:
    """Options of `speaq translate file`."""

    model: Annotated[str, tyro.conf.Positional]
    """A folder that `speaq translate train` or `convert` left, or an encoder–decoder's."""
    files: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """What to translate."""
    out: Path | None = None
    """A file, or a folder."""
    asking: Annotated[Asking, tyro.conf.arg(name="")] = field(default_factory=Asking)
    """From what into what, and by which rules."""


def main(args: list[str]) -> None:
    """Run the action with its command line."""
    options = parse(TranslateFile, args, "translate file", ABOUT)
    from speaq.apps.translate.files.documents import translate_file

    if options.out is not None and len(options.files) > 1 and not options.out.is_dir():
        raise SettingsError(
            "--out: several files are translated, so name a folder that is there.",
            "--out：要翻译多个文件，请指定已存在的目录。",
        )
    application = opened(options.model, options.asking)
    for path in options.files:
        out = _place(path, options, application)
        document = translate_file(path, out, lambda texts: _translated(application, texts, options))
        print(
            say(
                f"{path}: {len(document.texts)} texts, written to {out}.",
                f"{path}：{len(document.texts)} 段文本，已写入 {out}。",
            )
        )


def _place(path: Path, options: TranslateFile, application: "Translate") -> Path:
    code = options.asking.target or application.pair(asked(options.asking, "x"))[1]
    require_file(path)
    named = path.with_name(f"{path.stem}.{code}{path.suffix}")
    out = options.out or named
    out = out / named.name if out.is_dir() else out
    if out.resolve() == path.resolve():
        raise DataError(
            "this file is being read; name another with --out.",
            "该文件正在被读取；请用 --out 指定其他文件。",
            file=path,
        )
    return out


def _translated(
    application: "Translate", texts: Sequence[str], options: TranslateFile
) -> Sequence[str]:
    """Translations; with a store each text is an answer of its own that can be judged."""
    from speaq.apps.application import answered

    request = asked(options.asking, "\n".join(texts) or "\n")
    if not options.asking.store:
        return application.texts(texts, request)
    request = replace(request, source=application.pair(request)[0])
    answers = [answered(application, replace(request, text=text)) for text in texts]
    keep_answers(options.asking.store, answers)
    return [answer.text for answer in answers]
