"""From a model folder to one of CTranslate2. Needs the extra `fast`.

What a converter reads from a configuration differs from what `transformers` writes in places, and
one field read otherwise gives fluent nonsense; those places are mended here, and tests compare.
"""

import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from speaq.apps.translate.model.fast import ABOUT, FILE, Precision, fast, names_of
from speaq.core.errors import ModelError
from speaq.core.files import replacing_folder
from speaq.models.folder import FACTS, open_folder
from speaq.models.packages import quiet_transformers
from speaq.models.two_vocabularies import TwoTokenizers

_BART = {
    "normalize_before": False,
    "normalize_embedding": True,
    "add_final_layer_norm": False,
}
"""Fields of BART's configuration that `transformers` no longer writes and the converter reads."""


def convert(source: Path | str, folder: Path | str, precision: Precision = "int8") -> None:
    """Write the model folder `source` as one of CTranslate2, all or nothing.

    Raises:
        ModelError: no translation model, an architecture that CTranslate2 does not know, or a
            place that holds something else.
        SettingsError: the extra `fast` is not installed.
    """
    source, folder = Path(source), Path(folder)
    fast()
    if folder.exists() and not (folder / FILE).is_file() and any(folder.iterdir()):
        raise ModelError(
            f"{folder} exists and is not a folder of CTranslate2; choose another name.",
            f"{folder} 已存在且不是 CTranslate2 目录；请换一个名称。",
        )
    model = open_folder(source)
    if not model.reads_source:
        raise ModelError(
            f"{source} is not an encoder–decoder model; speaq translate train makes one.",
            f"{source} 不是编码器–解码器模型；请用 speaq translate train 训练。",
        )
    about = {
        "context": min(model.context_length, 4096),
        "end": model.end_id,
        "banned": list(model.readout.banned),
        "kind": model.causal.config.model_type,
        "precision": precision,
        "of": model.name,
    }
    with replacing_folder(folder) as temporary:
        _convert(source, temporary, precision, model.tokenizer)
        model.tokenizer.save_pretrained(temporary)
        if (source / FACTS).is_file():
            shutil.copy(source / FACTS, temporary / FACTS)
        text = json.dumps(about, ensure_ascii=False, indent=2) + "\n"
        (temporary / ABOUT).write_text(text, encoding="utf-8")


def _convert(source: Path, folder: Path, precision: Precision, tokenizer: Any) -> None:
    """CTranslate2's own converter on a copy of the folder that it can read."""
    module = fast("ctranslate2.converters.transformers")
    with tempfile.TemporaryDirectory() as place, quiet_transformers():
        copy = Path(place) / "model"
        shutil.copytree(source, copy)
        config = json.loads((copy / "config.json").read_text(encoding="utf-8"))
        if config.get("model_type") == "bart":
            (copy / "config.json").write_text(json.dumps({**_BART, **config}), encoding="utf-8")
        try:
            with _own_loaders(module, tokenizer):
                module.TransformersConverter(str(copy)).convert(
                    str(folder), quantization=precision, force=True
                )
        except (ValueError, AttributeError, KeyError) as error:
            raise ModelError(
                f"CTranslate2 cannot convert {source}: {error}",
                f"CTranslate2 无法转换 {source}：{error}",
            ) from error
    _name_tokens(folder / "config.json")


@contextmanager
def _own_loaders(module: Any, tokenizer: Any) -> Iterator[None]:
    """The converter with what it misreads read right."""
    known = module._MODEL_LOADERS
    before = dict(known)

    class Positions(module.M2M100Loader):  # type: ignore[misc]
        """Places begin behind the padding's number, which is 1 in M2M but need not be."""

        def set_position_encodings(self, spec: Any, module: Any) -> None:
            """As the model itself counts."""
            spec.encodings = module.weights[module.padding_idx + 1 :]

    class TwoVocabularies(module.BartLoader):  # type: ignore[misc]
        """Marian with tables of its own on each side, as speaq trains it: its decoder begins with
        the end token, not with nothing, and all of its tokens are its own."""

        architecture_name = "MarianMTModel"

        def get_model_spec(self, model: Any) -> Any:
            """Norms stand behind the layers."""
            model.config.normalize_before = False
            model.config.normalize_embedding = False
            return super().get_model_spec(model)

        def set_vocabulary(self, spec: Any, tokens: list[str]) -> None:
            """One for each side."""
            spec.register_source_vocabulary(names_of(tokenizer.source))
            spec.register_target_vocabulary(names_of(tokenizer.target))

    known["M2M100Config"] = Positions()
    if isinstance(tokenizer, TwoTokenizers):
        known["MarianConfig"] = TwoVocabularies()
    try:
        yield
    finally:
        known.update(before)


def _name_tokens(file: Path) -> None:
    """A token that the tokenizer does not name is written as null, and refused when it is read."""
    written = json.loads(file.read_text(encoding="utf-8"))
    named = {
        key: written["eos_token"] if value is None and key.endswith("_token") else value
        for key, value in written.items()
    }
    file.write_text(json.dumps(named, indent=2) + "\n", encoding="utf-8")
