"""Opening a translator: which engine, which tokenizer, which languages."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

from speaq.apps.translate.checks.quality import QualityModel
from speaq.apps.translate.model.engines import Engine, TransformersEngine
from speaq.apps.translate.model.fast import ABOUT, FILE, FastEngine
from speaq.apps.translate.model.tags import Tags, tags_of
from speaq.core.devices import device
from speaq.core.errors import ModelError, UnsafeFileError
from speaq.models.folder import FACTS
from speaq.models.packages import quiet_transformers
from speaq.models.sources import load
from speaq.models.two_vocabularies import open_tokenizer

Parts = tuple[str, "PreTrainedTokenizerBase", Engine, Tags, QualityModel | None]
_PLAIN = {".json", ".txt", ".model", ".spm", ".md", ".jinja"}
"""What stands beside the weights."""

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def opened(source: str) -> "Parts":
    """What a `Translator` is made of.

    Raises:
        ModelError: no such source, or no model that reads a source.
        SettingsError: CTranslate2's folder without the extra `fast`.
        UnsafeFileError: the folder holds a pickle.
    """
    folder = Path(source)
    if source and (folder / FILE).is_file():
        return _fast(folder)
    if source and (folder / "model" / "config.json").is_file():
        folder = folder / "model"
        source = str(folder)
    model = load(source, device=device())
    if not model.reads_source:
        raise ModelError(
            f"{model.name} is not an encoder–decoder model and does not translate; speaq translate "
            "train makes one, and Marian, NLLB and M2M are such models.",
            f"{model.name} 不是编码器–解码器模型，不能翻译；"
            "可用 speaq translate train 训练，或使用 Marian、NLLB、M2M。",
        )
    tags = tags_of(source, model.facts, model.tokenizer, str(model.causal.config.model_type))
    judge = QualityModel.load(folder) if source and folder.is_dir() else None
    return model.name, model.tokenizer, TransformersEngine(model), tags, judge


def _fast(folder: Path) -> "Parts":
    _require_plain(folder)
    try:
        about = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
        facts = {}
        if (folder / FACTS).is_file():
            facts = json.loads((folder / FACTS).read_text(encoding="utf-8"))["facts"]
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(
            f"{folder} holds a model of CTranslate2 without what speaq needs beside it "
            f"({ABOUT}); make it with speaq translate convert.",
            f"{folder} 中的 CTranslate2 模型缺少 speaq 所需的 {ABOUT}；"
            "请用 speaq translate convert 生成。",
        ) from error
    with quiet_transformers():
        tokenizer = open_tokenizer(folder, local_files_only=True, trust_remote_code=False)
    engine = FastEngine(folder, tokenizer)
    name = f"{about['of']}-{about['precision']}"
    tags = tags_of(name, facts, tokenizer, about["kind"])
    return name, tokenizer, engine, tags, QualityModel.load(folder)


def _require_plain(folder: Path) -> None:
    """Refuse a folder with other files than CTranslate2's weights and plain text: the weights are
    numbers in a form of their own, though their name ends like a pickle's.

    Raises:
        UnsafeFileError: names the file.
    """
    for file in sorted(folder.rglob("*")):
        if file.is_file() and file != folder / FILE and file.suffix not in _PLAIN:
            raise UnsafeFileError(
                f"{file} does not belong into a folder of CTranslate2 and might run code when "
                "opened; remove it.",
                f"{file} 不属于 CTranslate2 目录，打开时可能执行代码；请将其删除。",
            )
