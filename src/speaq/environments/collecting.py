"""Filling an experience store with sampled replies, so that an interruption costs little."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from speaq.core.errors import SettingsError
from speaq.core.files import digest
from speaq.core.seeds import derive
from speaq.environments.logs import generate_log
from speaq.experience.store import ExperienceStore
from speaq.models.decoding import Decoding
from speaq.models.language_model import LanguageModel
from speaq.models.sampling import ROWS


def collect(
    model: LanguageModel,
    prompts: Sequence[str],
    store: ExperienceStore,
    *,
    samples: int,
    decoding: Decoding,
    seed: int,
    beta: float = 0.0,
) -> int:
    """Sample `samples` replies to each prompt into `store` and return how many were new.

    Replies are kept in portions of some prompts each. The same call on the same store skips the
    portions that are there, so an interrupted collection continues, with the same replies.

    Raises:
        SettingsError: samples below 1.
        ModelError: β is not 0 and the model has no value head.
    """
    if samples < 1:
        raise SettingsError(
            f"samples = {samples} must be at least 1.", f"samples = {samples} 至少为 1。"
        )
    policy = digest(model.name, _head(model, beta), repr(decoding.facts()), f"{beta:g}")
    run = digest(policy, f"{seed} {samples}", *prompts)[:16]
    have = Counter(
        episode.prompt for episode in store.iterate(None) if episode.tags.get("collection") == run
    )
    at_once = max(1, ROWS // samples)
    new = 0
    for start in range(0, len(prompts), at_once):
        part = prompts[start : start + at_once]
        if all(have[prompt] >= samples for prompt in part):
            continue
        title = f"prompts {start + len(part)}/{len(prompts)}"
        # Random numbers and ids depend on the seed and the place within a portion; one seed for
        # each policy and portion keeps them apart.
        own = derive(seed, policy, start)
        episodes, _ = generate_log(model, part, samples, decoding, seed=own, beta=beta, title=title)
        new += store.append(
            *(replace(each, tags={**each.tags, "collection": run}) for each in episodes)
        )
    return new


def _head(model: LanguageModel, beta: float) -> str:
    """Digest of the value head where it guides; empty where it does not."""
    if beta == 0:
        return ""
    tensors = sorted(model.require_head().state_dict().items())
    return digest(*(tensor.float().cpu().numpy().tobytes() for _, tensor in tensors))
