"""People rate replies: noisily, late, seldom, and mostly what stood on top.

Each prompt has some replies of known quality, and a page shows one of them, drawn from a known
policy, somewhere in a list of `positions`. Whoever reads the list looks at position k with a known
probability that falls with k, and only then leaves a thumb, after a delay. It is up with the
reply's quality as its probability, but one in `mistaken` thumbs is pressed the wrong way.

The likelier a reply, the higher it tends to stand; so the replies that the policy liked are looked
at oftener, and the mean over thumbs alone favours them. Propensities and looking probabilities are
in the log, which makes `weighed` an unbiased reward and every policy's worth exactly known.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from math import log
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from speaq.core.errors import DataError
from speaq.core.seeds import derive, generator
from speaq.core.settings import require
from speaq.environments.words import Words
from speaq.experience.episode import Episode, Feedback, Turn

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from speaq.models.language_model import LanguageModel

Table = NDArray[np.float64]  # (prompts, replies)


@dataclass(eq=False)
class RatedReplies:
    """Prompts, replies, the people who rate them, and what is true."""

    prompts: int = 20
    """How many prompts there are, each as likely."""
    replies: int = 5
    """Replies a prompt can be given."""
    positions: int = 4
    """Places in the list."""
    fading: float = 1.0
    """Position k, from 1, is looked at with probability k^-fading; 0 looks at all."""
    mistaken: float = 0.1
    """Share of thumbs pressed the wrong way, below a half."""
    delay: float = 3600.0
    """Mean seconds until a thumb comes."""
    seed: int = 0
    """Of qualities, policy and log."""
    _prompt: int = field(default=-1, init=False, repr=False)
    _uniforms: tuple[float, ...] = field(default=(), init=False, repr=False)

    def __post_init__(self) -> None:
        rules = {
            "prompts": (self.prompts >= 1, "≥ 1"),
            "replies": (self.replies >= 2, "≥ 2"),
            "positions": (self.positions >= 1, "≥ 1"),
            "fading": (self.fading >= 0, "≥ 0"),
            "mistaken": (0 <= self.mistaken < 0.5, "in [0, ½)"),
            "delay": (self.delay >= 0, "≥ 0"),
        }
        require("rated-replies", self, rules)

    @cached_property
    def quality(self) -> Table:
        """(prompts, replies) probability that a reply pleases."""
        stream = generator(self.seed, "rated-replies", "quality")
        return stream.uniform(0, 1, (self.prompts, self.replies))

    @cached_property
    def thumbs(self) -> Table:
        """(prompts, replies) probability that a thumb on a reply is up, mistakes included."""
        made: Table = self.mistaken + (1 - 2 * self.mistaken) * self.quality
        return made

    @cached_property
    def policy(self) -> Table:
        """(prompts, replies) what the page shows: some replies up to four times as often."""
        shares = generator(self.seed, "rated-replies", "policy").uniform(1, 4, self.quality.shape)
        made: Table = shares / shares.sum(1, keepdims=True)
        return made

    @cached_property
    def looked_at(self) -> NDArray[np.float64]:
        """(positions,) probability that each is looked at."""
        made: NDArray[np.float64] = np.arange(1, self.positions + 1.0) ** -self.fading
        return made

    @property
    def optimum(self) -> float:
        """The exact mean share of thumbs up of always giving the best reply."""
        return float(self.thumbs.max(1).mean())

    def value(self, policy: Table) -> float:
        """The exact mean share of thumbs up of any policy, were everything looked at."""
        return float((policy * self.thumbs).sum(1).mean())

    def seen(self, prompt: int) -> Table:
        """(replies, positions) probability of each place: the likelier a reply, the higher.

        A reply of rank q among R falls into position k with a weight of exp(-|k/K - q/R| · K).
        """
        rank = (-self.policy[prompt]).argsort().argsort() / self.replies
        place = np.arange(self.positions) / self.positions
        weights = np.exp(-np.abs(place[None] - rank[:, None]) * self.positions)
        made: Table = weights / weights.sum(1, keepdims=True)
        return made

    def reset(
        self, *, seed: int | None = None, options: Mapping[str, Any] | None = None
    ) -> tuple[str, dict[str, Any]]:
        """Somebody asks. The seed draws the prompt and everything about the person.

        Returns:
            the prompt, and its number.
        """
        stream = generator(self.seed if seed is None else seed, "rated-replies", "person")
        self._prompt = int(stream.integers(self.prompts))
        self._uniforms = tuple(stream.random(4).tolist())
        return f"prompt{self._prompt}", {"prompt": self._prompt}

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """Give a reply, which somebody may look at and rate.

        Returns:
            nothing to read; 1 for a thumb up divided by the probability that the position was
            looked at, else 0; terminated (always), truncated (never); and what happened: the
            position from 1, whether it was looked at, the thumb if there was one, its delay.
        """
        if self._prompt < 0:
            raise RuntimeError("reset must be called before step")
        reply = self.words.ids.get(action.strip(), -1)
        prompt, self._prompt = self._prompt, -1
        if not 0 <= reply < self.replies:
            return "", 0.0, True, False, {"position": 0, "looked": False}
        where, look, press, wait = self._uniforms
        position = int(np.searchsorted(self.seen(prompt)[reply].cumsum(), where, side="right"))
        position = min(position, self.positions - 1)
        chance = float(self.looked_at[position])
        facts: dict[str, Any] = {"position": position + 1, "looked": look < chance}
        if not facts["looked"]:
            return "", 0.0, True, False, facts
        facts["thumb"] = bool(press < self.thumbs[prompt, reply])
        facts["delay"] = -self.delay * log(1 - wait)
        return "", facts["thumb"] / chance, True, False, facts

    def log(self, episodes: int = 2000) -> list[Episode]:
        """What was shown and how it was rated; many episodes have no feedback at all.

        Tags: `position`, and `looked_at`, the probability that it was looked at.
        """
        return [self._episode(number) for number in range(episodes)]

    @cached_property
    def words(self) -> Words:
        """The replies first, then the prompts."""
        replies = [f"reply{reply}" for reply in range(self.replies)]
        return Words((*replies, *(f"prompt{prompt}" for prompt in range(self.prompts))))

    @property
    def tokenizer(self) -> "PreTrainedTokenizerBase":
        """One token a word."""
        return self.words.tokenizer

    def model(self, seed: int = 0) -> "LanguageModel":
        """An untrained Llama, 2 layers of 64."""
        return self.words.model("rated-replies", seed)

    def _episode(self, number: int) -> Episode:
        place = derive(self.seed, "rated-replies", "log", number)
        prompt, facts = self.reset(seed=place)
        shares = self.policy[facts["prompt"]]
        reply = int(generator(place, "reply").choice(self.replies, p=shares))
        *_, told = self.step(f"reply{reply}")
        events: tuple[Feedback, ...] = ()
        if "thumb" in told:
            time = float(number) + told["delay"]
            events = (Feedback("thumb", told["thumb"], time, "person", f"{number}"),)
        return Episode(
            turns=(
                Turn("observation", prompt),
                self.words.reply(f"reply{reply}", [log(shares[reply])]),
            ),
            id=f"{derive(place, 'id'):016x}",
            time=float(number),
            app="rated-replies",
            tokenizer=self.words.fingerprint,
            feedback=events,
            tags={
                "position": str(told["position"]),
                "looked_at": f"{float(self.looked_at[told['position'] - 1]):.17g}",
            },
        )


def weighed(episode: Episode) -> float:
    """A reward whose mean is the share of thumbs up, had every reply been looked at.

    1 for a thumb up divided by the probability that its position was looked at, 0 for a thumb
    down and for silence (inverse propensity; Joachims et al. 2017). See `experience.rewards`.

    Raises:
        DataError: the log does not say how likely the position was looked at.
    """
    if "looked_at" not in episode.tags:
        raise DataError(
            f"episode {episode.id} has no tag 'looked_at', the probability that its position was "
            "looked at.",
            f"片段 {episode.id} 缺少标签 looked_at（其位置被看到的概率）。",
            field="tags.looked_at",
        )
    up = any(event.value is True for event in episode.feedback)
    return up / float(episode.tags["looked_at"])
