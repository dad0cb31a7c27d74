"""Episodes, the durable store, importers and exporters, rewards.

Names are imported when first used: the episode alone needs neither a database nor Arrow.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from speaq.experience.episode import Episode, Feedback, Turn
    from speaq.experience.exporters import write_episodes
    from speaq.experience.importers import read_episodes
    from speaq.experience.records import fingerprint
    from speaq.experience.rewards import Reward, action_rewards, resolve
    from speaq.experience.store import ExperienceStore

__all__ = [
    "Episode",
    "ExperienceStore",
    "Feedback",
    "Reward",
    "Turn",
    "action_rewards",
    "fingerprint",
    "read_episodes",
    "resolve",
    "write_episodes",
]

_HOMES = {
    "Episode": "episode",
    "ExperienceStore": "store",
    "Feedback": "episode",
    "Reward": "rewards",
    "Turn": "episode",
    "action_rewards": "rewards",
    "fingerprint": "records",
    "read_episodes": "importers",
    "resolve": "rewards",
    "write_episodes": "exporters",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'speaq.experience' has no attribute '{name}'")
    return vars(importlib.import_module(f"speaq.experience.{_HOMES[name]}"))[name]


def __dir__() -> list[str]:
    return sorted(__all__)
