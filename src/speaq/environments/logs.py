"""Logs made by sampling a model: episodes with exact tokens and propensities."""

from collections.abc import Sequence

from speaq.core.seeds import derive
from speaq.experience.episode import Episode, Turn
from speaq.models.chat import Message, opening
from speaq.models.decoding import Decoding
from speaq.models.language_model import LanguageModel
from speaq.models.sampling import Sample, sample


def generate_log(
    model: LanguageModel,
    prompts: Sequence[str],
    samples: int,
    decoding: Decoding,
    *,
    seed: int,
    beta: float = 0.0,
    title: str = "sampling replies",
) -> tuple[list[Episode], list[Sample]]:
    """Draw `samples` replies to each prompt: one episode each, and the samples behind them.

    The same call gives the same episodes with the same ids, so that adding them to a store twice
    changes nothing. A reply stopped by the length limit is whole as far as a reader is concerned,
    so its episode is not marked truncated: nothing follows that could still earn.
    """
    openings = [opening(model, [Message("user", prompt)]) for prompt in prompts]
    drawn = sample(model, openings, samples, decoding, seed=seed, beta=beta, title=title)
    episodes = []
    for number, each in enumerate(drawn):
        prompt = prompts[each.prompt]
        text = model.decode(each.token_ids)
        turn = Turn("action", text, token_ids=each.token_ids, logprobs=each.logprobs)
        place = derive(seed, model.name, repr(decoding), f"{beta:g}", prompt, number % samples)
        episodes.append(
            Episode(
                turns=(Turn("observation", prompt), turn),
                id=f"{place:016x}",
                model=model.name,
                tokenizer=model.tokenizer_fingerprint,
                tags={
                    **{name: f"{value:g}" for name, value in decoding.facts().items()},
                    "beta": f"{beta:g}",
                    "finished": "yes" if each.finished else "no",
                },
            )
        )
    return episodes, drawn
