"""speaq fold: make guidance part of the weights; an ordinary model folder any engine runs.

zh: 将引导并入权重，得到任何引擎都能运行的普通模型目录。
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from speaq.cli.inputs import open_model
from speaq.cli.options import parse
from speaq.core.errors import EvidenceError
from speaq.core.language import say

ABOUT = (
    "Fold the value head into the output layer, at the beta the gate chose.",
    "以闸门选定的 beta 将价值头并入输出层。",
)


@dataclass(frozen=True)
class Fold:
    """Options of `speaq fold`."""

    model: Annotated[str, tyro.conf.Positional]
    """A model folder with a value head, such as RUN/model."""
    folder: Annotated[Path, tyro.conf.Positional]
    """Where the folded model goes."""
    beta: float | None = None
    """Strength of guidance; unset: the gate's choice."""


def main(args: list[str]) -> None:
    """Run the verb with its command line."""
    options = parse(Fold, args, "fold", ABOUT)
    model = open_model(options.model)
    model.require_head()
    beta = _gates_choice(model.facts.get("gate", {})) if options.beta is None else options.beta
    model.fold(beta).save(options.folder)
    print(
        say(
            f"{options.folder} holds the model folded at beta = {beta:g}.",
            f"{options.folder} 中是以 beta = {beta:g} 合并后的模型。",
        )
    )


def _gates_choice(gate: Mapping[str, Any]) -> float:
    """The β that the gate's report in a model's facts allows.

    Raises:
        EvidenceError: none; or what was judged is not what folding makes.
    """
    beta = float(gate.get("best_beta", 0.0))
    if beta == 0:
        raise EvidenceError(
            "No gate has allowed any beta for this model: run speaq evaluate first, or choose "
            "one yourself with --beta.",
            "闸门尚未同意该模型的任何 beta：请先运行 speaq evaluate，或用 --beta 自行指定。",
        )
    support = float(gate.get("decoding", {}).get("support", 0.0))
    if support:
        raise EvidenceError(
            f"The gate judged guidance bounded by support = {support:g}, and a folded model has no "
            f"such bound: serve the model itself with --beta {beta:g} --support {support:g}, or "
            "run speaq evaluate without --support.",
            f"闸门评估的是受 support = {support:g} 约束的引导，而合并后的模型没有这一约束："
            f"请以 --beta {beta:g} --support {support:g} 直接部署该模型，"
            "或不带 --support 重新运行 speaq evaluate。",
        )
    return beta
