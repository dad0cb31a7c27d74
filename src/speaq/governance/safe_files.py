"""Files that could run code when opened, found by name and by content without opening them."""

import zipfile
from pathlib import Path

from speaq.core.errors import UnsafeFileError

_PICKLES = {".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".joblib", ".dill", ".npz", ".mar"}
_PLAIN = {".safetensors", ".gguf", ".json", ".jsonl", ".txt", ".md", ".yaml", ".jinja", ".py"}
_NUMPY = b"\x93NUMPY"
_ZIP = b"PK\x03\x04"
_OBJECTS = b"|O"


def require_safe(folder: Path) -> None:
    """Refuse a model folder that holds a pickle, at any depth.

    Weights belong in safetensors or GGUF, which hold numbers only. A pickle is refused even if
    nothing here would open it: the folder is about to be copied, served and handed on.

    Raises:
        UnsafeFileError: names the file.
    """
    for file in sorted(Path(folder).rglob("*")):
        if file.is_file() and _could_run_code(file):
            raise UnsafeFileError(
                f"{file} is (or may be) a pickle, which can run code when opened; convert the "
                "weights to safetensors, remove the file and try again.",
                f"{file} 是（或可能是）pickle 文件，打开时可能执行代码；"
                "请把权重转换为 safetensors 并删除该文件后重试。",
            )


def _could_run_code(file: Path) -> bool:
    suffix = file.suffix.lower()
    if suffix in _PICKLES:
        return True
    if suffix in _PLAIN:
        return False
    with file.open("rb") as stream:
        head = stream.read(256)
    if head.startswith(_NUMPY):
        return _OBJECTS in head
    # Protocols 2 to 5 start with their number; torch's own container is a zip of a pickle.
    pickled = len(head) > 1 and head[0] == 0x80 and 2 <= head[1] <= 5
    return pickled or (head.startswith(_ZIP) and _names_a_pickle(file))


def _names_a_pickle(file: Path) -> bool:
    try:
        with zipfile.ZipFile(file) as archive:
            return any(name.endswith(".pkl") for name in archive.namelist())
    except zipfile.BadZipFile:
        return False
