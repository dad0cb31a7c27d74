"""CTranslate2: the fast engine, int8 on a CPU. Needs the extra `fast`.

Its folder holds `model.bin` and the tokenizer's files. A conversion is checked against the model it
was made of: a converter that reads one field of a configuration otherwise gives fluent nonsense.
"""

import importlib
import json
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from speaq.apps.translate.model.engines import Ids, Wanted
from speaq.core.devices import threads
from speaq.core.errors import DataError, ModelError, SettingsError
from speaq.core.files import replacing_folder
from speaq.models.folder import FACTS, open_folder
from speaq.models.packages import quiet_transformers

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Precision = Literal["int8", "int8_float32", "float32"]
FILE, ABOUT = "model.bin", "speaq_fast.json"
_TOKENS = 2048
_BART = {
    "normalize_before": False,
    "normalize_embedding": True,
    "add_final_layer_norm": False,
}
"""Fields of BART's configuration that `transformers` no longer writes and the converter reads."""


def fast(module: str = "ctranslate2") -> Any:
    """A module of the extra.

    Raises:
        SettingsError: the extra is not installed; holds the command.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise SettingsError(
            f"the fast engine needs {error.name}; install it with: pip install 'speaq[fast]'",
            f"快速引擎需要 {error.name}；请运行：pip install 'speaq[fast]'",
        ) from error


class FastEngine:
    """See `engines.Engine`.

    Args:
        folder: CTranslate2's.
        tokenizer: the model's, for the engine speaks in tokens' names.
    """

    def __init__(self, folder: Path, tokenizer: "PreTrainedTokenizerBase") -> None:
        about = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
        self.limit = int(about["context"])
        self.end_id = int(about["end"])
        self.banned = [tokenizer.convert_ids_to_tokens([number]) for number in about["banned"]]
        self.names: list[str] = tokenizer.convert_ids_to_tokens(list(range(len(tokenizer))))
        self.ids = {name: number for number, name in enumerate(self.names)}
        try:
            self.engine = fast().Translator(
                str(folder), device="cpu", inter_threads=1, intra_threads=threads()
            )
        except RuntimeError as error:
            raise ModelError(
                f"{folder} cannot be opened by CTranslate2: {error}",
                f"CTranslate2 无法打开 {folder}：{error}",
            ) from error

    def search(
        self, sources: Sequence[Ids], begun: Sequence[Ids], wanted: Wanted
    ) -> list[list[Ids]]:
        """See `Engine`."""
        longest = max(map(len, sources))
        if longest > self.limit:
            raise DataError(
                f"a source has {longest} tokens and the model reads {self.limit}; split the text.",
                f"源文有 {longest} 个词元，而模型最多读 {self.limit} 个；请拆分文本。",
            )
        limit = min(self.limit, wanted.longest(longest)) + max(map(len, begun))
        found = self.engine.translate_batch(
            self._named(sources),
            target_prefix=self._named(begun) if any(begun) else None,
            beam_size=wanted.beam,
            num_hypotheses=wanted.n_best,
            length_penalty=wanted.length_penalty,
            max_decoding_length=limit,
            max_batch_size=_TOKENS,
            batch_type="tokens",
            suppress_sequences=self.banned or None,
        )
        return [[self._ended(names, limit) for names in each.hypotheses] for each in found]

    def logprobs(self, sources: Sequence[Ids], translations: Sequence[Ids]) -> list[list[float]]:
        """See `Engine`."""
        bare = [ids[:-1] if ids and ids[-1] == self.end_id else ids for ids in translations]
        found = self.engine.score_batch(
            self._named(sources), self._named(bare), max_batch_size=_TOKENS, batch_type="tokens"
        )
        return [
            list(map(float, each.log_probs[: len(ids)]))
            for each, ids in zip(found, translations, strict=True)
        ]

    def _named(self, rows: Sequence[Ids]) -> list[list[str]]:
        return [[self.names[number] for number in ids] for ids in rows]

    def _ended(self, names: Sequence[str], limit: int) -> Ids:
        ids = [self.ids[name] for name in names]
        return ids if len(ids) >= limit else [*ids, self.end_id]


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
        _convert(source, temporary, precision)
        model.tokenizer.save_pretrained(temporary)
        if (source / FACTS).is_file():
            shutil.copy(source / FACTS, temporary / FACTS)
        text = json.dumps(about, ensure_ascii=False, indent=2) + "\n"
        (temporary / ABOUT).write_text(text, encoding="utf-8")


def _convert(source: Path, folder: Path, precision: Precision) -> None:
    """CTranslate2's own converter on a copy of the folder that it can read."""
    module = fast("ctranslate2.converters.transformers")
    loader = module._MODEL_LOADERS.get("M2M100Config")

    class Positions(type(loader)):  # type: ignore[misc]
        """Places begin behind the padding's number, which is 1 in M2M but need not be."""

        def set_position_encodings(self, spec: Any, module: Any) -> None:
            """As the model itself counts."""
            spec.encodings = module.weights[module.padding_idx + 1 :]

    with tempfile.TemporaryDirectory() as place, quiet_transformers():
        copy = Path(place) / "model"
        shutil.copytree(source, copy)
        config = json.loads((copy / "config.json").read_text(encoding="utf-8"))
        if config.get("model_type") == "bart":
            (copy / "config.json").write_text(json.dumps({**_BART, **config}), encoding="utf-8")
        module._MODEL_LOADERS["M2M100Config"] = Positions()
        try:
            module.TransformersConverter(str(copy)).convert(
                str(folder), quantization=precision, force=True
            )
        except (ValueError, AttributeError, KeyError) as error:
            raise ModelError(
                f"CTranslate2 cannot convert {source}: {error}",
                f"CTranslate2 无法转换 {source}：{error}",
            ) from error
        finally:
            module._MODEL_LOADERS["M2M100Config"] = loader
    # A token that the tokenizer does not name is written as null, and refused when it is read.
    file = folder / "config.json"
    written = json.loads(file.read_text(encoding="utf-8"))
    named = {
        key: written["eos_token"] if value is None and key.endswith("_token") else value
        for key, value in written.items()
    }
    file.write_text(json.dumps(named, indent=2) + "\n", encoding="utf-8")
