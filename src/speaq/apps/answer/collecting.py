"""Files and folders of the user's, read for an index: all of them, or none."""

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from speaq.apps.answer.documents import ENDINGS, Part, read_document
from speaq.apps.answer.segments import Document
from speaq.core.errors import DataError
from speaq.core.files import file_digest
from speaq.text.doctor.languages import language
from speaq.text.files.readers import suffix_of
from speaq.text.segmentation import is_chinese

_PARTS = 100
"""Parts, and paragraphs of them, whose language is looked at."""
_LOOKED_AT = 20_000
"""Characters of each."""


def documents_in(places: Iterable[Path]) -> list[tuple[Document, list[Part]]]:
    """The documents of files and folders, named by their place below what was named.

    In folders, files of other kinds and hidden ones are passed over.

    Raises:
        DataError: nothing there, a folder without documents, or a document that cannot be read.
        SettingsError: a document needs the extra `documents`.
    """
    found: dict[str, tuple[Document, list[Part]]] = {}
    paths: dict[str, Path] = {}
    for place in places:
        for name, path in _files(place):
            if paths.setdefault(name, path) != path:
                raise DataError(
                    f"{paths[name]} would have the same name '{name}' in the index; name the "
                    "folder above both.",
                    f"{paths[name]} 在索引中将同名“{name}”；请给出两者的上级目录。",
                    file=path,
                )
            parts = read_document(path)
            found[name] = Document(name, file_digest(path), _languages(parts)), parts
    if not found:
        raise DataError("name documents or a folder of them.", "请给出文档或文档目录。")
    return list(found.values())


def _files(place: Path) -> list[tuple[str, Path]]:
    if not place.is_dir():
        return [(place.name, place)]
    inside = [
        (path.relative_to(place).as_posix(), path)
        for path in sorted(place.rglob("*"))
        if path.is_file() and suffix_of(path) in ENDINGS and not _hidden(path, place)
    ]
    if not inside:
        raise DataError(
            f"the folder holds no documents; known endings are {', '.join(ENDINGS)}.",
            f"目录中没有文档；可用的后缀：{'、'.join(ENDINGS)}。",
            file=place,
        )
    return inside


def _hidden(path: Path, place: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(place).parts)


def _languages(parts: Sequence[Part]) -> str:
    """The codes of the languages that at least a tenth of the paragraphs are in."""
    text = "\n\n".join(part.text[:_LOOKED_AT] for part in parts[:_PARTS])
    pieces = [piece for piece in text.split("\n\n") if piece.strip()][:_PARTS]
    found = Counter("zh" if is_chinese(piece) else language(piece) for piece in pieces)
    known = {code: count for code, count in found.items() if code}
    return ",".join(sorted(code for code in known if known[code] >= 0.1 * sum(known.values())))
