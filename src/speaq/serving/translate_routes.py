"""LibreTranslate's routes over the application `translate`, for the clients that speak them.

`/translate`, `/detect`, `/languages`, `/suggest`, `/translate_file` and `/frontend/settings` take
JSON or forms and answer in LibreTranslate's shapes, errors as `{"error": SENTENCE}`. Where a
server wants keys, `api_key` in the body is as good as `Authorization: Bearer KEY`; who may ask is
known before a route is (`access.py`), and here the field is taken out.
"""

import secrets
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from pathlib import PurePath
from typing import Any, Literal

from fastapi import APIRouter, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse
from starlette.datastructures import UploadFile

from speaq.apps.application import Answer
from speaq.apps.translate.application import LONGEST, Translate, TranslateRequest
from speaq.apps.translate.files.documents import read_document, suffixes
from speaq.apps.translate.texts.languages import name_of, plain, ranked
from speaq.core.errors import DataError, SpeaqError
from speaq.serving.body_keys import FIELD, FORMS
from speaq.serving.counter import Counter
from speaq.serving.errors import refusal_of, refuse, speaks_chinese
from speaq.serving.schemas import writable

_RECENT = 1000
"""Answers that a suggestion is looked for among."""
_FILES = 16
"""Translated files that wait to be fetched; the oldest goes."""


_FORMATS: Mapping[str, Literal["text", "html"]] = {"text": "text", "html": "html"}


def router(counter: Counter) -> APIRouter:
    """The routes."""
    routes = APIRouter()
    desk = _Desk(counter)

    @routes.post("/translate", response_model=None)
    @_libre
    async def translate(request: Request) -> Any:
        """Translate a text, or several."""
        return await run_in_threadpool(desk.translate, await _fields(request))

    @routes.post("/detect", response_model=None)
    @_libre
    async def detect(request: Request) -> Any:
        """The languages a text may be in, with how sure that is in percent."""
        return desk.detect(await _fields(request))

    @routes.get("/languages", response_model=None)
    @_libre
    async def languages(request: Request) -> Any:
        """The languages there are, and into which each is translated."""
        return desk.languages(speaks_chinese(request.headers))

    @routes.post("/suggest", response_model=None)
    @_libre
    async def suggest(request: Request) -> Any:
        """Keep what a translation should have been, as feedback on it."""
        return await run_in_threadpool(desk.suggest, await _fields(request))

    @routes.post("/translate_file", response_model=None)
    @_libre
    async def translate_file(request: Request) -> Any:
        """Translate a file; the answer says where the translated one is."""
        fields = await _fields(request)
        name = await run_in_threadpool(desk.translate_file, fields)
        return {"translatedFileUrl": str(request.url_for("download_file", name=name))}

    @routes.get("/download_file/{name}", name="download_file", response_model=None)
    @_libre
    async def download_file(request: Request, name: str) -> Any:
        """A translated file."""
        return desk.file(name)

    @routes.get("/frontend/settings", response_model=None)
    @_libre
    async def settings(request: Request) -> Any:
        """What clients ask before they ask for more."""
        return desk.settings(speaks_chinese(request.headers), request.app.state.keyed)

    return routes


def _libre(route: Callable[..., Any]) -> Callable[..., Any]:
    """Errors in LibreTranslate's shape."""

    @wraps(route)
    async def answered(request: Request, **more: Any) -> Response:
        try:
            said = await route(request, **more)
        except SpeaqError as error:
            refusal = refusal_of(error)
            message = refusal.zh if speaks_chinese(request.headers) else refusal.en
            return JSONResponse({"error": message}, refusal.status, dict(refusal.headers))
        return said if isinstance(said, Response) else JSONResponse(said)

    return answered


async def _fields(request: Request) -> dict[str, Any]:
    """The body's fields but for the key: JSON, a form, or the address's own.

    Raises:
        RefusedError: not an object in JSON.
    """
    kind = request.headers.get("content-type", "")
    found: dict[str, Any] = dict(request.query_params)
    if kind.startswith(FORMS):
        async with request.form() as form:
            for name in form:
                values = [await _value(value) for value in form.getlist(name)]
                found[name] = values[0] if len(values) == 1 else values
    elif await request.body():
        try:
            held = await request.json()
        except ValueError as error:
            raise refuse(400, "the body is not valid JSON.", "请求体不是有效的 JSON。") from error
        if not isinstance(held, dict):
            raise refuse(400, "expected an object in JSON.", "应为 JSON 对象。")
        found |= held
    found.pop(FIELD, None)
    return found


async def _value(value: UploadFile | str) -> "_File | str":
    if isinstance(value, str):
        return value
    return _File(PurePath(value.filename or "").name, await value.read())


@dataclass(frozen=True)
class _File:
    """A file that was sent."""

    name: str
    data: bytes


