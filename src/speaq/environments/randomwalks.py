"""Random walks: find the shortest way through a graph from having seen others get lost in it.

A directed graph of 21 nodes, each a letter; `a` is the goal. The log holds random walks of at most
ten nodes, and a walk that reaches the goal earns its optimality, (10 - nodes) / (10 - fewest
nodes); any other earns 0. Few walks are good from end to end, yet the good pieces are all there:
a method that stitches pieces finds the shortest paths, one that imitates whole walks does not.

The task is that of trlx's `examples/randomwalks` (after Chen et al. 2021, Decision Transformer,
section 5.4), drawn in the same order from the same stream, so that the same seed is the same
graph and log. Repaired: a seed whose goal cannot be reached in time from some start is refused,
where the reference divides 0 by 0.
"""

from collections import deque
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from speaq.core.errors import SettingsError
from speaq.core.seeds import derive, generator
from speaq.environments.letters import letter_tokenizer
from speaq.experience.episode import Episode, Turn

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from speaq.models.language_model import LanguageModel

GOAL = 0


class RandomWalks:
    """The graph, its log, and a Gymnasium-style interface to it.

    Args:
        seed: of graph and log.
        nodes: 2 to 26.
        edge_probability: of each directed edge.
        walks: episodes in the log.
        longest: most nodes of a walk, the start included.

    Raises:
        SettingsError: the goal cannot be reached in time from some node; names the nodes.
    """

    def __init__(
        self,
        seed: int = 1000,
        *,
        nodes: int = 21,
        edge_probability: float = 0.1,
        walks: int = 1000,
        longest: int = 10,
    ) -> None:
        if not 2 <= nodes <= 26:
            raise SettingsError(
                f"randomwalks setting nodes = {nodes} must be from 2 to 26, one letter each.",
                f"randomwalks 的 nodes = {nodes} 必须在 2 到 26 之间，每个节点一个字母。",
            )
        self.seed = seed
        self.longest = longest
        self.letters = "".join(chr(ord("a") + node) for node in range(nodes))
        stream = np.random.RandomState(seed)
        self.edges = _graph(stream, nodes, edge_probability)
        """(nodes, nodes) bool, from row to column; the goal leads to itself only."""
        self.shortest = self._solved()
        """Fewest nodes from each start letter to the goal, both counted."""
        self.walks = [_walk(stream, self.edges, longest) for _ in range(walks)]
        """The log as node numbers."""
        self._start = ""

    @property
    def starts(self) -> list[str]:
        """Every letter but the goal's: the prompts."""
        return list(self.letters[1:])

    def optimality(self, walk: str) -> float:
        """What a walk earns, in [0, 1]: 1 for a shortest one, 0 for one that does not arrive.

        Only the part up to the first goal counts; a step along no edge earns 0.
        """
        nodes = [self.letters.find(letter) for letter in walk]
        if not nodes or nodes[0] in (-1, GOAL):
            return 0.0
        for place in range(1, min(len(nodes), self.longest)):
            if nodes[place] < 0 or not self.edges[nodes[place - 1], nodes[place]]:
                return 0.0
            if nodes[place] == GOAL:
                spare = self.longest - self.shortest[walk[0]]
                return (self.longest - place - 1) / spare
        return 0.0

    def log(self) -> list[Episode]:
        """The random walks as episodes: the start is the prompt, the rest the reply.

        A walk that did not arrive has ended as well: ten nodes are the rule, nothing follows.
        """
        episodes = []
        for number, nodes in enumerate(self.walks):
            walk = "".join(self.letters[node] for node in nodes)
            episodes.append(
                Episode(
                    turns=(Turn("observation", walk[0]), Turn("action", walk[1:])),
                    id=f"{derive(self.seed, 'randomwalks', number):016x}",
                    time=0.0,
                    app="randomwalks",
                    reward=self.optimality(walk),
                )
            )
        return episodes

    def reset(
        self, *, seed: int | None = None, options: Mapping[str, Any] | None = None
    ) -> tuple[str, dict[str, Any]]:
        """Begin a walk. `options={"start": "c"}` names the start, else `seed` draws it.

        Returns:
            the start, and the fewest nodes a walk from there can take.
        """
        start = (options or {}).get("start")
        if start is None:
            stream = generator(self.seed if seed is None else seed, "randomwalks", "start")
            start = self.starts[int(stream.integers(len(self.starts)))]
        if start not in self.shortest:
            raise SettingsError(
                f"randomwalks cannot start at '{start}'; starts are {', '.join(self.starts)}.",
                f"randomwalks 不能从“{start}”出发；起点可为 {'、'.join(self.starts)}。",
            )
        self._start = start
        return start, {"shortest": self.shortest[start]}

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """Walk from the start through the nodes of `action`, one letter each: a whole episode.

        Returns:
            nothing to read, what the walk earned, terminated (always: nothing follows a walk),
            truncated (never), and information (none).
        """
        if not self._start:
            raise RuntimeError("reset must be called before step")
        earned = self.optimality(self._start + action)
        self._start = ""
        return "", earned, True, False, {}

    @cached_property
    def tokenizer(self) -> "PreTrainedTokenizerBase":
        """One token for each letter, and two marks: 23 tokens for 21 nodes."""
        return letter_tokenizer(self.letters, self.longest + 1)

    def model(self, seed: int = 0) -> "LanguageModel":
        """An untrained GPT-2 of the reference's size, 6 layers of 144, without dropout."""
        import torch
        from transformers import GPT2Config, GPT2LMHeadModel

        from speaq.models.fingerprint import fingerprint
        from speaq.models.language_model import LanguageModel, Origin

        tokenizer = self.tokenizer
        config = GPT2Config(
            n_layer=6,
            n_embd=144,
            n_head=12,
            vocab_size=len(tokenizer),
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
            resid_pdrop=0.0,
            embd_pdrop=0.0,
            attn_pdrop=0.0,
        )
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derive(seed, "randomwalks", "model"))
            causal = GPT2LMHeadModel(config)
        causal.eval()
        return LanguageModel(causal, tokenizer, Origin("new:randomwalks", fingerprint(causal)))

    def _solved(self) -> dict[str, int]:
        """Breadth-first from the goal against the edges."""
        distance = {GOAL: 1}
        waiting = deque([GOAL])
        while waiting:
            node = waiting.popleft()
            for before in np.flatnonzero(self.edges[:, node]).tolist():
                if before not in distance:
                    distance[before] = distance[node] + 1
                    waiting.append(before)
        lost = [
            letter
            for node, letter in enumerate(self.letters)
            if distance.get(node, self.longest) >= self.longest
        ]
        if lost:
            raise SettingsError(
                f"randomwalks seed {self.seed} has no solution: from {', '.join(lost)} the goal "
                f"cannot be reached in fewer than {self.longest} nodes; choose another seed.",
                f"randomwalks 种子 {self.seed} 无解：从 {'、'.join(lost)} 出发无法在少于"
                f" {self.longest} 个节点内到达目标；请换一个种子。",
            )
        return {self.letters[node]: distance[node] for node in range(1, len(self.letters))}


def _graph(stream: np.random.RandomState, nodes: int, edge_probability: float) -> NDArray[np.bool_]:
    """Drawn until every node leads somewhere; then the goal is made to lead nowhere else."""
    while True:
        edges = stream.rand(nodes, nodes) > 1 - edge_probability
        np.fill_diagonal(edges, False)
        if edges.any(axis=1).all():
            break
    edges[GOAL] = False
    edges[GOAL, GOAL] = True
    return edges


def _walk(stream: np.random.RandomState, edges: NDArray[np.bool_], longest: int) -> list[int]:
    """A walk from a random start, each edge out of a node alike, until the goal or the limit."""
    node = GOAL
    while node == GOAL:
        node = int(stream.randint(len(edges)))
    walk = [node]
    while len(walk) < longest and node != GOAL:
        node = int(stream.choice(np.flatnonzero(edges[node])))
        walk.append(node)
    return walk
