"""Keys in bodies: on LibreTranslate's paths, and nowhere else."""

import io
import logging
from collections.abc import Iterator
from typing import Any

import anyio
import httpx
import pytest
from test_libretranslate import Capitals

from speaq.apps.translate.application import Translate
from speaq.serving.body_keys import BodyKeys
from speaq.serving.errors import Refusal
from speaq.serving.keys import KeyRing, new_key

ASKED = {"q": "Hund", "source": "de", "target": "en"}
SRT = "1\n00:00:01,000 --> 00:00:02,000\nHund\n"


@pytest.fixture
def guarded(serve_model: Any, tiny: Any, tmp_path: Any) -> tuple[Any, str]:
    key = new_key("ann", tmp_path / "keys")
    said = serve_model(tiny, applications=[Translate(Capitals())], keys_file=tmp_path / "keys")
    return said, key


@pytest.fixture
def web(guarded: Any) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=guarded[0].url, timeout=30) as client:
        yield client


def file() -> dict[str, Any]:
    return {"file": ("a.srt", io.BytesIO(SRT.encode()), "text/plain")}


def asked(web: httpx.Client, key: Any) -> Iterator[httpx.Response]:
    """Every way to ask with a key in the body."""
    fields = {**ASKED, "api_key": key}
    yield web.post("/translate", json=fields)
    yield web.post("/translate", data=fields)
    yield web.post("/translate", files={"x": b""}, data=fields)
    yield web.post("/detect", json=fields)
    yield web.post("/suggest", json={**fields, "s": "dog"})
    yield web.request("GET", "/languages", data={"api_key": key})
    yield web.post("/translate_file", files=file(), data=fields)


def test_the_key_opens_in_json_and_in_forms(guarded: Any, web: httpx.Client) -> None:
    answers = list(asked(web, guarded[1]))
    assert [each.status_code for each in answers] == [200] * len(answers)
    assert answers[0].json()["translatedText"] == "HUND"
    url = answers[-1].json()["translatedFileUrl"]
    assert web.get(url).status_code == 401
    assert web.request("GET", url, data={"api_key": guarded[1]}).text == SRT.replace("Hund", "HUND")


def test_clients_are_told_that_a_key_is_needed(guarded: Any, web: httpx.Client) -> None:
    headers = {"Authorization": f"Bearer {guarded[1]}"}
    told = web.get("/frontend/settings", headers=headers).json()
    assert (told["keyRequired"], told["apiKeys"], told["charLimit"]) == (True, True, 50_000)


@pytest.mark.parametrize("change", ["", "sq-wrong", "end", None, 5, ["x"], "\ud800", "é"])
def test_a_wrong_key_does_not(guarded: Any, web: httpx.Client, change: Any) -> None:
    key = guarded[1][:-1] if change == "end" else change
    if isinstance(key, str) and "\ud800" not in key:
        assert {each.status_code for each in asked(web, key)} == {401}
    else:
        body = b'{"api_key": "\\ud800"}' if isinstance(key, str) else None
        sent = {"content": body} if body else {"json": {**ASKED, "api_key": key}}
        assert web.post("/translate", **sent).status_code == 401  # type: ignore[arg-type]
    assert guarded[0].store.episodes(None) == []


@pytest.mark.parametrize("body", [b"", b"{", b"[" * 100_000, b"[1]", b"\xff\xfe", b"null"])
def test_what_is_no_json_brings_no_key(web: httpx.Client, body: bytes) -> None:
    for kind in ("application/json", "multipart/form-data; boundary=x", "multipart/form-data"):
        sent = web.post("/translate", content=body, headers={"Content-Type": kind})
        assert sent.status_code == 401


def test_the_header_works_as_before(guarded: Any, web: httpx.Client) -> None:
    bearer = {"Authorization": f"Bearer {guarded[1]}"}
    for key in ("", "sq-wrong"):
        answers = web.post("/translate", json={**ASKED, "api_key": key}, headers=bearer)
        assert answers.json() == {"translatedText": "HUND"}
    wrong = {"Authorization": "Bearer sq-wrong"}
    right = {**ASKED, "api_key": guarded[1]}
    assert web.post("/translate", json=right, headers=wrong).status_code == 401


def test_no_other_route_takes_a_key_from_its_body(guarded: Any, web: httpx.Client) -> None:
    key = {"api_key": guarded[1]}
    described = web.get("/openapi.json", headers={"Authorization": f"Bearer {guarded[1]}"}).json()[
        "paths"
    ]
    own = {"/translate", "/detect", "/languages", "/suggest", "/translate_file"}
    assert own < set(described)
    for path in {*described, "/", "/docs", "/openapi.json"} - own - {"/health", "/ready"}:
        for method in ("GET", "POST"):
            if not path.startswith("/download_file"):
                assert web.request(method, path, json=key).status_code == 401, path
                assert web.request(method, path, data=key).status_code == 401, path
    # Addresses stand in logs.
    assert web.post("/translate", params={**ASKED, **key}).status_code == 401


def test_without_the_application_there_is_no_such_path(
    serve_model: Any, tiny: Any, tmp_path: Any
) -> None:
    key = new_key("ann", tmp_path / "keys")
    said = serve_model(tiny, keys_file=tmp_path / "keys")
    sent = httpx.post(said.url + "/translate", json={**ASKED, "api_key": key})
    assert sent.status_code == 401


def test_the_key_is_written_nowhere(
    guarded: Any, web: httpx.Client, tmp_path: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for answer in asked(web, guarded[1]):
        assert guarded[1] not in answer.text
    for file in tmp_path.rglob("*"):
        assert not file.is_file() or guarded[1].encode() not in file.read_bytes()
    ours = [each for each in caplog.records if not each.name.startswith(("httpx", "httpcore"))]
    assert not any(guarded[1] in each.getMessage() for each in ours)


def test_bodies_of_strangers_are_held_to_a_limit(guarded: Any, web: httpx.Client) -> None:
    large = web.post("/translate", content=(b"x" * (1 << 20) for _ in range(65)))
    assert large.status_code == 413


def test_strangers_together_are_held_to_a_limit(tmp_path: Any) -> None:
    new_key("ann", tmp_path / "keys")
    keys = BodyKeys(KeyRing.open(tmp_path / "keys"), held=10)
    scope = {"type": "http", "headers": [], "method": "POST", "path": "/translate"}

    def parts(*sizes: int) -> Any:
        left = list(sizes)

        async def receive() -> Any:
            size = left.pop(0)
            return {"type": "http.request", "body": b"x" * size, "more_body": bool(left)}

        return receive

    async def run() -> None:
        for _ in range(3):  # what was looked at is let go
            assert await keys.opened(scope, parts(4, 6)) is None
            assert isinstance(await keys.opened(scope, parts(4, 7)), Refusal)

    anyio.run(run)
