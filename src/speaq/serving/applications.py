"""The route of each application: `POST /v1/NAME` takes the fields of its request.

The answer comes in one piece, or with `stream` as server-sent events: `{"text": PIECE}` as pieces
become certain, then the whole answer, then `[DONE]`.
"""

import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import MISSING, Field, fields
from typing import Any, get_type_hints

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, create_model, model_validator
from pydantic import Field as Described

from speaq.apps.application import Answer
from speaq.core.errors import SpeaqError
from speaq.serving.counter import Counter
from speaq.serving.errors import error_body, refusal_of
from speaq.serving.following import CancellingResponse, Following, GoneError, Said
from speaq.serving.questions import consent_of
from speaq.serving.routes import event
from speaq.serving.schemas import Short, writable


class ApplicationRequest(BaseModel):
    """What every application's route takes beside the fields of its own."""

    model_config = ConfigDict(extra="forbid")

    stream: bool = False
    user: Short | None = Described(
        default=None, description="a pseudonym of the person; stored, and what erasure goes by"
    )
    store: bool | None = Described(
        default=None, description="false: nothing may be learnt from this answer; true: it may"
    )

    @model_validator(mode="before")
    @classmethod
    def _writable(cls, values: Any) -> Any:
        _check_texts(values)
        return values


def router(counters: Sequence[Counter]) -> APIRouter:
    """The routes of all applications, and /v1/applications, which lists them."""
    routes = APIRouter()

    @routes.get("/v1/applications")
    async def applications() -> dict[str, Any]:
        """The applications there are, and what answers in each."""
        listed = [
            {"id": each.name, "object": "application", "model": each.application.model}
            for each in counters
        ]
        return {"object": "list", "data": listed}

    for counter in counters:
        _add(routes, counter)
    return routes


def _add(routes: APIRouter, counter: Counter) -> None:
    shape = request_model(counter.name, counter.application.request)

    # The annotation is looked at when the route is made; it is this application's own.
    async def respond(body: shape, request: Request) -> Response:  # type: ignore[valid-type]
        return await _respond(counter, body, request)

    respond.__doc__ = f"Ask the application '{counter.name}'."
    routes.post(f"/v1/{counter.name}", response_model=None, name=counter.name)(respond)


def request_model(name: str, request: type[Any]) -> type[ApplicationRequest]:
    """The body of an application's route: the fields of its request, and the common ones."""
    kinds = get_type_hints(request)
    own: dict[str, Any] = {
        each.name: (kinds[each.name], _default(each)) for each in fields(request)
    }
    title = f"{name.capitalize()}Request"
    made: type[ApplicationRequest] = create_model(title, __base__=ApplicationRequest, **own)
    return made


def _default(field: Field[Any]) -> Any:
    if field.default is not MISSING:
        return field.default
    if field.default_factory is not MISSING:
        return Described(default_factory=field.default_factory)
    return ...


async def _respond(counter: Counter, body: ApplicationRequest, request: Request) -> Response:
    kind = counter.application.request
    asked = kind(**{each.name: getattr(body, each.name) for each in fields(kind)})
    following: Following[str | Answer] = Following()
    consent = consent_of(body.store, counter.consent)
    ticket = counter.ask(
        asked, lambda said: following.emit(0, said), subject=body.user, consent=consent
    )
    following.follow(ticket)
    try:
        # Nothing is sent before there is something to say: an early failure has its own status.
        heard = await following.next(request)
        if body.stream:
            events = _events(request, following, heard)
            return CancellingResponse(
                events,
                following,
                media_type="text/event-stream",
                headers={"Cache-Control": "no-store"},
            )
        while heard is not None and not isinstance(heard.what, Answer):
            heard = await following.next(request)
    except GoneError:
        return Response(status_code=499)
    assert heard is not None and isinstance(heard.what, Answer)
    return JSONResponse(whole(heard.what))


async def _events(
    request: Request,
    following: Following[str | Answer],
    heard: Said[str | Answer] | None,
) -> AsyncIterator[str]:
    try:
        while heard is not None:
            what = heard.what
            yield event(whole(what) if isinstance(what, Answer) else {"text": what})
            heard = await following.next(request)
    except GoneError:
        return
    except SpeaqError as error:
        yield event(error_body(refusal_of(error), request.headers))
        return
    yield "data: [DONE]\n\n"


def whole(answer: Answer) -> dict[str, Any]:
    """An answer as JSON."""
    return {
        "id": answer.id,
        "object": "answer",
        "created": int(time.time()),
        "app": answer.episode.app,
        "model": answer.episode.model,
        "text": answer.text,
        "details": dict(answer.details),
    }


def _check_texts(values: Any) -> None:
    """Refuse texts that could not be stored, however deep they stand."""
    if isinstance(values, str):
        writable(values)
    elif isinstance(values, Mapping):
        for name, value in values.items():
            _check_texts(name)
            _check_texts(value)
    elif isinstance(values, list | tuple):
        for value in values:
            _check_texts(value)
