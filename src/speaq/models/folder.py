"""The model folder: what stock `transformers` loads, with speaq's facts beside it.

folder/
├── config.json, *.safetensors, tokenizer files      the model, ordinary
├── target/                  a second tokenizer, if another vocabulary is written than is read
├── speaq.json               origin, history, facts: metrics, gate report, privacy spent
├── value_head.safetensors   the value head alone, if there is one
└── README.md                the model card, written from the facts
"""

import json
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from speaq.core.errors import ModelError, StorageError
from speaq.core.files import replacing_file, replacing_folder
from speaq.governance.safe_files import require_safe
from speaq.models.card import card
from speaq.models.fingerprint import fingerprint
from speaq.models.head import HeadSettings
from speaq.models.language_model import LanguageModel, Origin
from speaq.models.packages import quiet_transformers
from speaq.models.two_vocabularies import open_tokenizer

FACTS = "speaq.json"
HEAD = "value_head.safetensors"
CARD = "README.md"
_WRITERS = ("CausalLM", "LMHead", "ConditionalGeneration", "MTModel")
"""In the class names of models that write text."""


def save(model: LanguageModel, folder: Path | str) -> None:
    """Write the model, all or nothing; an older model folder at that place is replaced.

    A LoRA is merged into a copy of the weights first, so that the folder needs no `peft`.

    Raises:
        ModelError: `folder` holds something that is not a model.
        StorageError: the disk refused; what was there before is untouched.
    """
    folder = Path(folder)
    if folder.exists() and not (folder / "config.json").is_file() and _occupied(folder):
        raise ModelError(
            f"{folder} exists and is not a model folder; choose another name, so that nothing of "
            "yours is overwritten.",
            f"{folder} 已存在且不是模型目录；请换一个名称，以免覆盖您的文件。",
        )
    causal = model.merged()
    mark = fingerprint(causal)
    facts = {"origin": asdict(model.origin), "fingerprint": mark, "facts": model.facts}
    text = json.dumps(_numbers(facts), ensure_ascii=False, indent=2, allow_nan=False)
    try:
        with quiet_transformers(), replacing_folder(folder) as temporary:
            causal.save_pretrained(temporary)
            model.tokenizer.save_pretrained(temporary)
            (temporary / FACTS).write_text(text + "\n", encoding="utf-8")
            (temporary / CARD).write_text(card(model, causal, mark), encoding="utf-8")
            if model.head is not None:
                _write_head(model, mark, temporary / HEAD)
    except SafetensorError as error:
        raise StorageError(
            f"{folder} could not be written ({error}); nothing half-written was left.",
            f"无法写入 {folder}（{error}）；未留下不完整的文件。",
        ) from error


def _numbers(facts: Any) -> Any:
    """The facts with null for numbers that JSON cannot hold (nan, inf)."""
    if isinstance(facts, Mapping):
        return {str(name): _numbers(value) for name, value in facts.items()}
    if isinstance(facts, list | tuple):
        return [_numbers(value) for value in facts]
    return None if isinstance(facts, float) and not math.isfinite(facts) else facts


def _occupied(folder: Path) -> bool:
    return not folder.is_dir() or any(folder.iterdir())


@contextmanager
def reading(folder: Path) -> Iterator[dict[str, Any]]:
    """Check a folder before `transformers` reads it; yields the arguments to read it with.

    They keep it from touching the network and from running code that came with the model.

    Raises:
        ModelError: not a model folder, or one that cannot be read.
        UnsafeFileError: a pickle in the folder.
    """
    if not (folder / "config.json").is_file():
        raise ModelError(
            f"{folder} is not a model folder (no config.json).",
            f"{folder} 不是模型目录（缺少 config.json）。",
        )
    require_safe(folder)
    try:
        with quiet_transformers():
            yield {"local_files_only": True, "trust_remote_code": False}
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise ModelError(
            f"{folder} cannot be opened as a model: {_first_line(error)}",
            f"无法将 {folder} 作为模型打开：{_first_line(error)}",
        ) from error


