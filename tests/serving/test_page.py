"""The page as delivered, and what panels share. In a browser: benchmarks/page_offline.py."""

import json
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from speaq.core.errors import SettingsError
from speaq.serving.server import listen

# Its own process: gradio leaves event loops behind for the collector, which is an error here.
BUILD = """
    import asyncio, json, sys
    from pathlib import Path
    import httpx
    from speaq.experience.store import ExperienceStore
    from speaq.models.sources import load
    from speaq.serving.app import application
    from speaq.serving.settings import ServingSettings

    reached = []
    def watch(event, arguments):
        if event == "socket.connect" and isinstance(arguments[1], tuple):
            reached.append(arguments[1][0])
        elif event == "socket.getaddrinfo":
            reached.append(arguments[0])
    sys.addaudithook(watch)

    async def main(folder):
        with ExperienceStore(folder / "store.sqlite") as store:
            settings = ServingSettings(journal=folder / "open")
            app = application(load("new:tiny"), store, beta=0.0, settings=settings)
            transport = httpx.ASGITransport(app)
            async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as web:
                paths = ["/", "/config", "/v1/models", "/docs", "/theme.css"]
                replies = {path: await web.get(path) for path in paths}
        told = {
            path: [reply.status_code, reply.text, dict(reply.headers)]
            for path, reply in replies.items()
        }
        print(json.dumps({"replies": told, "reached": reached}))

    asyncio.run(main(Path(sys.argv[1])))
"""


# Likewise: panels, drawn in English, said in both languages.
DRAW = """
    import json, os
    from datetime import date, timedelta
    from pathlib import Path
    from unittest.mock import patch

    from speaq.apps.application import Answer
    from speaq.apps.forecast.application import Forecast
    from speaq.serving import page
    gr = page._gradio()
    from speaq.serving.panels import panel
    from speaq.serving.panels.forecast import ForecastPanel

    passing = Path(os.environ["GRADIO_TEMP_DIR"])

    class Counter:
        application = Forecast(None)
        def answers(self, request):
            return self.application.respond(request, "a")
        def answer(self, request):
            return next(each for each in self.answers(request) if isinstance(each, Answer))

    warned = []
    with patch.object(gr, "Warning", lambda text, **more: warned.append(text)), \
         patch.object(gr, "Info", lambda text, **more: warned.append(text)):
        made = ForecastPanel(Counter())
        for spoken in ("en", "zh"):
            made._foretell(" ", None, 0, 1, spoken)
            made._foretell("🎉", None, 0, 1, spoken)
            made._foretell("v\\n1", None, -5, 1, spoken)
            panel._answered("", spoken)
        first = date(2024, 1, 1)
        table = "\\n".join(["day,sold", *(f"{first + timedelta(n)},{n % 7}" for n in range(140))])
        drawn, file, _ = made._foretell(table, None, 2, 7, "en")
    name = Path(file).name
    ahead = Path(file).read_text(encoding="utf-8")
    print(json.dumps([warned, name, ahead, str(passing), passing.is_dir()]))
"""


def test_panels_say_what_is_missing_in_both_languages():
    built = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(DRAW)],
        capture_output=True,
        text=True,
        check=True,
    )
    warned, name, ahead, passing, there = json.loads(built.stdout.splitlines()[-1])
    english, chinese = warned[:4], warned[4:8]
    assert "Paste a table" in english[0] and "header" in english[1]
    assert "horizon" in english[2] and "no answer to judge" in english[3]
    assert all(any("一" <= letter <= "鿿" for letter in said) for said in chinese)
    assert name == "forecast.csv" and "2024-05-20" in ahead
    # What visitors bring is gone with the process.
    assert there and not Path(passing).exists()


@pytest.fixture(scope="module")
def delivered(tmp_path_factory):
    code = textwrap.dedent(BUILD)
    built = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, tmp_path_factory.mktemp("page")],
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(built.stdout)


def test_the_page_stands_beside_the_routes(delivered):
    replies = delivered["replies"]
    assert {path: reply[0] for path, reply in replies.items()} == dict.fromkeys(replies, 200)
    assert "gradio" in replies["/"][1]
    assert json.loads(replies["/v1/models"][1])["object"] == "list"
    assert "swagger" in replies["/docs"][1]


def test_nothing_is_loaded_from_elsewhere(delivered):
    _, html, headers = delivered["replies"]["/"]
    loaded = re.findall(r'<(?:script|img|iframe)[^>]*\ssrc="([^"]+)"', html)
    loaded += re.findall(
        r'<link[^>]*rel="(?:stylesheet|preload|modulepreload)"[^>]*href="([^"]+)"', html
    )
    assert loaded
    assert [address for address in loaded if "//" in address] == []
    assert "@import" not in delivered["replies"]["/theme.css"][1]
    # Whatever a script might still try, the browser is told to refuse.
    assert "default-src 'self'" in headers["content-security-policy"]
    assert delivered["reached"] == []


def test_the_page_reports_nothing_and_offers_no_guiding_without_a_head(delivered):
    configuration = json.loads(delivered["replies"]["/config"][1])
    assert configuration["analytics_enabled"] is False
    parts = [part["props"] for part in configuration["components"]]
    assert [part["visible"] for part in parts if part.get("elem_id") == "beta"] == [False]
    (ask,) = [part for part in parts if part.get("elem_id") == "ask"]
    assert ask["placeholder"] == "Write a message and press Enter"


def test_an_address_that_is_taken_or_is_none_is_refused_in_a_sentence():
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SettingsError, match=f"port {port} of 127.0.0.1 .another program"):
            listen("127.0.0.1", port)
    with pytest.raises(SettingsError, match="name another with --port"):
        listen("127.0.0.1", 99999999)
