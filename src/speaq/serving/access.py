"""Who may ask, how much at once, from which page: checked before any route, for all of them.

Covered: access keys on every path but the two public ones, in the header or, on LibreTranslate's
paths, in the body (`body_keys.py`); bodies that are too large; web pages of other origins that try
to use a visitor's browser (a foreign `Origin`, or a foreign `Host` by DNS rebinding); browsers told
to load nothing from elsewhere.
Not covered: transport encryption (put a TLS proxy in front), quotas per key.
"""

import base64
import binascii
from collections.abc import Mapping
from urllib.parse import urlsplit

from fastapi import HTTPException
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from speaq.serving.body_keys import BodyKeys, takes_key
from speaq.serving.errors import Refusal, refusal_response
from speaq.serving.keys import KeyRing
from speaq.serving.settings import is_loopback

PUBLIC = frozenset({"/health", "/ready"})
"""What answers without a key: it says nothing about anybody."""

HEADERS: Mapping[str, str] = {
    # The page needs inline styles and scripts of its own; nothing may come from another host.
    "Content-Security-Policy": (
        "default-src 'self' data: blob:; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; "
        "style-src 'self' 'unsafe-inline'; connect-src 'self' data: blob:; "
        "frame-ancestors 'none'; form-action 'self'; base-uri 'self'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
}


class _TooLargeError(HTTPException):
    """A body that came without a length has more bytes than are taken."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.status, refusal)
        self.refusal = refusal


class Access:
    """The middleware around the whole application.

    Args:
        app: what is inside.
        keys: None lets everybody in.
        host: the address listened on; on a loopback address only local host names are answered.
        max_body_bytes: larger bodies get 413.
        in_bodies: LibreTranslate's paths are served, where keys may stand in bodies.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        keys: KeyRing | None,
        host: str,
        max_body_bytes: int,
        in_bodies: bool = False,
    ) -> None:
        self._app = app
        self._keys = keys
        self._body_keys = BodyKeys(keys) if keys is not None and in_bodies else None
        self._local = is_loopback(host)
        self._max_body_bytes = max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, or pass on."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":  # nothing here speaks websocket
            await send({"type": "websocket.close", "code": 1008})
            return
        headers = Headers(scope=scope)
        found = self._refuse(headers) or await self._let_in(scope, headers, receive)
        if isinstance(found, Refusal):
            await refusal_response(found, headers)(scope, receive, _with_headers(send))
            return
        await self._app(scope, found, _with_headers(send))

    def _refuse(self, headers: Headers) -> Refusal | None:
        host = headers.get("host", "")
        if self._local and not is_loopback(urlsplit(f"//{host}").hostname or ""):
            return _FOREIGN_HOST
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc != host:
            return _FOREIGN_ORIGIN
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > self._max_body_bytes:
            return _too_large(self._max_body_bytes)
        return None

    async def _let_in(self, scope: Scope, headers: Headers, receive: Receive) -> Receive | Refusal:
        """What gives the body to the routes, if there is a key or none is needed."""
        limited = self._limited(receive)
        if self._keys is None or scope["path"] in PUBLIC:
            return limited
        if self._keys.opens(_presented(headers)):
            return limited
        looked_into = "authorization" not in headers and takes_key(scope["path"])
        if self._body_keys is not None and looked_into:
            try:
                found = await self._body_keys.opened(scope, limited)
            except _TooLargeError as error:
                return error.refusal
            if found is not None:
                return found
        return _NO_KEY_BROWSER if "text/html" in headers.get("accept", "") else _NO_KEY

    def _limited(self, receive: Receive) -> Receive:
        """Count a body that came without a length."""
        seen = 0

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > self._max_body_bytes:
                raise _TooLargeError(_too_large(self._max_body_bytes))
            return message

        return counted


def _presented(headers: Headers) -> str:
    """The key in `Authorization: Bearer KEY`, or the password of `Basic`, for browsers."""
    scheme, _, value = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(value, validate=True).decode().partition(":")[2]
        except (binascii.Error, UnicodeDecodeError):
            return ""
    return ""


def _with_headers(send: Send) -> Send:
    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers[name] = value
        await send(message)

    return sent


def _too_large(limit: int) -> Refusal:
    return Refusal(
        413,
        f"the request is larger than {limit} bytes.",
        f"请求超过 {limit} 字节。",
        code="request_too_large",
    )


def _no_key(scheme: str) -> Refusal:
    return Refusal(
        401,
        "this server needs an access key: send it as 'Authorization: Bearer KEY', or as the "
        "password when the browser asks.",
        "本服务器需要访问密钥：请以“Authorization: Bearer KEY”发送，或在浏览器询问时作为密码输入。",
        kind="authentication_error",
        code="invalid_api_key",
        headers={"WWW-Authenticate": f'{scheme} realm="speaq"'},
    )


_NO_KEY = _no_key("Bearer")
_NO_KEY_BROWSER = _no_key("Basic")
_FOREIGN_HOST = Refusal(
    421,
    "this server listens on this machine only and answers to its local names only.",
    "本服务器只监听本机，也只响应本机名称。",
    code="foreign_host",
)
_FOREIGN_ORIGIN = Refusal(
    403,
    "another web page tried to use this server.",
    "另一个网页试图使用本服务器。",
    code="foreign_origin",
)
