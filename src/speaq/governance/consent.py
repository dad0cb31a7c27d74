"""What a person's data may be used for.

Covers: whether a stored episode may be read for a purpose, by the purposes agreed to when it was
recorded. Enforced in one place, `ExperienceStore.iterate`.

Does not cover: data that never pass through a store (a file learnt from directly is the user's
own to answer for), what was learnt before consent was withdrawn (erase the person and retrain),
or whether the consent was asked for properly.
"""

LEARN = "learn"
"""The purpose of fitting or judging a model on episodes."""


def may_use(consent: tuple[str, ...] | None, purpose: str) -> bool:
    """Whether an episode with this consent may serve this purpose.

    Args:
        consent: purposes agreed to; None: nothing was asked, the data are the user's own.
        purpose: what they would be used for.
    """
    return consent is None or purpose in consent