class _Desk:
    """What the routes have in common: the application, and what was answered lately."""

    def __init__(self, counter: Counter) -> None:
        application = counter.application
        assert isinstance(application, Translate)
        self._counter = counter
        self._application = application
        self._recent: OrderedDict[tuple[str, str, str], str] = OrderedDict()
        self._files: OrderedDict[str, tuple[str, bytes]] = OrderedDict()

    def translate(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        asked = fields.get("q")
        if not asked:
            raise _missing("q")
        texts = asked if isinstance(asked, list) else [asked]
        answers = [self._answer(fields, text) for text in texts]
        said = [_libre_answer(each, fields) for each in answers]
        if not isinstance(asked, list):
            return said[0]
        return {name: [each[name] for each in said] for name in said[0]}

    def _answer(self, fields: Mapping[str, Any], text: Any) -> Answer:
        request = _request(fields, text)
        answer = self._counter.answer(request)
        key = (text, plain(answer.details["source"]), plain(answer.details["target"]))
        self._recent[key] = answer.id
        while len(self._recent) > _RECENT:
            self._recent.popitem(last=False)
        return answer

    def detect(self, fields: Mapping[str, Any]) -> list[dict[str, Any]]:
        text = fields.get("q")
        if not text:
            raise _missing("q")
        found = ranked(_text(text, "q"))[:5] or [("en", 0.0)]
        return [
            {"confidence": round(100 * probability, 1), "language": code}
            for code, probability in found
            if probability >= 0.01 or code == found[0][0]
        ]

    def languages(self, chinese: bool) -> list[dict[str, Any]]:
        pairs = self._application.translator.pairs
        codes = sorted({code for pair in pairs for code in pair})
        listed = []
        for code in codes:
            targets = sorted({target for source, target in pairs if source == code})
            if "zh" in targets:
                targets += ["zh-Hans", "zh-Hant"]
            name = name_of(code)[chinese]
            listed.append({"code": code, "name": name, "targets": targets})
            if code == "zh":
                for script, en, zh in (
                    ("Hans", "simplified", "简体"),
                    ("Hant", "traditional", "繁体"),
                ):
                    written = f"{name}（{zh}）" if chinese else f"{name} ({en})"
                    listed.append({"code": f"zh-{script}", "name": written, "targets": targets})
        return listed

    def suggest(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        for name in ("q", "s", "source", "target"):
            if not fields.get(name):
                raise _missing(name)
        text, better = _text(fields["q"], "q"), _text(fields["s"], "s")
        target = plain(_text(fields["target"], "target"))
        source = plain(_text(fields["source"], "source"))
        known = [
            answer
            for (said, one, two), answer in self._recent.items()
            if said == text and two == target and source in ("", one)
        ]
        # A suggestion for what was never asked here is one on what would be answered.
        answer_id = known[-1] if known else self._answer(fields, text).id
        self._counter.judge(answer_id, better, kind="correction")
        return {"success": True}

    def translate_file(self, fields: Mapping[str, Any]) -> str:
        sent = fields.get("file")
        if not isinstance(sent, _File) or not sent.name:
            raise _missing("file")
        name = sent.name
        document = read_document(sent.data, name)
        fields = {**fields, "format": "text"}
        whole = "\n".join(document.texts) or " "
        first = _request(fields, whole)
        source = plain(first.source) or self._application.pair(first)[0]
        said = [
            self._counter.answer(_request({**fields, "source": source}, text)).text
            for text in document.texts
        ]
        stem, suffix = PurePath(name).stem, PurePath(name).suffix
        kept = f"{secrets.token_urlsafe(16)}.{plain(first.target)}{suffix}"
        self._files[kept] = (f"{stem}.{first.target}{suffix}", document.made(said))
        while len(self._files) > _FILES:
            self._files.popitem(last=False)
        return kept

    def file(self, name: str) -> Response:
        held = self._files.get(name)
        if held is None:
            raise refuse(
                404,
                "there is no such file; it may have been fetched too late.",
                "没有这个文件；可能已过期。",
            )
        ascii_name = held[0].encode("ascii", "replace").decode().replace('"', "")
        return Response(
            held[1],
            media_type="application/octet-stream",
            headers={"Content-Disposition": f'attachment; filename="{ascii_name}"'},
        )

    def settings(self, chinese: bool, keyed: bool) -> dict[str, Any]:
        target = self._application.translator.pairs[0][1]
        return {
            "apiKeys": keyed,
            "charLimit": LONGEST,
            "filesTranslation": True,
            "frontendTimeout": 500,
            "keyRequired": keyed,
            "language": {
                "source": {"code": "auto", "name": "自动检测" if chinese else "Auto Detect"},
                "target": {"code": target, "name": name_of(target)[chinese]},
            },
            "suggestions": True,
            "supportedFilesFormat": suffixes(),
        }


def _request(fields: Mapping[str, Any], text: Any) -> TranslateRequest:
    """A request of the application.

    Raises:
        RefusedError: a field that is no text, or missing.
    """
    for name in ("source", "target"):
        if not fields.get(name):
            raise _missing(name)
    form = fields.get("format") or "text"
    if form not in _FORMATS:
        raise refuse(400, f"{form} format is not supported", f"不支持格式 {form}。")
    try:
        alternatives = int(fields.get("alternatives") or 0)
    except (TypeError, ValueError) as error:
        raise refuse(
            400, "alternatives must be a whole number.", "alternatives 应为整数。"
        ) from error
    return TranslateRequest(
        _text(text, "q"),
        _text(fields["source"], "source"),
        _text(fields["target"], "target"),
        _FORMATS[form],
        min(max(alternatives, 0), 10),
    )


def _text(value: Any, field: str) -> str:
    try:
        return writable(value) if isinstance(value, str) else _no_text(field)
    except ValueError as error:
        raise DataError(
            "the text holds a NUL or half a surrogate pair.",
            "文本含有 NUL 或不完整的代理对。",
            field=field,
        ) from error


def _no_text(field: str) -> str:
    raise refuse(400, f"Invalid request: {field} must be text", f"请求无效：{field} 应为文本")


def _missing(field: str) -> SpeaqError:
    return refuse(400, f"Invalid request: missing {field} parameter", f"请求无效：缺少参数 {field}")


def _libre_answer(answer: Answer, fields: Mapping[str, Any]) -> dict[str, Any]:
    details = answer.details
    said: dict[str, Any] = {"translatedText": answer.text}
    if fields.get("source") == "auto":
        seen = details["detected"]
        said["detectedLanguage"] = {
            "confidence": round(100 * seen["confidence"], 1),
            "language": seen["language"],
        }
    if fields.get("alternatives"):
        said["alternatives"] = list(details["alternatives"])
    return said
