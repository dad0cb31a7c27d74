"""Bandit prompts: one word answers a prompt, and the best policy is known in closed form.

Every prompt has arms of known mean reward and a reference policy π. Whoever is paid the reward and
pays η for each nat of KL from π does best with

    π*(a|s) = π(a|s) exp(r(s, a)/η) / Z(s),      V(s) = η ln Z(s),      Z(s) = Σ_a π(a|s) exp(r/η)

so soft methods can be held to an exact answer, prompt by prompt. The log is drawn from the
reference, whose mean reward is its quality. Rewards are multiples of a tenth in [0, 1].
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from math import log
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from speaq.core.seeds import derive, generator
from speaq.core.settings import require
from speaq.environments.words import Words
from speaq.experience.episode import Episode, Turn

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from speaq.models.language_model import LanguageModel

Table = NDArray[np.float64]  # (prompts, arms)


@dataclass(eq=False)
class Bandit:
    """One prompt and one answer at a time; the log; the optimum under any η."""

    prompts: int = 8
    """How many prompts there are, each as likely."""
    arms: int = 6
    """Words a prompt can be answered with."""
    noise: float = 0.0
    """A reward is its mean plus or minus this, each as likely."""
    seed: int = 0
    """Of rewards, reference and log."""
    _prompt: int = field(default=-1, init=False, repr=False)
    _luck: float = field(default=0.0, init=False, repr=False)

    def __post_init__(self) -> None:
        rules = {
            "prompts": (self.prompts >= 1, "≥ 1"),
            "arms": (self.arms >= 2, "≥ 2"),
            "noise": (self.noise >= 0, "≥ 0"),
        }
        require("bandit", self, rules)

    @cached_property
    def rewards(self) -> Table:
        """(prompts, arms) mean reward of each arm."""
        stream = generator(self.seed, "bandit", "rewards")
        return stream.integers(0, 11, (self.prompts, self.arms)) / 10

    @cached_property
    def reference(self) -> Table:
        """(prompts, arms) the policy behind the log; no arm has less than half its even share."""
        shares = generator(self.seed, "bandit", "reference").uniform(1, 2, self.rewards.shape)
        made: Table = shares / shares.sum(1, keepdims=True)
        return made

    @property
    def optimum(self) -> float:
        """The mean reward of always taking the best arm."""
        return float(self.rewards.max(1).mean())

    @property
    def quality(self) -> float:
        """The exact mean reward of the log's policy."""
        return self.value(self.reference)

    def value(self, policy: Table) -> float:
        """The exact mean reward of any policy (prompts, arms)."""
        return float((policy * self.rewards).sum(1).mean())

    def soft_policy(self, eta: float) -> Table:
        """(prompts, arms) π*, the best policy that pays η a nat."""
        logits = np.log(self.reference) + self.rewards / eta
        powers = np.exp(logits - logits.max(1, keepdims=True))
        made: Table = powers / powers.sum(1, keepdims=True)
        return made

    def soft_values(self, eta: float) -> Table:
        """(prompts,) η ln Z: reward less η·KL of π*."""
        logits = np.log(self.reference) + self.rewards / eta
        best = logits.max(1)
        made: Table = eta * (best + np.log(np.exp(logits - best[:, None]).sum(1)))
        return made

    def reset(
        self, *, seed: int | None = None, options: Mapping[str, Any] | None = None
    ) -> tuple[str, dict[str, Any]]:
        """Draw a prompt, and the luck of its answer.

        Returns:
            the prompt, and its number.
        """
        stream = generator(self.seed if seed is None else seed, "bandit", "prompt")
        self._prompt = int(stream.integers(self.prompts))
        self._luck = self.noise * float(stream.choice([-1.0, 1.0]))
        return f"prompt{self._prompt}", {"prompt": self._prompt}

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """Answer with an arm.

        Returns:
            nothing to read, the reward (0 for a word that is no arm), terminated (always),
            truncated (never), and information (none).
        """
        if self._prompt < 0:
            raise RuntimeError("reset must be called before step")
        place = self.words.ids.get(action.strip(), -1)
        known = 0 <= place < self.arms
        earned = float(self.rewards[self._prompt, place]) + self._luck if known else 0.0
        self._prompt = -1
        return "", earned, True, False, {}

    def log(self, episodes: int = 1000) -> list[Episode]:
        """Answers of the reference, with their exact propensities."""
        return [self._episode(number) for number in range(episodes)]

    @cached_property
    def words(self) -> Words:
        """The arms first, then the prompts."""
        arms = [f"arm{arm}" for arm in range(self.arms)]
        return Words((*arms, *(f"prompt{prompt}" for prompt in range(self.prompts))))

    @property
    def tokenizer(self) -> "PreTrainedTokenizerBase":
        """One token a word."""
        return self.words.tokenizer

    def model(self, seed: int = 0) -> "LanguageModel":
        """An untrained Llama, 2 layers of 64."""
        return self.words.model("bandit", seed)

    def _episode(self, number: int) -> Episode:
        place = derive(self.seed, "bandit", "log", number)
        prompt, facts = self.reset(seed=place)
        shares = self.reference[facts["prompt"]]
        arm = int(generator(place, "arm").choice(self.arms, p=shares))
        _, reward, *_ = self.step(f"arm{arm}")
        return Episode(
            turns=(
                Turn("observation", prompt),
                self.words.reply(f"arm{arm}", [log(shares[arm])], reward),
            ),
            id=f"{derive(place, 'id'):016x}",
            time=0.0,
            app="bandit",
            tokenizer=self.words.fingerprint,
        )
