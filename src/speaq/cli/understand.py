"""speaq understand: classes, entities, relations, parses and a knowledge graph of your texts.

zh: 理解文本：类别、实体、关系、句法，并由文档构建知识图谱。
"""

import json as json_
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import tyro

from speaq.cli.actions import Action, act
from speaq.cli.inputs import tell
from speaq.cli.options import pairs, parse
from speaq.core.errors import DataError, SettingsError
from speaq.core.files import write_text
from speaq.core.language import say

_TEXT = (
    "Say what texts are, what they name, and how it is related. The source is a folder of speaq "
    "understand train or of speaq fine-tune, a .npz, .crfsuite or .json file, or the word rules.",
    "分析文本的类别、实体与关系。来源可以是 speaq understand train 或 speaq fine-tune 的目录、"
    ".npz、.crfsuite、.json 文件，或 rules。",
)
_TRAIN = (
    "Learn tasks from your own files, name=FILE for each: labelled texts, tagged words or spans, "
    "marked relations, texts with entities and relations, CoNLL-U trees.",
    "从自己的文件学习任务，每个写作 名称=文件：带标签的文本、标注的词或片段、带标记的关系、"
    "含实体与关系的文本、CoNLL-U 句法树。",
)
_EVALUATE = (
    "Measure a task on a file: how right, how well it knows that (ECE), and what saying less "
    "would bring.",
    "在文件上评测任务：正确率、置信度校准误差（ECE），以及少答能换来什么。",
)
_GRAPH = (
    "Build a knowledge graph from a folder of documents, or go on with one: only what is new or "
    "changed is read. Export it, look at it as a page, or ask about one entity.",
    "由文档目录构建知识图谱或增量更新：只读取新增或改动的文档。可导出、生成网页，或查询实体。",
)


@dataclass(frozen=True)
class Text:
    """Options of `speaq understand text`."""

    source: Annotated[str, tyro.conf.Positional]
    """What understands: see above."""
    texts: Annotated[tuple[str, ...], tyro.conf.Positional] = ()
    """Texts; without any, the lines of --file."""
    file: Path | None = None
    """A file of texts, one a line, or a data file with a column of texts."""
    tasks: tuple[str, ...] = ()
    """Some of the tasks; empty: all."""
    labels: tuple[str, ...] = ()
    """Classes by description, name=words: they are tried without training."""
    json: bool = False
    """Print JSON, one object a line."""
    shape: Literal["spans", "tokens"] = "spans"
    """Of the JSON: spans (text, start, end, label, score), or tokens as HanLP has them."""
    html: Path | None = None
    """Write a picture into this file."""
    explore: float = 0.0
    """Temperature at which classes are drawn; 0: the likeliest."""
    store: str = ""
    """Keep the answers in this experience store, so that they can be judged."""


@dataclass(frozen=True)
class Evaluate:
    """Options of `speaq understand evaluate`."""

    source: Annotated[str, tyro.conf.Positional]
    """As for text."""
    task: Annotated[str, tyro.conf.Positional]
    """Which of its tasks."""
    file: Annotated[Path, tyro.conf.Positional]
    """Examples with answers."""
    several: bool = False
    """Whether any number of classes may hold."""


@dataclass(frozen=True)
class Graph:
    """Options of `speaq understand graph`."""

    graph: Annotated[Path, tyro.conf.Positional]
    """The graph's file, such as graph.jsonl; made if missing."""
    documents: Path | None = None
    """A folder of documents to read; without, the graph is only looked at."""
    source: str = "rules"
    """What finds entities and relations: see speaq understand text --help."""
    entity: str = ""
    """Tell what is known about this entity."""
    export: tuple[Path, ...] = ()
    """Write .graphml, .ttl, .nt or .csv files."""
    html: Path | None = None
    """Write a page to browse."""
    aliases: Path | None = None
    """A table with the columns alias and name: names of the same thing."""


def main(args: list[str]) -> None:
    """Run the verb with its command line."""
    actions: dict[str, Action] = {
        "text": (_text, _TEXT),
        "train": (_train, _TRAIN),
        "evaluate": (_evaluate, _EVALUATE),
        "graph": (_graph, _GRAPH),
    }
    act("understand", actions, args)


def _text(args: list[str]) -> None:
    options = parse(Text, args, "understand text", _TEXT)
    from speaq.apps.application import answered
    from speaq.apps.understand.application import Understand, UnderstandRequest, some, understand
    from speaq.apps.understand.pictures import page, picture
    from speaq.apps.understand.terminal import drawn
    from speaq.text.corpus import Corpus

    texts = list(options.texts) or list(Corpus([options.file]) if options.file else ())
    if not texts:
        raise DataError("name a text, or --file.", "请给出文本或 --file。")
    labels = {name: str(words) for name, words in pairs(options.labels, "labels").items()}
    app = Understand.open(options.source)
    pictures = []
    for text in texts:
        request = UnderstandRequest(text, options.tasks, labels, options.shape, options.explore)
        answer = answered(app, request)
        _keep(options.store, answer.episode)
        if options.json:
            print(json_.dumps({"id": answer.id, **answer.details}, ensure_ascii=False))
        elif labels:
            print(answer.text)
        if (not options.json and not labels) or options.html is not None:
            skills = some(app.skills, options.tasks) if options.tasks else app.skills
            found = understand(skills, text, explore=options.explore, draw_id=answer.id)
            pictures.append(picture(found))
            if not options.json and not labels:
                print(drawn(found) or answer.text)
                print()
    if options.html is not None:
        write_text(options.html, page(options.source, "<hr>".join(pictures)))


