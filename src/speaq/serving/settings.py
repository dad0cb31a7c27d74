"""What an operator chooses about a server."""

import ipaddress
from dataclasses import dataclass
from pathlib import Path

from speaq.core.errors import SettingsError
from speaq.models.decoding import Decoding


@dataclass(frozen=True)
class ServingSettings:
    """How the server runs. Only `support` changes what the model would say."""

    journal: Path
    """Folder for answers that were begun and not yet finished; beside the store is a good place."""
    host: str = "127.0.0.1"
    """Address to listen on. Anything but this machine itself needs `keys_file`."""
    keys_file: Path | None = None
    """File of access keys (hashes only, see `speaq.serving.keys`); None lets everybody in."""
    parallel: int = 4
    """Answers written side by side, a token of each in turn."""
    max_waiting: int = 16
    """Questions that may wait; the next one is refused with 503 and Retry-After."""
    max_new_tokens: int = 256
    """Longest chat answer, in tokens, where the request names none."""
    max_body_bytes: int = 0
    """Largest request body; 0: 1 MiB, or 64 MiB where applications may take files."""
    support: float = 0.0
    """Bound of what guidance may choose, see `Decoding.support`: as the gate was told."""
    consent: tuple[str, ...] | None = None
    """Purposes written into every episode; None: the data are the user's own (see Episode)."""
    page: bool = True
    """Whether the page is served at /."""

    def __post_init__(self) -> None:
        for name in ("parallel", "max_new_tokens"):
            if vars(self)[name] < 1:
                raise SettingsError(
                    f"serving setting {name} = {vars(self)[name]} must be at least 1.",
                    f"服务参数 {name} = {vars(self)[name]} 至少为 1。",
                )
        Decoding(support=self.support)
        for name in ("max_waiting", "max_body_bytes"):
            if vars(self)[name] < 0:
                raise SettingsError(
                    f"serving setting {name} = {vars(self)[name]} must not be negative.",
                    f"服务参数 {name} = {vars(self)[name]} 不能为负。",
                )
        if self.keys_file is None and not is_loopback(self.host):
            raise SettingsError(
                f"listening on {self.host} opens the server to other machines and needs access "
                "keys: make one with --new-key NAME and give --keys-file, or use 127.0.0.1.",
                f"监听 {self.host} 会向其他机器开放，必须使用访问密钥：请用 --new-key NAME 生成，"
                "并以 --keys-file 给出；或改用 127.0.0.1。",
            )


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach `host`; a name other than localhost counts as no."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