def open_folder(folder: Path | str, *, dtype: torch.dtype = torch.float32) -> LanguageModel:
    """Open a model folder, speaq's own or any other, without touching the network.

    Raises:
        ModelError: not a whole language model, or the value head belongs to another trunk.
        UnsafeFileError: a pickle in the folder.
    """
    from transformers import (
        AutoConfig,
        AutoModelForCausalLM,
        AutoModelForSeq2SeqLM,
    )

    folder = Path(folder)
    with reading(folder) as safely:
        config = AutoConfig.from_pretrained(folder, **safely)
        _require_writer(folder, config)
        kind = AutoModelForSeq2SeqLM if config.is_encoder_decoder else AutoModelForCausalLM
        causal, notes = kind.from_pretrained(
            folder, dtype=dtype, use_safetensors=True, output_loading_info=True, **safely
        )
        tokenizer = open_tokenizer(folder, **safely)
    absent = sorted(notes["missing_keys"])
    if absent:
        raise ModelError(
            f"{folder} lacks {len(absent)} of the model's weights, such as {absent[0]}.",
            f"{folder} 缺少 {len(absent)} 个权重，例如 {absent[0]}。",
        )
    mark = fingerprint(causal)
    origin, facts = _read_facts(folder, mark)
    model = LanguageModel(causal, tokenizer, origin, facts=facts)
    if (folder / HEAD).is_file():
        load_head(model, folder / HEAD)
    return model


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _require_writer(folder: Path, config: Any) -> None:
    """Refuse an encoder: as a decoder it would load, and write nonsense."""
    names = config.architectures or []
    if names and not any(mark in name for name in names for mark in _WRITERS):
        raise ModelError(
            f"{folder} holds {names[0]}, which does not write text; use load_encoder for it.",
            f"{folder} 中是 {names[0]}，它不能生成文本；请使用 load_encoder。",
        )


def _read_facts(folder: Path, mark: str) -> tuple[Origin, dict[str, Any]]:
    file = folder / FACTS
    if not file.is_file():
        return Origin(str(folder), mark), {}
    try:
        record = json.loads(file.read_text(encoding="utf-8"))
        origin = record["origin"]
        return (
            Origin(origin["source"], origin["fingerprint"], tuple(origin["history"])),
            dict(record["facts"]),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise ModelError(
            f"{file} is damaged ({type(error).__name__}: {error}); the folder without it is still "
            "an ordinary model.",
            f"{file} 已损坏（{type(error).__name__}：{error}）；移除它后该目录仍是普通模型。",
        ) from error


def save_head(model: LanguageModel, file: Path | str) -> None:
    """Write the value head alone (safetensors), with what it needs to be loaded again.

    Raises:
        ModelError: no value head.
        StorageError: the disk refused.
    """
    with replacing_file(Path(file)) as temporary:
        _write_head(model, fingerprint(model.merged()), temporary)


def _write_head(model: LanguageModel, mark: str, file: Path) -> None:
    head = model.require_head()
    facts = {**head.description(), "trunk": mark, "trunk_name": model.name}
    tensors = {name: value.contiguous().cpu() for name, value in head.state_dict().items()}
    save_file(tensors, file, metadata=facts)


def load_head(model: LanguageModel, file: Path | str) -> None:
    """Put the value head in `file` on `model`.

    Raises:
        ModelError: the file is not a value head, or was made for another trunk; names both.
    """
    file = Path(file)
    try:
        with safe_open(file, framework="pt") as stream:
            facts = stream.metadata() or {}
            tensors = {name: stream.get_tensor(name) for name in stream.keys()}  # noqa: SIM118
        settings = HeadSettings(
            facts["kind"],
            int(facts["members"]),
            facts["combine"],
            int(facts["rank"]),
            int(facts["value_width"]),
        )
        mark, name = facts["trunk"], facts["trunk_name"]
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        raise ModelError(
            f"{file} is not a value head written by speaq ({type(error).__name__}: {error}).",
            f"{file} 不是 speaq 写出的价值头（{type(error).__name__}：{error}）。",
        ) from error
    own = fingerprint(model.merged())
    if mark != own:
        raise ModelError(
            f"{file} was learnt on {name} (weights {mark[:8]}) and does not fit {model.name} "
            f"(weights {own[:8]}).",
            f"{file} 是在 {name}（权重 {mark[:8]}）上学得的，"
            f"不适用于 {model.name}（权重 {own[:8]}）。",
        )
    try:
        model.with_head(settings).require_head().load_state_dict(tensors)
    except RuntimeError as error:
        model.head = None
        raise ModelError(
            f"{file} is damaged: {_first_line(error)}", f"{file} 已损坏：{_first_line(error)}"
        ) from error
