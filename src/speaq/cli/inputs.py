"""What several verbs open: a model, a log, a list of prompts."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from speaq.core.errors import DataError, ModelError
from speaq.core.language import say
from speaq.core.places import require_file

if TYPE_CHECKING:
    from speaq.experience.episode import Episode
    from speaq.models.language_model import LanguageModel

_SQLITE = b"SQLite format 3\0"


def open_model(source: str) -> "LanguageModel":
    """The model behind a source, on this machine's device, computing with chosen threads."""
    import torch

    from speaq.core.devices import device, threads
    from speaq.models.sources import load

    torch.set_num_threads(threads())
    return load(source, device=device())


def read_log(where: str, reward: str) -> "list[Episode]":
    """Episodes to learn from or to judge by: of a file, or of an experience store.

    Only what may be learnt from comes out of a store. Episodes that the reward cannot judge, such
    as answers nobody has rated yet, are left out, and how many is said.

    Raises:
        DataError: no such file, or no episode is left.
    """
    from speaq.experience.rewards import resolve

    episodes = _episodes(where)
    judge = resolve(reward)
    kept = [episode for episode in episodes if judge(episode) is not None]
    if not kept:
        raise DataError(
            f"none of the {len(episodes)} episodes that may be learnt from has a reward.",
            f"{len(episodes)} 个可用于学习的片段均没有奖励。",
            file=where,
        )
    if len(kept) < len(episodes):
        tell(
            f"{len(episodes) - len(kept)} of {len(episodes)} episodes have no reward yet and are "
            "left out.",
            f"{len(episodes)} 个片段中有 {len(episodes) - len(kept)} 个尚无奖励，未使用。",
        )
    return kept


def _episodes(where: str) -> "list[Episode]":
    if "://" in where or is_store(Path(where)):
        from speaq.experience.store import ExperienceStore

        with ExperienceStore(where) as store:
            return store.episodes("learn")
    from speaq.experience.importers import read_episodes

    return read_episodes(where)


def is_store(file: Path) -> bool:
    """Whether a file is an experience store rather than a data file."""
    if not file.is_file():
        return False
    with file.open("rb") as stream:
        return stream.read(len(_SQLITE)) == _SQLITE


def read_prompts(file: Path, column: str) -> list[str]:
    """Prompts in order, each once: the lines of a `.txt`, or a column of a data file.

    Raises:
        DataError: no such file or column, or an empty prompt.
    """
    from speaq.text.files.readers import read_rows

    if file.suffix.lower() == ".txt":
        require_file(file)
        rows = [(1 + n, {column: line}) for n, line in enumerate(_lines(file)) if line.strip()]
    else:
        rows = list(read_rows(file))
    for row, record in rows:
        if not isinstance(record.get(column), str) or not record[column].strip():
            raise DataError(
                f"expected a prompt in words (columns found: {', '.join(record)}); "
                "name the column with --prompt.",
                f"应为文字提示（现有的列：{'、'.join(record)}）；请用 --prompt 指明列名。",
                file=file,
                row=row,
                field=column,
            )
    if not rows:
        raise DataError("the file holds no prompts.", "文件中没有提示。", file=file)
    return list(dict.fromkeys(record[column] for _, record in rows))


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise DataError(
            "the text is not UTF-8; save the file as UTF-8.",
            "文本不是 UTF-8 编码；请另存为 UTF-8。",
            file=file,
        ) from error


def gate_report(folder: Path) -> dict[str, Any] | None:
    """What the gate said about a model folder, without opening the model; None if nothing.

    Raises:
        ModelError: the folder's facts are damaged.
    """
    file = folder / "speaq.json"
    if not file.is_file():
        return None
    try:
        report: dict[str, Any] | None = json.loads(file.read_text(encoding="utf-8"))["facts"].get(
            "gate"
        )
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise ModelError(f"{file} is damaged ({error}).", f"{file} 已损坏（{error}）。") from error
    return report


def tell(en: str, zh: str) -> None:
    """One line for the person, beside the result: on standard error."""
    print(say(en, zh), file=sys.stderr, flush=True)
