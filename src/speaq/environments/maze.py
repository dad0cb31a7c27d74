"""A maze told in words: walls around you, one move a turn, the log lost in it.

The maze of LMRL-Gym (Abdulhai et al. 2023; read in its source): thirteen columns, ten rows, two
T-shaped corridors that end in a third, the goal at its foot, row 8 and column 6. A move costs 1,
the one that arrives costs nothing, a reply that is no move costs 4 and does not move. After 100
replies the episode is cut off. Observations begin with where the goal is; each says which walls
are around, and, where the maze is *fully* observed, where one is.

Optima, exact (`optimum`), as means over the 25 starts, each as likely:

    full     -6.84  the shortest ways; the figure LMRL-Gym publishes as its best
    partly   -7.24  of any policy that remembers: it keeps account of where it may be, and always
             makes the move that costs least in expectation. LMRL-Gym's -25.75 is not an optimum
             in this sense

Log: 85 % of the episodes move at random. In 15 % a solver takes the shortest way while in one of
the three T's, and moves at random elsewhere; so the good pieces are all there, but hardly an
episode is good from end to end. Its mean return is -82.2, exactly (`quality`), near LMRL-Gym's -83.

Differences from LMRL-Gym: an action is one word; the goal is named once, not in every turn; the
hundredth move is the last, where there a hundred-and-first fails; which sub-mazes its solver knew
is not published, the T's are this file's reading.
"""

import math
from collections import defaultdict, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from statistics import fmean
from typing import TYPE_CHECKING, Any, Literal

from speaq.core.errors import SettingsError
from speaq.core.seeds import derive, generator
from speaq.core.settings import require
from speaq.environments.words import Words
from speaq.experience.episode import Episode, Turn

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from speaq.models.language_model import LanguageModel

Cell = tuple[int, int]  # row, column
Belief = tuple[Cell, ...]
"""Where one may be: sorted, each cell as often as it is likely."""

PLAN = (
    "#############",
    "#     #     #",
    "### ##### ###",
    "### ##### ###",
    "### ##### ###",
    "###       ###",
    "###### ######",
    "###### ######",
    "###### ######",
    "#############",
)
GOAL: Cell = (8, 6)
MOVES = {"up": (-1, 0), "down": (1, 0), "left": (0, -1), "right": (0, 1)}
SIDES = dict(zip(MOVES, ("above", "below", "left", "right"), strict=True))
LONGEST = 100
"""Replies in an episode."""
NONSENSE = -4.0
"""Reward of a reply that is no move."""
CELLS = tuple(
    (row, column) for row, line in enumerate(PLAN) for column, x in enumerate(line) if x == " "
)
STARTS = tuple(cell for cell in CELLS if cell != GOAL)
T_SHAPES = (
    frozenset((row, column) for row, column in CELLS if row < 5 and column < 6),
    frozenset((row, column) for row, column in CELLS if row < 5 and column > 6),
    frozenset((row, column) for row, column in CELLS if row >= 5),
)
_NUMBERS = tuple(str(number) for number in range(13))
WORDS = Words((*MOVES, "above", "below", "goal", "at", "walls", *_NUMBERS))


