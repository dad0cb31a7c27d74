import base64
import re
import socket

import httpx
import openai
import pytest

from speaq.core.errors import DataError, ModelError, SettingsError
from speaq.experience.store import ExperienceStore
from speaq.serving.app import application
from speaq.serving.keys import KeyRing, new_key
from speaq.serving.settings import ServingSettings, is_loopback

PUBLIC = {"/health", "/ready"}


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.4", "example.org", ""])
def test_other_machines_are_not_let_in_without_keys(tmp_path, host):
    with pytest.raises(SettingsError, match="needs access keys"):
        ServingSettings(journal=tmp_path, host=host)
    assert ServingSettings(journal=tmp_path, host=host, keys_file=tmp_path / "keys").host == host


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "[::1]", "127.8.8.8"])
def test_this_machine_needs_none(tmp_path, host):
    assert is_loopback(host)
    assert ServingSettings(journal=tmp_path, host=host).keys_file is None


@pytest.fixture
def guarded(serve_model, tiny, tmp_path):
    key = new_key("ann", tmp_path / "keys")
    return serve_model(tiny, keys_file=tmp_path / "keys"), key


def paths(running):
    description = httpx.get(running.url + "/openapi.json").json()
    return [
        *description["paths"],
        "/docs",
        "/docs/swagger-ui.css",
        "/openapi.json",
        "/",
        "/nowhere",
    ]


def test_every_path_but_the_two_public_ones_needs_a_key(guarded, running):
    behind, _ = guarded
    for path in paths(running):
        for method in ("GET", "POST", "OPTIONS", "HEAD", "PUT"):
            for variant in (path, path + "/", "//" + path.lstrip("/"), path.upper()):
                status = httpx.request(method, behind.url + variant).status_code
                assert (status != 401) == (variant in PUBLIC), (method, variant)


@pytest.mark.parametrize(
    "change",
    [str.upper, str.lower, lambda key: key[:-1], lambda key: key + "a", lambda key: ""],
)
def test_only_the_very_key_opens(guarded, change):
    behind, key = guarded
    assert behind.client(key).models.list().data[0].owned_by == "speaq"
    for scheme in ("Bearer", "Token", ""):
        header = {"Authorization": f"{scheme} {change(key)}".strip()}
        assert httpx.get(behind.url + "/v1/models", headers=header).status_code == 401
    with pytest.raises(openai.AuthenticationError, match="needs an access key"):
        behind.client("sq-wrong").models.list()


def test_a_browser_is_asked_for_the_key_as_a_password(guarded):
    behind, key = guarded
    asked = httpx.get(behind.url + "/docs", headers={"Accept": "text/html"})
    assert asked.headers["WWW-Authenticate"].startswith("Basic")
    assert httpx.get(behind.url + "/docs", auth=("anyone", key)).status_code == 200
    assert httpx.get(behind.url + "/docs", auth=("anyone", "x")).status_code == 401
    broken = {"Authorization": "Basic " + base64.b64encode(b"\xff\xfe").decode() + "!"}
    assert httpx.get(behind.url + "/docs", headers=broken).status_code == 401


def test_the_keys_file_does_not_hold_the_key(tmp_path):
    first, second = new_key("ann", tmp_path / "keys"), new_key("bob", tmp_path / "keys")
    text = (tmp_path / "keys").read_text()
    assert first not in text
    assert second not in text
    assert (tmp_path / "keys").stat().st_mode & 0o077 == 0
    ring = KeyRing.open(tmp_path / "keys")
    assert (ring.opens(first), ring.opens(second), ring.opens("sq-")) == (True, True, False)
    with pytest.raises(SettingsError, match="'ann' is empty, holds a space or is taken"):
        new_key("ann", tmp_path / "keys")


def test_a_keys_file_that_is_none_is_refused(tmp_path):
    with pytest.raises(SettingsError, match="there is no keys file"):
        KeyRing.open(tmp_path / "keys")
    (tmp_path / "keys").write_text("\n")
    with pytest.raises(SettingsError, match="holds no key"):
        KeyRing.open(tmp_path / "keys")
    (tmp_path / "keys").write_text("ann " + "0" * 64 + "\nbob secret\n")
    with pytest.raises(DataError, match="row 2: expected a name and a SHA-256"):
        KeyRing.open(tmp_path / "keys")


def test_pages_of_other_origins_cannot_use_the_server(running):
    url = running.url + "/v1/models"
    assert httpx.get(url, headers={"Origin": "https://evil.example"}).status_code == 403
    assert httpx.get(url, headers={"Origin": "null"}).status_code == 403
    assert httpx.get(url, headers={"Host": "evil.example"}).status_code == 421
    same = httpx.get(url, headers={"Origin": running.url})
    assert same.status_code == 200
    assert "access-control-allow-origin" not in same.headers


@pytest.mark.parametrize("chunked", [False, True])
def test_large_bodies_are_refused(serve_model, tiny, chunked):
    running = serve_model(tiny, max_body_bytes=1000)
    body = b'{"model": "tiny", "prompt": "' + b"a" * 2000 + b'"}'
    content = iter([body[:500], body[500:]]) if chunked else body
    reply = httpx.post(running.url + "/v1/completions", content=content)
    assert reply.status_code == 413
    assert reply.json()["error"]["message"] == "the request is larger than 1000 bytes."


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"null", b'"a"', b"\xff\xfe", b"[" * 100_000, b'{"model": "tiny"}'],
)
def test_bodies_that_are_no_request_get_400_and_the_server_lives(running, body):
    for path in ("/v1/chat/completions", "/v1/completions", "/v1/feedback"):
        reply = httpx.post(
            running.url + path, content=body, headers={"Content-Type": "application/json"}
        )
        assert reply.status_code == 400, path
        assert reply.json()["error"]["type"] == "invalid_request_error"
    assert httpx.get(running.url + "/ready").json()["status"] == "ready"


def test_a_length_that_is_no_number_is_refused(running):
    host, port = running.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as raw:
        raw.sendall(b"POST /v1/feedback HTTP/1.1\r\nHost: localhost\r\nContent-Length: -5\r\n\r\n")
        assert b" 4" in raw.recv(200).split(b"\r\n")[0]


def test_the_documentation_page_loads_only_from_this_server(running):
    html = httpx.get(running.url + "/docs").text
    loaded = re.findall(r'(?:src|href)="([^"]+)"', html)
    assert len(loaded) == 4
    for path in loaded:
        assert path.startswith("/")
        assert not path.startswith("//")
        assert httpx.get(running.url + path).status_code == 200
    assert httpx.get(running.url + "/docs/swagger-ui.js").status_code == 404
    policy = httpx.get(running.url + "/docs").headers["Content-Security-Policy"]
    assert "http" not in policy
    assert "*" not in policy


def test_guiding_without_a_head_fails_before_anything_runs(tiny, tmp_path):
    settings = ServingSettings(journal=tmp_path / "open", page=False)
    with ExperienceStore(tmp_path / "store.sqlite") as store:
        with pytest.raises(ModelError, match="no value head"):
            application(tiny, store, beta=1.0, settings=settings)
        with pytest.raises(SettingsError, match="overflows"):
            application(tiny, store, beta=float("inf"), settings=settings)
