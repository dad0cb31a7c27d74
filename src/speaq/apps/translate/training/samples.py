"""A translator's own samples, rated: the log that Q-learning learns from.

Each is an episode with the exact tokens and their propensities; its feedback is the sentence's chrF
against the reference, so `speaq learn` and the gate read it like any log of ratings.
"""

from collections.abc import Sequence
from dataclasses import replace

from speaq.apps.translate.model.tags import (
    LanguageTokens,
    OwnTags,
    Tags,
    require_pair,
    tag,
    tags_of,
)
from speaq.apps.translate.training.measures import sentence_chrf
from speaq.apps.translate.training.parallel import Pair
from speaq.core.errors import SettingsError
from speaq.environments.logs import generate_log
from speaq.experience.episode import Episode, Feedback
from speaq.models.decoding import Decoding
from speaq.models.language_model import LanguageModel

SOURCE = "metric:chrf"


def rated_samples(
    model: LanguageModel,
    pairs: Sequence[Pair],
    samples: int,
    decoding: Decoding,
    *,
    seed: int,
    tags: Tags | None = None,
) -> list[Episode]:
    """`samples` translations of each pair's source, rated by chrF from 0 to 1.

    Args:
        model: draws them.
        pairs: sources, and the references they are rated by.
        samples: of each.
        decoding: how they are drawn; a temperature above 0.
        seed: of the draws.
        tags: of a model of several pairs of languages.
    """
    prompts = [prompt_of(pair, tags) for pair in pairs]
    episodes, drawn = generate_log(
        model, prompts, samples, decoding, seed=seed, title="sampling translations"
    )
    wanted = [pairs[each.prompt].target for each in drawn]
    rated = sentence_chrf([episode.reply.strip() for episode in episodes], wanted)
    return [
        replace(
            episode,
            app="translate",
            feedback=(Feedback("score", score / 100, episode.time, SOURCE, f"{episode.id}-chrf"),),
        )
        for episode, score in zip(episodes, rated, strict=True)
    ]


def sampled_tags(model: LanguageModel, pairs: Sequence[Pair]) -> Tags:
    """How the model is told the languages of the pairs.

    Raises:
        SettingsError: a pair that it does not have; or it is told them by tokens beside the text
            (NLLB, M2M), which an episode does not keep.
    """
    kind = str(model.causal.config.model_type)
    tags = tags_of(model.origin.source, model.facts, model.tokenizer, kind)
    if isinstance(tags, LanguageTokens):
        raise SettingsError(
            f"{model.name} is told its languages beside the text, which a log does not keep; train "
            "on it first: speaq translate train --model FOLDER.",
            f"{model.name} 的语言由文本之外的标记给出，日志无法保留；"
            "请先训练：speaq translate train --model 目录。",
        )
    for source, target in dict.fromkeys(pair.languages for pair in pairs):
        require_pair(tags.pairs, source, target)
    return tags


def prompt_of(pair: Pair, tags: Tags | None) -> str:
    """What the encoder reads, as text."""
    return f"{tag(pair.languages[1])}{pair.source}" if isinstance(tags, OwnTags) else pair.source
