"""Every refusal in the one shape OpenAI's clients know, in the asker's language."""

import logging
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException

from speaq.core.errors import DataError, ModelError, SettingsError, SpeaqError, StorageError
from speaq.core.language import language
from speaq.serving.engine import BusyError


@dataclass(frozen=True)
class Refusal:
    """What is said when a request is not served."""

    status: int
    en: str
    zh: str
    kind: str = "invalid_request_error"
    code: str | None = None
    param: str | None = None
    """The field at fault."""
    headers: Mapping[str, str] = field(default_factory=dict)


_LOG = logging.getLogger("speaq.serving")

_FAILED = Refusal(
    500,
    "the server failed on this request; other requests are not affected.",
    "服务器处理该请求时出错；其他请求不受影响。",
    "server_error",
    "internal",
)


class RefusedError(SpeaqError):
    """Raised by routes; answered with its refusal."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.en, refusal.zh)
        self.refusal = refusal


def refuse(
    status: int, en: str, zh: str, *, param: str | None = None, code: str | None = None
) -> RefusedError:
    """An error to raise where a request cannot be served."""
    return RefusedError(Refusal(status, en, zh, param=param, code=code))


def speaks_chinese(headers: Headers) -> bool:
    """Whether the asker prefers Chinese: `Accept-Language`, else the server's own locale."""
    wanted = headers.get("accept-language", "").strip().lower()
    if wanted in ("", "*"):
        return language() == "zh"
    return wanted.startswith("zh")


def error_body(refusal: Refusal, headers: Headers) -> dict[str, Any]:
    """OpenAI's error object."""
    message = refusal.zh if speaks_chinese(headers) else refusal.en
    return {
        "error": {
            "message": message,
            "type": refusal.kind,
            "param": refusal.param,
            "code": refusal.code,
        }
    }


def refusal_response(refusal: Refusal, headers: Headers) -> JSONResponse:
    """The answer to a request with `headers` that is refused."""
    body = error_body(refusal, headers)
    return JSONResponse(body, status_code=refusal.status, headers=dict(refusal.headers))


def refusal_of(error: BaseException) -> Refusal:
    """How an error is told to the asker: by its own sentence if it has one."""
    if isinstance(error, RefusedError):
        return error.refusal
    if isinstance(error, BusyError):
        after = {"Retry-After": str(error.retry_after)}
        return Refusal(503, error.en, error.zh, "server_error", "overloaded", headers=after)
    if isinstance(error, StorageError):
        after = {"Retry-After": "10"}
        return Refusal(503, error.en, error.zh, "server_error", "storage", headers=after)
    if isinstance(error, (DataError, SettingsError, ModelError)):
        return Refusal(400, error.en, error.zh)
    return _FAILED


def failed(error: BaseException) -> RefusedError:
    """An unexpected error as one that can be told, after noting where it came from.

    Its message goes neither out nor into the log: it may quote a prompt or a key.
    """
    frames = traceback.extract_tb(error.__traceback__)
    places = " < ".join(f"{Path(f.filename).name}:{f.lineno}" for f in reversed(frames))
    _LOG.error("%s at %s", type(error).__name__, places)
    return RefusedError(_FAILED)


def install(app: FastAPI) -> None:
    """Answer all errors of `app` in this shape."""

    async def told(request: Request, error: Exception) -> JSONResponse:
        return refusal_response(refusal_of(error), request.headers)

    async def http(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)
        return refusal_response(_http_refusal(error, request), request.headers)

    async def invalid(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)
        return refusal_response(_validation_refusal(error), request.headers)

    app.add_exception_handler(SpeaqError, told)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(Exception, told)


def _http_refusal(error: HTTPException, request: Request) -> Refusal:
    detail: object = error.detail
    if isinstance(detail, Refusal):
        return detail
    if error.status_code == 404:
        path = request.url.path
        return Refusal(404, f"there is nothing at {path}.", f"{path} 处没有内容。")
    headers = dict(error.headers or {})
    return Refusal(error.status_code, str(detail), str(detail), headers=headers)


def _validation_refusal(error: RequestValidationError) -> Refusal:
    first = error.errors()[0]
    # The location begins with where the field stands ("body") and may name a branch of a union.
    place = [part for part in first["loc"][1:] if _is_field(part)]
    param = ".".join(str(part) for part in place) or None
    if first["type"] == "extra_forbidden":
        return Refusal(
            400,
            f"field '{param}' is not supported; remove it.",
            f"不支持字段“{param}”；请去掉。",
            code="unsupported_field",
            param=param,
        )
    if first["type"] == "json_invalid":
        return Refusal(400, "the body is not valid JSON.", "请求体不是有效的 JSON。")
    said = str(first["msg"]).removeprefix("Value error, ")
    wanted = _WANTED_ZH.get(str(first["type"]), "{said}").format(said=said, **first.get("ctx", {}))
    named = f"field '{param}'" if param else "the request"
    named_zh = f"字段“{param}”" if param else "请求"
    return Refusal(400, f"{named}: {said}.", f"{named_zh}无效：{wanted}。", param=param)


_WANTED_ZH = {
    "missing": "不能缺少",
    "greater_than_equal": "必须不小于 {ge}",
    "greater_than": "必须大于 {gt}",
    "less_than_equal": "必须不大于 {le}",
    "less_than": "必须小于 {lt}",
    "string_type": "应为文本",
    "bool_type": "应为 true 或 false",
    "bool_parsing": "应为 true 或 false",
    "int_type": "应为整数",
    "int_parsing": "应为整数",
    "int_from_float": "应为整数",
    "float_type": "应为数值",
    "float_parsing": "应为数值",
    "finite_number": "应为有限的数值",
    "list_type": "应为列表",
    "literal_error": "应为 {expected} 之一",
    "string_too_short": "至少 {min_length} 个字符",
    "string_too_long": "至多 {max_length} 个字符",
    "too_short": "至少 {min_length} 项",
    "too_long": "至多 {max_length} 项",
}


def _is_field(part: object) -> bool:
    """Field names and list places; not the branches of a union, such as `int` or `list[str]`."""
    if isinstance(part, str):
        return part.isidentifier() and part not in ("bool", "int", "float", "str")
    return isinstance(part, int)