@dataclass(eq=False)
class Maze:
    """One episode at a time in the maze; its log; its optimum."""

    observed: Literal["full", "partly"] = "full"
    """Whether observations say where one is."""
    start: Cell | None = None
    """Where every episode begins; None: drawn by the seed of `reset`."""
    seed: int = 0
    """Of the log."""
    _here: Cell | None = field(default=None, init=False, repr=False)
    _moves: int = field(default=0, init=False, repr=False)

    def __post_init__(self) -> None:
        rules = {
            "observed": (self.observed in ("full", "partly"), "full / partly"),
            "start": (self.start is None or self.start in STARTS, "(row, column) of a free cell"),
        }
        require("maze", self, rules)

    def reset(
        self, *, seed: int | None = None, options: Mapping[str, Any] | None = None
    ) -> tuple[str, dict[str, Any]]:
        """Begin an episode. `options={"start": (1, 1)}` says where, else `start`, else `seed`.

        Returns:
            the first observation; where it is and how many moves the goal is away.

        Raises:
            SettingsError: a start that is a wall or the goal.
        """
        start = (options or {}).get("start", self.start)
        if start is None:
            stream = generator(self.seed if seed is None else seed, "maze", "start")
            start = STARTS[int(stream.integers(len(STARTS)))]
        if start not in STARTS:
            raise SettingsError(
                f"a maze cannot start at {start}; it must be a free cell (row, column) other than "
                f"the goal {GOAL}.",
                f"迷宫不能从 {start} 出发；须为目标 {GOAL} 以外的空格（行, 列）。",
            )
        self._here, self._moves = start, 0
        return self.opening(start), {"start": start, "distance": distances()[start]}

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """Move `up`, `down`, `left` or `right`; a move into a wall leaves one where one is.

        Returns:
            the next observation, the reward (0 on arrival, -1 for a move, -4 for nonsense),
            terminated (arrived), truncated (the hundredth reply), and where one is.
        """
        if self._here is None:
            raise RuntimeError("reset must be called before step")
        move = action.strip()
        if move in MOVES:
            self._here = moved(self._here, move)
        here, self._moves = self._here, self._moves + 1
        arrived, out_of_time = here == GOAL, self._moves == LONGEST
        if arrived or out_of_time:
            self._here = None
        reward = 0.0 if arrived else -1.0 if move in MOVES else NONSENSE
        return self.observation(here), reward, arrived, out_of_time and not arrived, {"at": here}

    def opening(self, start: Cell) -> str:
        """The first observation."""
        return f"goal {GOAL[0]} {GOAL[1]} {self.observation(start)}"

    def observation(self, cell: Cell) -> str:
        """What is seen in a cell, such as `walls below left at 5 3` or `walls below left`."""
        walls = " ".join(["walls", *(SIDES[move] for move in MOVES if moved(cell, move) == cell)])
        return f"{walls} at {cell[0]} {cell[1]}" if self.observed == "full" else walls

    def log(self, episodes: int = 1240) -> list[Episode]:
        """Episodes as the file's head says, with the exact tokens and propensities of the moves.

        Of two logs of one maze the shorter is the beginning of the longer.
        """
        return [self._episode(number) for number in range(episodes)]

    def quality(self) -> float:
        """The exact mean return of the log's episodes."""
        solvers = [_mean_return(solved) for solved in T_SHAPES]
        return 0.85 * _mean_return(frozenset()) + 0.15 * sum(solvers) / len(solvers)

    def optimum(self) -> float:
        """The exact mean return over the starts of the best policy there is; see the file's head.

        Fully observed, it is breadth-first search from the goal; partly, value iteration over
        everything one may believe about where one is.
        """
        if self.observed == "full":
            return -sum(distances()[start] - 1 for start in STARTS) / len(STARTS)
        cost = BeliefSearch(self).cost
        return -sum(cost[belief] for belief in self.told_apart(STARTS)) / len(STARTS)

    def told_apart(self, cells: Belief) -> list[Belief]:
        """What one may believe after an observation, from what one believed before it."""
        groups: dict[str, list[Cell]] = defaultdict(list)
        for cell in cells:
            groups[self.observation(cell)].append(cell)
        return [tuple(sorted(group)) for group in groups.values()]

    @property
    def tokenizer(self) -> "PreTrainedTokenizerBase":
        """One token a word: 24 tokens."""
        return WORDS.tokenizer

    def model(self, seed: int = 0) -> "LanguageModel":
        """An untrained Llama, 2 layers of 64, that can hold a whole episode."""
        return WORDS.model("maze", seed)

    def _episode(self, number: int) -> Episode:
        stream = generator(self.seed, "maze", "log", number)
        here = STARTS[int(stream.integers(len(STARTS)))]
        kind = "solver" if stream.random() < 0.15 else "random"
        solved = T_SHAPES[int(stream.integers(len(T_SHAPES)))] if kind == "solver" else frozenset()
        turns: list[Turn] = [Turn("observation", self.opening(here))]
        for luck in stream.random(LONGEST):
            likely = policy(here, solved)
            move = likely[int(luck * len(likely))]
            here = moved(here, move)
            reward = 0.0 if here == GOAL else -1.0
            turns.append(WORDS.reply(move, [-math.log(len(likely))], reward))
            if here == GOAL:
                break
            turns.append(Turn("observation", self.observation(here)))
        return Episode(
            turns=tuple(turns),  # a cut one ends with what was still seen
            id=f"{derive(self.seed, 'maze', self.observed, number):016x}",
            time=0.0,
            app="maze",
            tokenizer=WORDS.fingerprint,
            truncated=here != GOAL,
            tags={"policy": kind},
        )