def _keep(store: str, episode: object) -> None:
    if not store:
        return
    from typing import cast

    from speaq.experience.episode import Episode
    from speaq.experience.store import ExperienceStore

    with ExperienceStore(store) as kept:
        kept.append(cast(Episode, episode))


def _train(args: list[str]) -> None:
    from speaq.apps.understand.training import LearnSettings, learn

    @dataclass(frozen=True)
    class Train:
        """Options of `speaq understand train`."""

        folder: Annotated[Path, tyro.conf.Positional]
        """Where the skills go; other tasks in it stay."""
        files: Annotated[tuple[str, ...], tyro.conf.Positional]
        """name=FILE for each task."""
        validation: tuple[str, ...] = ()
        """name=FILE to choose and calibrate by; without, a tenth is held out."""
        learn: Annotated[LearnSettings, tyro.conf.arg(name="")] = field(
            default_factory=LearnSettings
        )
        """How."""

    options = parse(Train, args, "understand train", _TRAIN)
    files = _named(options.files)
    for each in learn(
        options.folder,
        files,
        options.learn,
        validation=_named(options.validation),
        heard=lambda task: tell(f"learning {task}", f"正在学习 {task}"),
    ):
        shown = ", ".join(
            f"{name} {value:.4f}" for name, value in each.measures.items()
            if isinstance(value, float)
        )  # fmt: skip
        print(f"{each.task} ({each.method}): {shown}")
    print(say(f"The skills are in {options.folder}.", f"已写入 {options.folder}。"))


def _named(words: tuple[str, ...]) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for word in words:
        name, sign, path = word.partition("=")
        if not (name and sign and path):
            raise SettingsError(
                f"a task is written name=FILE, not '{word}'.",
                f"任务的写法为 名称=文件，而不是“{word}”。",
            )
        if name in found:
            raise SettingsError(f"the task '{name}' is named twice.", f"任务“{name}”出现了两次。")
        found[name] = Path(path)
    return found


def _evaluate(args: list[str]) -> None:
    options = parse(Evaluate, args, "understand evaluate", _EVALUATE)
    from speaq.apps.understand.measuring import measured
    from speaq.apps.understand.opening import open_skills
    from speaq.apps.understand.terminal import table
    from speaq.apps.understand.training import examples_in

    held = examples_in(options.file, options.several)
    skills = open_skills(options.source)
    kind = "relations" if options.task in skills.relaters else "entities"
    found = measured(skills, options.task, held.get("", held.get(kind, ())))
    print(", ".join(f"{name} {value:.4f}" for name, value in found.measures.items()))
    if found.curve:
        rows = [(say("answered", "作答比例"), say("right", "正确率"), say("threshold", "阈值"))]
        rows += [(f"{p.coverage:.3f}", f"{p.accuracy:.4f}", f"{p.threshold:.3f}")
                 for p in found.curve]  # fmt: skip
        print(f"\n{table(rows)}")
    if found.classes:
        head = [(say("class", "类别"), "P", "R", "F1", "N")]
        lines = [(name, f"{row['precision']:.3f}", f"{row['recall']:.3f}", f"{row['f1']:.3f}",
                  f"{row['examples']:.0f}") for name, row in found.classes.items()]  # fmt: skip
        print(f"\n{table(head + lines)}")


def _graph(args: list[str]) -> None:
    options = parse(Graph, args, "understand graph", _GRAPH)
    from dataclasses import replace

    from speaq.apps.knowledge_graph import KnowledgeGraph, load_graph, save_graph
    from speaq.apps.understand.graph_building import build, fingerprint_of
    from speaq.apps.understand.graph_export import export
    from speaq.apps.understand.graph_views import graph_page, overview, told_of
    from speaq.apps.understand.opening import open_skills

    known = options.graph.is_file() or options.documents is None
    graph = load_graph(options.graph) if known else KnowledgeGraph()
    if options.aliases is not None:
        graph = replace(graph, aliases={**graph.aliases, **_aliases(options.aliases)})
        save_graph(graph, options.graph)
    if options.documents is not None:
        made = build(
            options.documents,
            open_skills(options.source),
            graph,
            reader=fingerprint_of(options.source),
            heard=lambda name: tell(f"reading {name}", f"正在读取 {name}"),
        )
        graph = made.graph
        save_graph(graph, options.graph)
        tell(
            f"{len(made.read)} documents read, {len(made.kept)} unchanged, {len(made.gone)} gone.",
            f"读取 {len(made.read)} 篇，{len(made.kept)} 篇未变，{len(made.gone)} 篇已移除。",
        )
    for file in options.export:
        export(graph, file)
    if options.html is not None:
        write_text(options.html, graph_page(graph, options.graph.stem))
    if not options.entity:
        print(overview(graph))
        return
    named = graph.mentioned(options.entity)
    if not named:
        raise DataError(
            f"no entity of the graph is named in '{options.entity}'.",
            f"“{options.entity}”中没有图谱里的实体。",
        )
    print("\n\n".join(told_of(graph, each) for each in named))


def _aliases(file: Path) -> dict[str, str]:
    from speaq.text.files.readers import read_rows

    found = {}
    for row, record in read_rows(file):
        other, name = record.get("alias"), record.get("name")
        if not (isinstance(other, str) and isinstance(name, str) and other and name):
            raise DataError(
                "expected the columns alias and name.", "应有 alias 与 name 两列。",
                file=file, row=row,
            )  # fmt: skip
        found[other] = name
    return found
