"""Access keys. The file holds a name and a SHA-256 per line; the key itself is shown once.

A key has 256 random bits, so a plain hash is enough: there is nothing to guess.
"""

import hashlib
import hmac
import secrets
from pathlib import Path

from speaq.core.errors import DataError, SettingsError
from speaq.core.files import write_text


class KeyRing:
    """The keys that open a server."""

    def __init__(self, hashes: dict[str, str]) -> None:
        self._hashes = hashes

    @classmethod
    def open(cls, file: Path) -> "KeyRing":
        """Read a file of keys.

        Raises:
            SettingsError: no such file, or no key in it.
            DataError: a line that is not a name and a SHA-256.
        """
        file = Path(file)
        if not file.is_file():
            raise SettingsError(
                f"there is no keys file {file}; make one with --new-key NAME.",
                f"没有密钥文件 {file}；请用 --new-key NAME 生成。",
            )
        hashes = _read(file)
        if not hashes:
            raise SettingsError(
                f"{file} holds no key; make one with --new-key NAME.",
                f"{file} 中没有密钥；请用 --new-key NAME 生成。",
            )
        return cls(hashes)

    def opens(self, key: str) -> bool:
        """Whether `key` is one of them, in a time that does not depend on which."""
        found = _hash(key)
        matches = [hmac.compare_digest(found, known) for known in self._hashes.values()]
        return any(matches)


def new_key(name: str, file: Path) -> str:
    """Make a key, add its hash to `file`, and return it: it cannot be read again.

    Raises:
        SettingsError: the name is taken, empty or holds a space.
    """
    file = Path(file)
    hashes = _read(file) if file.is_file() else {}
    if not name or len(name.split()) != 1 or name in hashes:
        raise SettingsError(
            f"key name '{name}' is empty, holds a space or is taken; choose another.",
            f"密钥名“{name}”为空、含空格或已被使用；请换一个。",
        )
    key = "sq-" + secrets.token_urlsafe(32)
    hashes[name] = _hash(key)
    write_text(file, "".join(f"{name} {value}\n" for name, value in hashes.items()))
    file.chmod(0o600)
    return key


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()


def _read(file: Path) -> dict[str, str]:
    hashes = {}
    for row, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
        if not line.strip():
            continue
        parts = line.split()
        if len(parts) != 2 or len(parts[1]) != 64 or set(parts[1]) - set("0123456789abcdef"):
            raise DataError(
                "expected a name and a SHA-256 in hexadecimal.",
                "应为名称加十六进制的 SHA-256。",
                file=file,
                row=row,
            )
        hashes[parts[0]] = parts[1]
    return hashes
