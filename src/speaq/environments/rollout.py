"""Playing many episodes side by side: a model's replies against text environments."""

from collections.abc import Sequence
from dataclasses import dataclass

from speaq.core.seeds import derive
from speaq.environments.environment import TextEnvironment
from speaq.experience.episode import Episode, Turn
from speaq.models.chat import Message, continuation, opening
from speaq.models.decoding import Decoding
from speaq.models.exploration import Exploration
from speaq.models.language_model import LanguageModel
from speaq.models.sampling import Sample, sample


@dataclass
class _Play:
    """One episode while it is played."""

    environment: TextEnvironment
    name: str
    turns: list[Turn]
    context: list[int]
    """Tokens up to where the next reply begins."""
    said: list[Message]
    """Messages before the next reply."""
    over: bool = False
    truncated: bool = False


def roll_out(
    model: LanguageModel,
    environments: Sequence[TextEnvironment],
    decoding: Decoding,
    *,
    seed: int,
    beta: float = 0.0,
    explore: Exploration | None = None,
    most_turns: int = 1000,
    title: str = "playing",
) -> list[Episode]:
    """Play one episode in each environment, and return them with tokens, propensities, rewards.

    All live episodes take their next turn in one batch. An episode is cut off, and marked so, by
    the environment, by `most_turns`, or where the model's context leaves no room for a reply.

    Args:
        model: writes the replies.
        environments: one for each episode; number i begins from a seed of its own, the same in
            every call with the same `seed`.
        decoding: how replies are drawn, and the longest.
        seed: of beginnings and replies.
        beta: of the guided policy.
        explore: see `sampling.sample`.
        most_turns: replies in the longest episode.
        title: of the progress bar.
    """
    plays = [_begin(model, each, i, seed) for i, each in enumerate(environments)]
    for turn in range(most_turns):
        for play in plays:
            if not play.over and model.room(len(play.context)) < decoding.max_new_tokens:
                play.over = play.truncated = True
        live = [play for play in plays if not play.over]
        if not live:
            break
        drawn = sample(
            model,
            [play.context for play in live],
            1,
            decoding,
            seed=derive(seed, "turn", turn),
            beta=beta,
            explore=explore,
            title=f"{title}, turn {turn + 1}",
        )
        for play, reply in zip(live, drawn, strict=True):
            _take_turn(model, play, reply)
    return [_episode(model, play) for play in plays if len(play.turns) > 1]


def _begin(model: LanguageModel, environment: TextEnvironment, number: int, seed: int) -> _Play:
    first, _ = environment.reset(seed=derive(seed, "episode", number))
    said = [Message("user", first)]
    name = f"{derive(seed, 'roll-out', number):016x}"
    turns = [Turn("observation", first)]
    return _Play(environment, name, turns, opening(model, said), said)


def _take_turn(model: LanguageModel, play: _Play, reply: Sample) -> None:
    """Let the environment answer, and note reply, reward and answer."""
    text = model.decode(reply.token_ids)
    answer, reward, terminated, truncated, _ = play.environment.step(text)
    play.turns.append(
        Turn("action", text, token_ids=reply.token_ids, logprobs=reply.logprobs, reward=reward)
    )
    play.over, play.truncated = terminated or truncated, truncated and not terminated
    if terminated or (truncated and not answer):
        return
    play.turns.append(Turn("observation", answer))
    heard = [Message("user", answer)]
    play.context += reply.token_ids
    play.context += continuation(model, play.said, text, reply.finished, heard)
    play.said += [Message("assistant", text), *heard]


def _episode(model: LanguageModel, play: _Play) -> Episode:
    # Where an episode was cut off, what was heard last tells what might have followed.
    full = len(play.context) > model.context_length
    unanswered = play.turns[-1].role == "observation"
    return Episode(
        turns=tuple(play.turns[:-1] if unanswered and full else play.turns),
        id=play.name,
        time=0.0,
        app="roll-out",
        model=model.name,
        tokenizer=model.tokenizer_fingerprint,
        truncated=play.truncated or not play.over,
    )
