"""What a text environment is: Gymnasium's `reset` and `step`, with text for both sides."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from speaq.experience.episode import Episode
    from speaq.models.language_model import LanguageModel


class TextEnvironment(Protocol):
    """One episode at a time; a value of the protocol is cheap to make, so many run side by side.

    An action is a whole reply of the policy. What `reset` and `step` return is only what is new:
    the policy has everything said before in its context. Each built-in environment also knows its
    optimum, makes a log of stated quality (`log`), and brings a tokenizer and a small untrained
    model where ordinary text would be too much for the task.
    """

    def reset(
        self, *, seed: int | None = None, options: Mapping[str, Any] | None = None
    ) -> tuple[str, dict[str, Any]]:
        """Begin an episode; the same seed begins the same one.

        Returns:
            the first observation, not empty, and information.
        """

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """Answer a reply.

        Returns:
            the next observation (meaningless once it is terminated), the reward of the reply,
            terminated (it is over, nothing more can be earned), truncated (cut off: more could
            have been), and information.
        """


@runtime_checkable
class BringsModel(Protocol):
    """An environment with a small untrained model of its own."""

    def model(self, seed: int = 0) -> "LanguageModel":
        """The model; the same seed makes the same one."""


@runtime_checkable
class BringsLog(Protocol):
    """An environment with a log of a stated quality."""

    def log(self) -> "list[Episode]":
        """The log."""
