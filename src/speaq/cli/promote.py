"""speaq promote: make a model live if the gate agrees, list its versions, or go back.

zh: 经闸门同意后发布模型，列出版本，或回退。
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from speaq.cli.inputs import gate_report
from speaq.cli.options import parse
from speaq.core.errors import SettingsError
from speaq.core.language import say
from speaq.models.versions import Registry

ABOUT = (
    "Copy a model folder into a registry as its next version and make it live, if the gate said "
    "so. --force goes against the gate; it and its --reason are recorded.",
    "将模型目录作为新版本放入登记目录，并在闸门同意时发布。--force 可违背闸门，"
    "此举及其 --reason 会留下记录。",
)


@dataclass(frozen=True)
class Promote:
    """Options of `speaq promote`."""

    model: Annotated[str, tyro.conf.Positional] = ""
    """A model folder, or a version that the registry holds already, such as v2."""
    registry: Path = Path("registry")
    """The registry's folder; made if missing."""
    force: bool = False
    """Go live against the gate."""
    reason: str = ""
    """Why; recorded. Needed with --force."""
    back: bool = False
    """Return to the version that was live before."""
    list: bool = False
    """Print versions and history, and change nothing."""


def main(args: list[str]) -> None:
    """Run the verb with its command line."""
    options = parse(Promote, args, "promote", ABOUT)
    registry = Registry(options.registry)
    if sum((bool(options.model), options.back, options.list)) != 1:
        raise SettingsError(
            "promote takes one of: a model folder or version, --back, --list.",
            "promote 需要且只需要其中之一：模型目录或版本、--back、--list。",
        )
    if options.list:
        _list(registry)
        return
    version = registry.back() if options.back else _promote(registry, options)
    print(
        say(
            f"{version} is live: {registry.path(version)}",
            f"{version} 已发布：{registry.path(version)}",
        )
    )


def _promote(registry: Registry, options: Promote) -> str:
    if options.force and not options.reason:
        raise SettingsError(
            "--force needs --reason; both are recorded.",
            "--force 需要 --reason；两者都会留下记录。",
        )
    version = options.model
    if version not in registry.versions():
        version = registry.add(options.model, gate_report(Path(options.model)))
    registry.promote(version, forced=options.force, reason=options.reason)
    return version


def _list(registry: Registry) -> None:
    live = registry.live()
    for version in registry.versions():
        mark = "*" if version == live else " "
        print(f"{mark} {version}  {registry.path(version)}")
    for event in registry.history():
        forced = say(" (forced)", "（强制）") if event["forced"] else ""
        print(f"  {event['event']} {event['version']}{forced} {event['reason']}".rstrip())
