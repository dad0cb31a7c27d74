"""Does the page, opened in a real browser, ask any other host for anything?

    python benchmarks/page_offline.py --json page.json

Starts a server with a tiny model, opens / and /docs in headless Chromium with its network log
on, and lists the hosts that the pages asked for. The browser's own traffic (sign-in, dictionaries)
has no page as its initiator and is not counted. As a control, a page that does ask two other
hosts must be caught. Fails if a page of ours reached out, or if the control was not caught.
`--screenshots FOLDER` keeps what the browser showed.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

import uvicorn
from report import machine

PATHS = ("/", "/docs")
CONTROL = '<img src="http://a.invalid/x.png"><script src="https://b.invalid/y.js"></script>'
QUIET = (
    "--headless=new",
    "--no-sandbox",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
    "--disable-domain-reliability",
    "--disable-features=MediaRouter,OptimizationHints,AutofillServerCommunication",
    "--window-size=1280,900",
)


def serve(folder: Path, port: int) -> tuple[uvicorn.Server, threading.Thread]:
    from speaq.experience.store import ExperienceStore
    from speaq.models.sources import load
    from speaq.serving.app import application
    from speaq.serving.settings import ServingSettings

    settings = ServingSettings(journal=folder / "open")
    store = ExperienceStore(folder / "store.sqlite")
    app = application(load("new:tiny", head="tied"), store, beta=1.0, settings=settings)
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.05)
    return server, thread


def browse(browser: str, address: str, folder: Path, shot: Path | None) -> list[str]:
    """Addresses that the page at `address` asked for; empty names are the browser's own doing."""
    folder.mkdir()
    log = folder / "net.json"
    command = [browser, *QUIET, f"--user-data-dir={folder / 'profile'}", f"--log-net-log={log}"]
    command += ["--virtual-time-budget=15000"]
    command += [f"--screenshot={shot}"] if shot else ["--dump-dom"]
    subprocess.run([*command, address], check=True, capture_output=True, timeout=300)
    events = json.loads(log.read_text(encoding="utf-8"))["events"]
    params = [event["params"] for event in events if "params" in event]
    asked = [one for one in params if "url" in one and "initiator" in one]
    return [one["url"] for one in asked if one["initiator"] != "not an origin"]


def row(path: str, asked: list[str]) -> dict[str, object]:
    hosts = {urlsplit(one).hostname for one in asked if one.startswith(("http", "ws"))}
    outside = sorted(str(host) for host in hosts if host not in ("127.0.0.1", "localhost"))
    print(f"{path:8} {len(asked):4} requests, external hosts: {', '.join(outside) or 'none'}")
    return {"path": path, "requests": len(asked), "external_hosts": outside}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path)
    parser.add_argument("--port", type=int, default=8765)
    parser.add_argument("--browser", default="chromium")
    parser.add_argument("--screenshots", type=Path)
    parser.add_argument("--seeds", type=int, nargs="*", default=[], help="accepted; not used")
    chosen = parser.parse_args()
    browser = shutil.which(chosen.browser)
    if browser is None:
        print(f"no browser '{chosen.browser}' on the path; install chromium or give --browser")
        return 2
    rows = []
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(name)
        control = folder / "control.html"
        control.write_text(CONTROL, encoding="utf-8")
        rows.append(row("control", browse(browser, control.as_uri(), folder / "control", None)))
        server, thread = serve(folder, chosen.port)
        try:
            for path in PATHS:
                shot = None
                if chosen.screenshots:
                    chosen.screenshots.mkdir(parents=True, exist_ok=True)
                    shot = chosen.screenshots.resolve() / f"page{len(rows)}.png"
                address = f"http://127.0.0.1:{chosen.port}{path}"
                asked = browse(browser, address, folder / f"browser{len(rows)}", shot)
                rows.append(row(path, asked))
        finally:
            server.should_exit = True
            thread.join()
    if chosen.json:
        settings = {"browser": Path(browser).name, "paths": list(PATHS)}
        result = {"settings": settings, "machine": machine(), "results": rows}
        chosen.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    caught, *pages = [bool(one["external_hosts"]) for one in rows]
    return 0 if caught and not any(pages) and all(one["requests"] for one in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