class BeliefSearch:
    """The partly observed maze, solved.

    Attributes:
        cost: of each belief that can be met, the moves still to be paid, summed over its cells.
        best: the move that costs least.
    """

    def __init__(self, maze: Maze) -> None:
        ways = _reachable(maze)
        self.cost: dict[Belief, float] = dict.fromkeys(ways, 0.0)
        self.best: dict[Belief, str] = {}
        # From costs that are too low they rise to the true ones, which are whole numbers.
        changed = True
        while changed:
            changed = False
            for belief, after in ways.items():
                costs = {
                    move: sum(len(group) + self.cost[group] for group in groups)
                    for move, groups in after.items()
                }
                self.best[belief] = min(costs, key=lambda move: costs[move])
                least = costs[self.best[belief]]
                changed |= least != self.cost[belief]
                self.cost[belief] = least


def _reachable(maze: Maze) -> dict[Belief, dict[str, list[Belief]]]:
    """Of each belief one may come to hold, what each move can lead to; arriving is left out."""
    ways: dict[Belief, dict[str, list[Belief]]] = {}
    waiting = maze.told_apart(STARTS)
    while waiting:
        belief = waiting.pop()
        if belief in ways:
            continue
        ways[belief] = {}
        for move in MOVES:
            there = tuple(after for cell in belief if (after := moved(cell, move)) != GOAL)
            ways[belief][move] = maze.told_apart(there)
            waiting += ways[belief][move]
    return ways


def moved(cell: Cell, move: str) -> Cell:
    """Where a move leads; into a wall, nowhere."""
    there = cell[0] + MOVES[move][0], cell[1] + MOVES[move][1]
    return cell if PLAN[there[0]][there[1]] == "#" else there


def policy(cell: Cell, solved: frozenset[Cell]) -> tuple[str, ...]:
    """The moves the log's policy makes, each as likely: the best where `solved`, else any."""
    if cell not in solved:
        return tuple(MOVES)
    return (min(MOVES, key=lambda move: distances()[moved(cell, move)]),)


@cache
def distances() -> dict[Cell, int]:
    """Moves from each cell to the goal, breadth-first from it; every move can be undone."""
    distance = {GOAL: 0}
    waiting = deque([GOAL])
    while waiting:
        cell = waiting.popleft()
        for move in MOVES:
            there = moved(cell, move)
            if there not in distance:
                distance[there] = distance[cell] + 1
                waiting.append(there)
    return distance


def _mean_return(solved: frozenset[Cell]) -> float:
    """Of the log's policy over all starts, by value iteration over what time is left."""
    values = dict.fromkeys(CELLS, 0.0)
    for _ in range(LONGEST):
        values = {
            cell: 0.0
            if cell == GOAL
            else fmean(
                values[after] - (after != GOAL)
                for after in (moved(cell, move) for move in policy(cell, solved))
            )
            for cell in CELLS
        }
    return fmean(values[start] for start in STARTS)
