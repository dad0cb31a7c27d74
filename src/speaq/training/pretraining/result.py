"""The model that pretraining leaves: an ordinary folder of `transformers`, with speaq's facts."""

import json
import math
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, cast

import yaml
from safetensors.torch import load_file

from speaq.core.files import replacing_folder
from speaq.core.language import say
from speaq.core.runs import RunFolder
from speaq.models.fingerprint import fingerprint
from speaq.models.folder import CARD, FACTS
from speaq.models.language_model import LanguageModel, Origin
from speaq.models.packages import quiet_transformers
from speaq.training.pretraining.architectures import Architecture
from speaq.training.pretraining.settings import Recipe
from speaq.training.pretraining.task import BEST, VALIDATION
from speaq.training.pretraining.token_file import TokenFile

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

_PREFIX = "module.model."
"""Of the model's weights in a checkpoint of the loop."""


def best_loss(run: RunFolder) -> float | None:
    """The best validation loss of a run, in nats per token; None if nothing was held out."""
    found = [row[VALIDATION] for row in run.metrics() if VALIDATION in row]
    return min(found, default=None)


def facts_of(recipe: Recipe, file: TokenFile, run: RunFolder) -> dict[str, Any]:
    """What `speaq.json` says about the run."""
    loss = best_loss(run)
    facts: dict[str, Any] = {
        "pretraining": {
            "tokens": len(file.tokens),
            "documents": file.documents,
            "digest": file.digest,
            **asdict(recipe),
        }
    }
    if loss is not None:
        facts["metrics"] = {
            "validation loss (nats per token)": loss,
            "validation perplexity": math.exp(min(loss, 700.0)),
        }
    return facts


def save_result(
    run: RunFolder,
    architecture: Architecture,
    tokenizer: "PreTrainedTokenizerBase",
    facts: dict[str, Any],
) -> None:
    """Write the run's best weights, or its last where nothing was held out, to `model`."""
    model = architecture.build()
    best = run.path / BEST
    if best.is_dir():
        weights = load_file(best / "weights.safetensors")
    else:
        kept = load_file(run.checkpoints()[-1] / "state.safetensors")
        weights = {
            name.removeprefix(_PREFIX): tensor
            for name, tensor in kept.items()
            if name.startswith(_PREFIX)
        }
    cast(Any, model).load_state_dict(weights)
    limit = model.config.to_dict().get("max_position_embeddings")
    if limit is not None:
        tokenizer.model_max_length = limit
    made = LanguageModel(
        model, tokenizer, Origin(_source(architecture), fingerprint(model)), facts=facts
    )
    if architecture.kind == "masked":
        _save_encoder(made, run)
    else:
        made.save(run.path / "model")


def _source(architecture: Architecture) -> str:
    return architecture.name if architecture.weights is not None else f"new:{architecture.name}"


def _save_encoder(made: LanguageModel, run: RunFolder) -> None:
    """Write an encoder; `models.folder` is for models that write text."""
    model: PreTrainedModel = made.causal
    mark = made.origin.fingerprint
    record = {"origin": asdict(made.origin), "fingerprint": mark, "facts": made.facts}
    text = json.dumps(record, ensure_ascii=False, indent=2)
    with quiet_transformers(), replacing_folder(run.path / "model") as folder:
        model.save_pretrained(folder)
        made.tokenizer.save_pretrained(folder)
        (folder / FACTS).write_text(text + "\n", encoding="utf-8")
        (folder / CARD).write_text(_encoder_card(made), encoding="utf-8")


def _encoder_card(made: LanguageModel) -> str:
    model: Any = made.causal
    front = {"library_name": "transformers", "pipeline_tag": "fill-mask", "tags": ["speaq"]}
    size = sum(weight.numel() for weight in model.parameters())
    kind, mark = model.config.model_type, made.origin.fingerprint
    told = json.dumps(made.facts, ensure_ascii=False, indent=2)
    what = say(
        f"A {kind} encoder, pretrained to fill masks: {size:,} numbers, {len(made.tokenizer):,} "
        f"tokens. Origin: `{made.origin.source}`. Weights: `{mark}`.",
        f"{kind} 编码器，以掩码填充预训练：{size:,} 个参数，词表 {len(made.tokenizer):,}。"
        f"来源：`{made.origin.source}`。权重指纹：`{mark}`。",
    )
    head = yaml.safe_dump(front, sort_keys=False, allow_unicode=True)
    return f"---\n{head}---\n\n# {made.name}\n\n{what}\n\n```json\n{told}\n```\n"
