"""OpenAI's `/v1/audio/transcriptions` over the application `transcribe`.

A form with `file`, and as its clients send them `model` (any name: there is one engine),
`language`, `prompt`, `response_format` (json, text, srt, vtt, verbose_json) and
`timestamp_granularities[]`. The answer's id stands in the header `x-speaq-id`, for /v1/feedback.
"""

import base64
from typing import Any, Literal

from fastapi import APIRouter, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse, PlainTextResponse
from starlette.datastructures import FormData, UploadFile

from speaq.apps.application import Answer
from speaq.apps.transcribe.application import MOST_BASE64, TranscribeRequest
from speaq.serving.counter import Counter
from speaq.serving.errors import refuse
from speaq.serving.schemas import writable

FORMATS = ("json", "text", "srt", "vtt", "verbose_json")
MOST_BYTES = MOST_BASE64 // 4 * 3
"""Of a file."""


def router(counter: Counter) -> APIRouter:
    """The route."""
    routes = APIRouter()

    @routes.post("/v1/audio/transcriptions", response_model=None)
    async def transcriptions(request: Request) -> Response:
        """Transcribe a recording."""
        async with request.form() as form:
            wanted = _text(form, "response_format") or "json"
            if wanted not in FORMATS:
                raise refuse(
                    400,
                    f"response_format '{wanted}' is not one of {', '.join(FORMATS)}.",
                    f"response_format “{wanted}”应为 {'、'.join(FORMATS)} 之一。",
                    param="response_format",
                )
            asked = await _asked(form, wanted)
            by_word = "word" in form.getlist("timestamp_granularities[]")
        answer = await run_in_threadpool(counter.answer, asked)
        return _told(answer, wanted, by_word)

    return routes


async def _asked(form: FormData, wanted: str) -> TranscribeRequest:
    file = form.get("file")
    if not isinstance(file, UploadFile):
        raise refuse(400, "the form has no file.", "表单中没有文件。", param="file")
    content = await file.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise refuse(
            413,
            f"the file is larger than {MOST_BYTES >> 20} MB; cut it, or compress it.",
            f"文件超过 {MOST_BYTES >> 20} MB；请切分或压缩。",
            param="file",
        )
    shape: Literal["text", "srt", "vtt"] = "text"
    if wanted == "srt" or wanted == "vtt":
        shape = "srt" if wanted == "srt" else "vtt"
    return TranscribeRequest(
        audio=base64.b64encode(content).decode("ascii"),
        name=writable(file.filename or "audio"),
        language=_text(form, "language"),
        prompt=_text(form, "prompt"),
        format=shape,
    )


def _text(form: FormData, name: str) -> str:
    value = form.get(name, "")
    return writable(value) if isinstance(value, str) else ""


def _told(answer: Answer, wanted: str, by_word: bool) -> Response:
    headers = {"x-speaq-id": answer.id}
    if wanted in ("text", "srt", "vtt"):
        return PlainTextResponse(answer.text, headers=headers)
    if wanted == "json":
        return JSONResponse({"text": answer.text}, headers=headers)
    return JSONResponse(_verbose(answer, by_word), headers=headers)


def _verbose(answer: Answer, by_word: bool) -> dict[str, Any]:
    segments = answer.details["segments"]
    found: dict[str, Any] = {
        "task": "transcribe",
        "language": answer.details["language"],
        "duration": answer.details["duration"],
        "text": answer.text,
        "segments": [
            {"id": number, "start": each["start"], "end": each["end"], "text": each["text"]}
            for number, each in enumerate(segments)
        ],
    }
    if by_word:
        found["words"] = [
            {"word": word["text"], "start": word["start"], "end": word["end"]}
            for each in segments
            for word in each.get("words", ())
        ]
    return found
