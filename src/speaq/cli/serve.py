"""speaq serve: answer over HTTP and on a page, and keep every answer and every judgement.

zh: 通过 HTTP 与网页回答，并保存每条回答与每次评价。
"""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from speaq.core.language import say

if TYPE_CHECKING:
    from socket import socket

    from speaq.serving.settings import ServingSettings


@dataclass(frozen=True)
class Serve:
    """Serve a model, applications or both: routes under /v1, feedback, and a page at /."""

    model: Annotated[str, tyro.conf.Positional] = ""
    """pypi:PACKAGE, a model folder or a hub id; with its value head if it has one. May be left
    out where applications are named."""
    apps: tuple[str, ...] = ()
    """Applications as NAME=FOLDER, such as translate=runs/de-en."""
    store: str = "experience.sqlite"
    """Where answers and feedback are kept: a file, or a database URL."""
    beta: float | None = None
    """Strength of guidance; unset: 1 with a value head, 0 without."""
    support: float = 0.0
    """Guide only among tokens at least this share as likely as the unguided model's likeliest."""
    host: str = "127.0.0.1"
    """Address to listen on; beyond this machine it needs --keys-file."""
    port: int = 8000
    """Port to listen on."""
    keys_file: Path | None = None
    """File of access keys (hashes only)."""
    new_key: str = ""
    """Make a key of this name, add it to --keys-file, print it once, and stop."""
    journal: Path | None = None
    """Folder for answers being written; unset: beside the store."""
    parallel: int = 4
    """Answers written side by side."""
    max_waiting: int = 16
    """Questions that may wait before more are refused."""
    max_new_tokens: int = 256
    """Longest answer, in tokens, where a request names none."""
    consent: tuple[str, ...] | None = None
    """Purposes written into every episode; unset: the data are your own."""
    page: bool = True
    """Whether to serve the page."""


def main(args: list[str]) -> None:
    """Run the verb with its command line."""
    options = tyro.cli(Serve, args=args, prog="speaq serve", description=Serve.__doc__)
    if options.new_key:
        _make_key(options.new_key, options.keys_file)
    else:
        _serve(options)


def _make_key(name: str, file: Path | None) -> None:
    from speaq.core.errors import SettingsError
    from speaq.serving import keys

    if file is None:
        raise SettingsError(
            "--new-key needs --keys-file, the file to add the key to.",
            "--new-key 需要 --keys-file，即要写入的密钥文件。",
        )
    print(keys.new_key(name, file))


def _serve(options: Serve) -> None:
    from speaq.core.errors import SettingsError
    from speaq.serving import server
    from speaq.serving.settings import ServingSettings

    settings = ServingSettings(
        journal=options.journal or server.journal_beside(options.store),
        host=options.host,
        keys_file=options.keys_file,
        parallel=options.parallel,
        max_waiting=options.max_waiting,
        max_new_tokens=options.max_new_tokens,
        support=options.support,
        consent=options.consent,
        page=options.page,
    )
    if not (options.apps or options.model):
        raise SettingsError(
            "there is nothing to serve: name a model, or an application with --apps NAME=FOLDER.",
            "没有可提供的服务：请指定模型，或用 --apps 名称=目录 指定应用。",
        )
    with server.listen(options.host, options.port) as listening:
        _open(options, settings, listening)


def _open(options: Serve, settings: "ServingSettings", listening: "socket") -> None:
    """Open what is served, say where, and serve it."""
    from speaq.apps.application import named_source, open_application
    from speaq.experience.store import ExperienceStore
    from speaq.models.sources import load
    from speaq.serving import server

    named = [named_source(word) for word in options.apps]
    applications = [open_application(name, source) for name, source in named]
    model = load(options.model) if options.model else None
    beta = options.beta
    if beta is None:
        beta = 0.0 if model is None or model.head is None else 1.0
    served = [f"{model.name}, beta = {beta:g}"] if model is not None else []
    names = "; ".join([*served, *(f"{each.name}: {each.model}" for each in applications)])
    address = f"http://{options.host}:{listening.getsockname()[1]}"
    said = say(
        f"{names}: {address} (page), {address}/docs (HTTP); Ctrl-C stops.",
        f"{names}：{address}（页面）、{address}/docs（HTTP）；按 Ctrl-C 停止。",
    )
    with ExperienceStore(options.store) as store:
        print(said, file=sys.stderr, flush=True)
        server.serve(
            model,
            store,
            beta=beta,
            settings=settings,
            applications=applications,
            listening=listening,
        )
