"""Star graphs: a task on which imitating next tokens must fail and values need not.

`degree` arms leave one centre; the prompt lists all edges in random order and names the centre
and, last, the end of one arm, and the reply must walk there, one node a token. Nodes are renamed
at random in each prompt. Which arm is right can only be told by following it back from its end, and
the log, which picks arms at random, is right one time in `degree`. Whoever imitates it stays at
that chance; the optimum is 1.

Hindsight (Andrychowicz et al. 2017) makes easier questions of the same log: a walk also tells
whether it comes by any other node, and nodes near the centre need less search.

After Bachmann & Nagarajan (2024, *The pitfalls of next-token prediction*) and Zhou et al. (2025,
Q#); written anew.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from string import ascii_letters
from typing import TYPE_CHECKING

import numpy as np

from speaq.core.errors import SettingsError
from speaq.core.seeds import derive, generator
from speaq.environments.letters import letter_tokenizer
from speaq.experience.episode import Episode, Turn

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

OPTIMUM = 1.0


class StarGraph:
    """G(degree, length): arms of `length` nodes, the centre counted.

    Args:
        degree: arms, at least 2.
        length: nodes from the centre to the end of an arm, at least 2.
        seed: of prompts and log.
        letters: how many letters there are to name the nodes by, at most 52; 0 takes as many as
            there are nodes. The fewer, the sooner a model has met them all.

    Raises:
        SettingsError: too small, or more nodes than letters.
    """

    def __init__(
        self, degree: int = 2, length: int = 5, seed: int = 0, letters: int = len(ascii_letters)
    ) -> None:
        nodes = 1 + degree * (length - 1)
        if degree < 2 or length < 2 or nodes > (letters or len(ascii_letters)):
            raise SettingsError(
                f"star graph of degree = {degree} and length = {length} has {nodes} nodes; both "
                f"must be at least 2 and the nodes at most {letters or len(ascii_letters)}.",
                f"degree = {degree}、length = {length} 的星形图有 {nodes} 个节点；"
                f"两者至少为 2，节点至多 {letters or len(ascii_letters)} 个。",
            )
        self.degree, self.length, self.seed = degree, length, seed
        self.nodes = nodes
        self.letters = ascii_letters[: letters or nodes]

    @property
    def chance(self) -> float:
        """What the log's policy, and a perfect imitation of it, earns: 1 / degree."""
        return 1 / self.degree

    def prompt(self, number: int, split: str = "train") -> str:
        """One prompt: edges, centre and goal, such as `ab,ca,cd,de>cb`."""
        stream = generator(self.seed, "star-graph", split, number)
        letters = stream.permutation(list(self.letters))[: self.nodes]
        centre, arms = letters[0], letters[1:].reshape(self.degree, self.length - 1)
        edges = [
            f"{one}{other}" for arm in arms for one, other in zip([centre, *arm], arm, strict=False)
        ]
        goal = arms[int(stream.integers(self.degree)), -1]
        return f"{','.join(stream.permutation(edges))}>{centre}{goal}"

    def arms(self, prompt: str) -> list[str]:
        """The nodes of each arm of a prompt, the centre left out."""
        edges, question = prompt.split(">")
        pairs = [(edge[0], edge[1]) for edge in edges.split(",")]
        after = dict(pairs)  # an arm's node has one successor; the centre's is not asked for
        arms = []
        for start, node in pairs:
            if start == question[0]:
                arm = node
                while arm[-1] in after:
                    arm += after[arm[-1]]
                arms.append(arm)
        return arms

    def solution(self, prompt: str) -> str:
        """The one reply that earns 1."""
        return next(arm for arm in self.arms(prompt) if arm[-1] == prompt[-1])

    def reward(self, episode: Episode) -> float:
        """1 for the way to the goal, else 0. A `Reward`, see `speaq.experience.rewards`."""
        return float(episode.reply == self.solution(episode.prompt))

    def log(self, episodes: int) -> list[Episode]:
        """A new prompt each, answered by walking an arm chosen at random."""
        log = []
        for number in range(episodes):
            prompt = self.prompt(number)
            stream = generator(self.seed, "star-graph", "arm", number)
            walked = sorted(self.arms(prompt))[int(stream.integers(self.degree))]
            log.append(
                Episode(
                    turns=(Turn("observation", prompt), Turn("action", walked)),
                    id=f"{derive(self.seed, 'star-graph', self.degree, self.length, number):016x}",
                    time=0.0,
                    app="star-graph",
                    reward=float(walked == self.solution(prompt)),
                )
            )
        return log

    def hindsight(self, log: Sequence[Episode], depth: int, seed: int = 0) -> list[Episode]:
        """The same walks, asked for other nodes; half of them come by the node they are asked for.

        Args:
            log: of `log`.
            depth: steps from the centre to the new goal, 1 to length - 1.
            seed: of the goals.

        Returns:
            one episode for each of the log; its reward is 1 if the walk comes by the goal.
        """
        asked = []
        for number, episode in enumerate(log):
            stream = generator(seed, "star-graph", "hindsight", depth, number)
            walked = episode.reply
            others = [arm for arm in self.arms(episode.prompt) if arm != walked]
            passed = bool(stream.integers(2))
            arm = walked if passed else others[int(stream.integers(len(others)))]
            turns = (Turn("observation", episode.prompt[:-1] + arm[depth - 1]), episode.turns[1])
            name = f"{derive(seed, 'star-graph', 'hindsight', episode.id, depth):016x}"
            asked.append(replace(episode, turns=turns, id=name, reward=float(passed)))
        return asked

    def score(self, prompts: list[str], replies: list[str]) -> float:
        """Share of replies that are the solution."""
        right = [reply == self.solution(p) for p, reply in zip(prompts, replies, strict=True)]
        return float(np.mean(right))

    @cached_property
    def tokenizer(self) -> "PreTrainedTokenizerBase":
        """One token for each letter and each of `,>`, and two marks: 56."""
        return letter_tokenizer([*ascii_letters, *",>"])
