"""The programs' side of a language model: completions, and which model there is."""

import json
import time
from collections.abc import AsyncIterator
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse

from speaq.core.errors import SpeaqError
from speaq.serving.answering import Desk, Ended, Piece, new_id
from speaq.serving.errors import error_body, refusal_of
from speaq.serving.following import CancellingResponse, Following, GoneError, Said
from speaq.serving.openai import Kind, Shape
from speaq.serving.questions import Asked, from_chat, from_completion, require_model
from speaq.serving.schemas import ChatRequest, CompletionRequest

_ID_KINDS: dict[Kind, str] = {"chat": "chatcmpl", "completion": "cmpl"}


def router(desk: Desk) -> APIRouter:
    """The routes over one desk."""
    routes = APIRouter()
    started = int(time.time())

    @routes.post("/v1/chat/completions", response_model=None)
    async def chat(body: ChatRequest, request: Request) -> Response:
        """Reply to a conversation."""
        asked = await run_in_threadpool(from_chat, desk, body)
        return await _answer(desk, request, body, asked, "chat", logprobs=bool(body.logprobs))

    @routes.post("/v1/completions", response_model=None)
    async def completion(body: CompletionRequest, request: Request) -> Response:
        """Continue a text."""
        asked = await run_in_threadpool(from_completion, desk, body)
        wanted = body.logprobs is not None
        return await _answer(desk, request, body, asked, "completion", logprobs=wanted)

    def described() -> dict[str, Any]:
        name = desk.model.name
        return {"id": name, "object": "model", "created": started, "owned_by": "speaq"}

    @routes.get("/v1/models")
    async def models() -> dict[str, Any]:
        """The one model there is."""
        return {"object": "list", "data": [described()]}

    @routes.get("/v1/models/{name:path}")
    async def model(name: str) -> dict[str, Any]:
        """The model, if it has this name."""
        require_model(desk.model, name)
        return described()

    return routes


def no_models() -> APIRouter:
    """What clients ask first, where only applications are served."""
    routes = APIRouter()

    @routes.get("/v1/models")
    async def models() -> dict[str, Any]:
        """There is no language model here."""
        return {"object": "list", "data": []}

    return routes


async def _answer(
    desk: Desk,
    request: Request,
    body: ChatRequest | CompletionRequest,
    asked: Asked,
    kind: Kind,
    *,
    logprobs: bool,
) -> Response:
    answer_id = new_id(_ID_KINDS[kind])
    shape = Shape(desk.model, kind, answer_id, logprobs=logprobs)
    following: Following[Piece | Ended] = Following()
    ticket = desk.ask(asked.questions, answer_id, following.emit, shown=body.stream)
    following.follow(ticket)
    try:
        # Nothing is sent before there is something to say, so that an early failure still gets
        # its own status.
        first = await following.next(request)
        if not body.stream:
            return JSONResponse(await _whole(request, following, first, shape, asked))
    except GoneError:
        return Response(status_code=499)
    with_usage = body.stream_options is not None and body.stream_options.include_usage
    events = _events(request, following, first, shape, asked.prompt_tokens if with_usage else None)
    return CancellingResponse(
        events, following, media_type="text/event-stream", headers={"Cache-Control": "no-store"}
    )


async def _whole(
    request: Request,
    following: Following[Piece | Ended],
    heard: Said[Piece | Ended] | None,
    shape: Shape,
    asked: Asked,
) -> dict[str, Any]:
    pieces: list[list[Piece]] = [[] for _ in asked.questions]
    ends: list[Ended] = []
    while heard is not None:
        if isinstance(heard.what, Ended):
            ends.append(heard.what)
        else:
            pieces[heard.choice].append(heard.what)
        heard = await following.next(request)
    return shape.whole(list(zip(pieces, ends, strict=True)), asked.prompt_tokens)


async def _events(
    request: Request,
    following: Following[Piece | Ended],
    heard: Said[Piece | Ended] | None,
    shape: Shape,
    prompt_tokens: int | None,
) -> AsyncIterator[str]:
    begun: set[int] = set()
    drawn = 0
    try:
        while heard is not None:
            what = heard.what
            if heard.choice not in begun and isinstance(what, Ended):
                # An empty reply: its one chunk of text says so.
                yield event(shape.chunk(heard.choice, Piece("", ()), first=True))
            if isinstance(what, Ended):
                drawn += len(what.tokens)
                yield event(shape.last_chunk(heard.choice, what.how))
            else:
                yield event(shape.chunk(heard.choice, what, first=heard.choice not in begun))
            begun.add(heard.choice)
            heard = await following.next(request)
    except GoneError:
        return
    except SpeaqError as error:
        yield event(error_body(refusal_of(error), request.headers))
        return
    if prompt_tokens is not None:
        yield event(shape.usage_chunk(prompt_tokens, drawn))
    yield "data: [DONE]\n\n"


def event(data: dict[str, Any]) -> str:
    """One server-sent event."""
    return f"data: {json.dumps(data, ensure_ascii=False)}\n\n"
