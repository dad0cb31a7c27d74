"""Language modelling of a log's transcripts: what the small models of text games begin from.

Cloning learns what was said, and of that only; in a game most of what there is to know shows in
what was answered. A model that foresees answers has understood the game: which words are left,
where the last corridor led. So before any method learns from a log, one model learns to foresee
all of it, replies and answers alike, and every method begins with that model.
"""

from collections.abc import Sequence

from speaq.experience.episode import Episode, Turn
from speaq.models.language_model import LanguageModel
from speaq.training.encoding import encode_episodes


def transcripts(model: LanguageModel, log: Sequence[Episode]) -> list[Episode]:
    """Each episode as a single reply to its first token, so that cloning learns all of it."""
    whole = []
    for each in encode_episodes(model, log, lambda episode: 0.0):
        first, *rest = each.tokens.tolist()
        said = Turn("action", "transcript", token_ids=tuple(rest))
        whole.append(
            Episode(
                turns=(Turn("observation", model.decode([first])), said),
                id=each.id,
                tokenizer=model.tokenizer_fingerprint,
                reward=0.0,
            )
        )
    return whole
