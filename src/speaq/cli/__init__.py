"""The command line: `speaq VERB ...`. One file per verb, without logic of its own.

Verbs are entry points of `speaq.verbs`: a module whose docstring begins with one line about it
(and may hold a line `zh: ...` that says the same), and in it a function of the remaining words.
The list of verbs is read from the sources: asking for help imports no verb and no heavy library.

Exit codes: 0 done; 2 one sentence said why not; 130 interrupted.
"""

import ast
import os
import re
import sys
from collections.abc import Sequence
from importlib.machinery import PathFinder
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path

from speaq import __version__
from speaq.core import registry
from speaq.core.errors import SpeaqError
from speaq.core.language import language, say

_ORDER = (
    "demo",
    "import",
    "data",
    "tokenize",
    "embed",
    "pretrain",
    "fine-tune",
    "floor",
    "generate",
    "learn",
    "learn-labels",
    "play",
    "tune",
    "evaluate",
    "diagnose",
    "fold",
    "promote",
    "write",
    "translate",
    "answer",
    "understand",
    "transcribe",
    "forecast",
    "serve",
    "doctor",
)

_NAMED = re.compile(r"^speaq [\w -]+: ")


def main(args: Sequence[str] | None = None) -> int:
    """Run `speaq` with a command line, without its first word; return the exit code."""
    words = list(sys.argv[1:] if args is None else args)
    try:
        if not words or words[0] in ("-h", "--help", "help"):
            print(overview())
        elif words[0] in ("-V", "--version"):
            print(f"speaq {__version__}")
        else:
            run(words[0], words[1:])
        sys.stdout.flush()
    except SpeaqError as error:
        return _refuse(error)
    except KeyboardInterrupt:
        sentence = say(
            "Interrupted; the same command continues where this one stopped.",
            "已中断；再次运行同一命令即可从中断处继续。",
        )
        print(f"\n{sentence}", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # The reader, such as `head`, has seen enough. Python would complain when it exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return 0


def run(verb: str, args: list[str]) -> None:
    """Run one verb.

    Raises:
        SettingsError: no such verb; suggests the nearest.
        SpeaqError: what the verb raises.
    """
    point = registry.find("verbs", verb)
    # Threads that wait by spinning cost everything when another process wants the core: with one
    # of two cores taken, sampling was measured six times slower. Read when torch is loaded.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("GOMP_SPINCOUNT", "0")
    # A reward written as module:function is looked for here too, after everything installed.
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.append(here)
    point.load()(args)


def _refuse(error: Exception) -> int:
    if os.environ.get("SPEAQ_DEBUG") == "1":
        raise error
    print(f"speaq: {error}", file=sys.stderr)
    return 2


def overview() -> str:
    """What `speaq --help` prints: every verb with one line, in the person's language."""
    points = sorted(entry_points(group="speaq.verbs"), key=_place)
    width = max(len(point.name) for point in points)
    lines = [
        say(
            "speaq: language models that learn what to say from what people made of it",
            "speaq：从人们的反馈中学会该说什么的语言模型",
        ),
        "",
        say("usage: speaq VERB ...", "用法：speaq 命令 ..."),
        "",
        *(f"  {point.name:<{width}}  {about(point)}" for point in points),
        "",
        say(
            "speaq VERB --help lists a verb's options; speaq --version names the version.",
            "speaq 命令 --help 列出该命令的选项；speaq --version 显示版本。",
        ),
    ]
    return "\n".join(lines)


def _place(point: EntryPoint) -> tuple[int, str]:
    """The order of the loop; verbs of other packages follow by name."""
    return (_ORDER.index(point.name) if point.name in _ORDER else len(_ORDER), point.name)


def about(point: EntryPoint) -> str:
    """The line of a verb's docstring in the person's language, read without importing it."""
    source = _source(point.module)
    text = ast.get_docstring(ast.parse(source)) if source else None
    lines = (text or "").splitlines()
    chinese = [line.removeprefix("zh:") for line in lines if line.startswith("zh:")]
    first = chinese[:1] if chinese and language() == "zh" else lines[:1]
    return _NAMED.sub("", "".join(first)).strip()


def _source(module: str) -> str:
    """The source of a module, found without importing it or its parents; empty if there is none."""
    top, *rest = module.split(".")
    spec = find_spec(top)
    name = top
    for part in rest:
        name = f"{name}.{part}"
        within = spec.submodule_search_locations if spec is not None else None
        spec = PathFinder.find_spec(name, within) if within is not None else None
    if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
        return ""
    return Path(spec.origin).read_text(encoding="utf-8")
