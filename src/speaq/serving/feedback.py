"""What somebody made of an answer, whoever gave it: on disk before this says so."""

import time
from typing import Annotated, Protocol
from uuid import uuid4

from fastapi import APIRouter, Header

from speaq.experience.episode import Feedback, FeedbackValue
from speaq.experience.store import ExperienceStore
from speaq.serving.answering import choice_id
from speaq.serving.errors import refuse
from speaq.serving.schemas import FeedbackReceipt, FeedbackRequest


class Keeper(Protocol):
    """Where answers are kept."""

    @property
    def store(self) -> ExperienceStore:
        """The store of all answers."""
        ...

    def knows(self, episode_id: str) -> bool:
        """Whether an answer with this id was given."""
        ...


def router(keeper: Keeper) -> APIRouter:
    """The route /v1/feedback."""
    routes = APIRouter()

    @routes.post("/v1/feedback")
    def feedback(
        body: FeedbackRequest, idempotency_key: Annotated[str | None, Header()] = None
    ) -> FeedbackReceipt:
        """Keep what somebody made of an answer; it is on disk before this answers."""
        return keep_feedback(keeper, body, idempotency_key)

    return routes


def keep_feedback(
    keeper: Keeper, body: FeedbackRequest, header_key: str | None = None
) -> FeedbackReceipt:
    """Store feedback and say whether it was new.

    Raises:
        RefusedError: 404, no answer has this id.
        StorageError: the disk refused; nothing was acknowledged.
    """
    episode_id = choice_id(body.id, body.choice)
    if not keeper.knows(episode_id):
        raise refuse(
            404,
            f"no answer with id '{episode_id}' was given here.",
            f"这里没有给出过 id 为“{episode_id}”的回答。",
            param="id",
            code="answer_not_found",
        )
    key = body.key or header_key or uuid4().hex
    now = time.time()
    value = float(body.value) if type(body.value) is int else body.value
    events: list[tuple[str, FeedbackValue]] = [(body.kind, value)]
    if body.comment is not None:
        events.append(("comment", body.comment))
    if body.correction is not None:
        events.append(("correction", body.correction))
    fresh = [
        keeper.store.add_feedback(
            episode_id, Feedback(kind, said, now, body.source, f"{key}:{place}")
        )
        for place, (kind, said) in enumerate(events)
    ]
    return FeedbackReceipt(id=episode_id, stored=any(fresh))
