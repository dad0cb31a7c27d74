"""Does the page, opened in a real browser, ask any other host for anything?

    python benchmarks/page_offline.py --json page.json

Starts a server with a tiny model, opens / and /docs in headless Chromium with its network log
on, and lists every host that the browser looked up or connected to for the page. Chromium's own
traffic (updates, metrics) is switched off; the script fails if a page reached a host that is not
this machine. `--screenshots FOLDER` keeps what the browser showed.
"""

import argparse
import json
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

import uvicorn

PATHS = ("/", "/docs")
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
    """Addresses the browser requested while it showed `address`."""
    log = folder / "net.json"
    command = [browser, *QUIET, f"--user-data-dir={folder / 'profile'}", f"--log-net-log={log}"]
    command += ["--virtual-time-budget=15000"]
    command += [f"--screenshot={shot}"] if shot else ["--dump-dom"]
    subprocess.run([*command, address], check=True, capture_output=True, timeout=300)
    return re.findall(r'"(?:url|host)":"([^"]+)"', log.read_text(encoding="utf-8"))


def host(address: str) -> str:
    """The host an address or a looked-up name stands for; empty for data and the like."""
    if "://" in address:
        parts = urlsplit(address)
        return parts.hostname or "" if parts.scheme in ("http", "https", "ws", "wss") else ""
    return "" if ":" in address and "." not in address else address.rsplit(":", 1)[0]


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
        server, thread = serve(Path(name), chosen.port)
        for path in PATHS:
            folder = Path(name) / f"browser{len(rows)}"
            folder.mkdir()
            shot = None
            if chosen.screenshots:
                chosen.screenshots.mkdir(parents=True, exist_ok=True)
                shot = chosen.screenshots.resolve() / f"page{len(rows)}.png"
            asked = browse(browser, f"http://127.0.0.1:{chosen.port}{path}", folder, shot)
            hosts = sorted({host(one) for one in asked} - {""})
            outside = [one for one in hosts if one not in ("127.0.0.1", "localhost")]
            rows.append({"path": path, "requests": len(set(asked)), "external_hosts": outside})
            print(f"{path:8} {len(set(asked)):4} requests, external hosts: {outside or 'none'}")
        server.should_exit = True
        thread.join()
    if chosen.json:
        machine = {"system": platform.platform(), "python": platform.python_version()}
        settings = {"browser": Path(browser).name, "paths": list(PATHS)}
        result = {"settings": settings, "machine": machine, "results": rows}
        chosen.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    return 1 if any(row["external_hosts"] for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
