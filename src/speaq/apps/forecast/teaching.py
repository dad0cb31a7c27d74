"""Forecasts as a log to learn from: each word of a sampled path earns what it missed by.

The reward of a step is minus its absolute error in deviations of the past, so the return of a
path is minus its summed error, and whatever learns from logs (DQN and its family, cloning, the
gate) can learn to foretell better than its teacher samples.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from speaq.apps.application import recorded
from speaq.apps.forecast.tokens import (
    TokenSettings,
    futures,
    prompt_of,
    said,
    scales,
    settings_of,
)
from speaq.core.errors import DataError
from speaq.core.files import digest
from speaq.core.seeds import derive
from speaq.experience.episode import Episode, Turn
from speaq.models.decoding import Decoding
from speaq.models.sampling import sample

if TYPE_CHECKING:
    from speaq.models.language_model import LanguageModel

Values = NDArray[np.float64]
_AT_ONCE = 64


def logged(
    model: "LanguageModel",
    series: Sequence[Values],
    samples: int,
    stride: int,
    *,
    seed: int,
    beta: float = 0.0,
) -> Iterator[Episode]:
    """Sampled forecasts wherever what followed is known, one episode each.

    The same call gives the same episodes with the same ids.

    Args:
        model: see `tokens.paths`.
        series: where forecasts begin and what followed.
        samples: forecasts from each beginning.
        stride: steps from one beginning to the next.
        seed: of the draws.
        beta: of the model's value head.

    Raises:
        DataError: no series is long enough.
    """
    settings, horizon = settings_of(model)
    length = settings.look_back + horizon
    places = [
        values[start : start + length]
        for values in series
        for start in range(0, len(values) - length + 1, stride)
    ]
    if not places:
        raise DataError(
            f"no series has the {length} values that one forecast and its outcome need.",
            f"没有序列达到一次预测及其结果所需的 {length} 个值。",
        )
    decoding = Decoding(max_new_tokens=horizon + 1)
    for start in range(0, len(places), _AT_ONCE):
        part = places[start : start + _AT_ONCE]
        texts = [prompt_of(window[: settings.look_back], settings) for window in part]
        prompts = [model.encode_prompt(text) for text in texts]
        own = derive(seed, model.name, start)
        for number, each in enumerate(
            sample(model, prompts, samples, decoding, seed=own, beta=beta, title="forecasting")
        ):
            window = part[each.prompt]
            steps, missing = earned(each.token_ids, window, settings, horizon)
            reply = Turn(
                "action",
                model.decode(each.token_ids),
                token_ids=each.token_ids,
                logprobs=each.logprobs,
                reward=missing,
                token_rewards=steps,
            )
            name = digest(texts[each.prompt], f"{seed} {start} {number} {beta:g}", model.name)
            episode = recorded(
                app="forecast",
                model=model.name,
                prompt=texts[each.prompt],
                reply=reply,
                answer_id=name[:16],
                tags={"beta": f"{beta:g}", "tokenizer": "bins"},
            )
            yield replace(episode, tokenizer=model.tokenizer_fingerprint, time=0.0)


def earned(
    tokens: Sequence[int], window: Values, settings: TokenSettings, horizon: int
) -> tuple[tuple[tuple[int, float], ...], float]:
    """What each word of a path earned, by where it ends in the text; and what the steps earned that
    a path which ended early left out, for which it stays where it was.

    Args:
        tokens: of the path.
        window: (look-back + horizon,) what was read and what followed.
        settings: the words.
        horizon: steps foretold.
    """
    past, followed = window[: settings.look_back], window[settings.look_back :]
    last, apart = scales(past)
    errors = np.abs(futures(tokens, settings, horizon) - (followed - last) / apart)
    words = [token for token in tokens if token < settings.bins][:horizon]
    ends = np.cumsum([len(said([word])) + 1 for word in words]) - 1
    placed = tuple((int(end), -float(error)) for end, error in zip(ends, errors, strict=False))
    return placed, -float(errors[len(words) :].sum())
