"""Access keys in bodies: the field `api_key`, in JSON or in a form, as LibreTranslate's clients
send it.

Only where the header brings no key, and only on that service's paths: to find a key a stranger's
body has to be read. All such bodies together are held to a limit, and none is kept once it was
looked at. A key in an address is no key, for addresses stand in logs.
"""

from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import Message, Receive, Scope

from speaq.serving.errors import Refusal
from speaq.serving.keys import KeyRing

FIELD = "api_key"
FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")
"""Kinds of content that are forms."""
HELD = 64 << 20
"""Bytes of bodies without a known key that may be held at once."""
_PATHS = ("/translate", "/detect", "/languages", "/suggest", "/translate_file")
_FILES = "/download_file/"

_MANY = Refusal(
    503,
    "too many bodies without a known key are being read; send the key as 'Authorization: Bearer "
    "KEY', or try again.",
    "正在读取的无已知密钥的请求体过多；请以“Authorization: Bearer KEY”发送密钥，或稍后重试。",
    "server_error",
    "overloaded",
    headers={"Retry-After": "1"},
)


class BodyKeys:
    """Finds keys in bodies.

    Args:
        keys: that open the server.
        held: bytes of bodies that may be held at once.
    """

    def __init__(self, keys: KeyRing, held: int = HELD) -> None:
        self._keys = keys
        self._left = held

    async def opened(self, scope: Scope, receive: Receive) -> Receive | Refusal | None:
        """What gives the body once more, if a known key is in it; None if none is; or why it was
        not read to its end.

        Raises:
            HTTPException: what `receive` raises of a body that is too large.
        """
        body = bytearray()
        try:
            more = True
            while more:
                message = await receive()
                if message["type"] != "http.request":
                    return None
                part = message.get("body", b"")
                if len(part) > self._left:
                    return _MANY
                self._left -= len(part)
                body += part
                more = message.get("more_body", False)
            again = _again(bytes(body), receive)
            key = await _key_of(Request(scope, _again(bytes(body), receive)))
            return again if self._keys.opens(key) else None
        finally:
            self._left += len(body)


def takes_key(path: str) -> bool:
    """Whether a path is one of those whose bodies may bring a key."""
    return path in _PATHS or path.startswith(_FILES)


async def _key_of(request: Request) -> str:
    """The key in a body; nothing where there is none."""
    key: Any = None
    try:
        if request.headers.get("content-type", "").startswith(FORMS):
            async with request.form() as form:
                key = form.get(FIELD)
        else:
            held = await request.json()
            key = held.get(FIELD) if isinstance(held, dict) else None
    except (ValueError, RecursionError, HTTPException):
        # What is no JSON and no form has no key; that it is none its sender hears with one.
        return ""
    # A key is plain letters; half a surrogate pair could not even be compared.
    return key if isinstance(key, str) and key.isascii() else ""


def _again(body: bytes, receive: Receive) -> Receive:
    given = False

    async def message() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return message
