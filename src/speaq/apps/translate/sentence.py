"""One sentence after another: memory, model, terms, spans, guard, and what to do when it fails."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from speaq.apps.translate.checks.degeneration import fault, translatable, without_loops
from speaq.apps.translate.checks.guard import compare
from speaq.apps.translate.texts.protection import Span, protected
from speaq.apps.translate.translating import Direction, Hypothesis, confidence
from speaq.apps.translate.wording.forcing import force
from speaq.apps.translate.wording.glossary import Glossary, Match
from speaq.apps.translate.wording.keeping import translate_keeping
from speaq.apps.translate.wording.memory import Found, TranslationMemory

How = Literal["model", "pieces", "memory", "repaired", "copied"]
"""By the model; in pieces around what is kept; verbatim from the memory; by the model with a loop
cut out or another hypothesis; or the source itself."""
_OTHERS = 4
"""Hypotheses that are looked at when the first is no good."""


_FOR_TERMS = 4
"""Hypotheses that terms are looked for in."""


@dataclass(frozen=True)
class Rules:
    """What holds for all sentences of a request."""

    glossary: Glossary = field(default_factory=Glossary)
    keep: tuple[str, ...] = ()
    memory: TranslationMemory | None = None
    fuzzy: float = 0.75
    alternatives: int = 0


@dataclass(frozen=True)
class Rendered:
    """A sentence's translation."""

    source: str
    text: str
    how: How
    quality: float
    """How sure the model is, in [0, 1]; 1 from the memory, 0 for a copy."""
    alternatives: tuple[str, ...] = ()
    terms: tuple[dict[str, Any], ...] = ()
    kept: tuple[str, ...] = ()
    similar: tuple[Found, ...] = ()
    problem: str = ""
    """Why the model's first answer was not taken: `empty`, `loop`, `length`."""
    hypothesis: Hypothesis | None = None
    """Whose text this is, if nothing was changed."""

    def warnings(self, pair: tuple[str, str], source: int, target: int) -> list[dict[str, Any]]:
        """What the guard and the fallback say; places counted from those in the whole texts."""
        said: list[dict[str, Any]] = []
        if self.problem:
            said.append(_PROBLEMS[self.how == "copied"] | {"kind": self.problem, "start": source})
        if self.how != "copied":
            said += [
                each.record(source if each.what == "lost" else target)
                for each in compare(self.source, self.text, pair)
            ]
        return said


_PROBLEMS = {
    True: {
        "what": "copied",
        "en": "the model could not translate this; the source stands here unchanged.",
        "zh": "模型无法翻译此句；此处保留原文。",
    },
    False: {
        "what": "repaired",
        "en": "the model's first answer repeated itself or was empty; another one was taken.",
        "zh": "模型的首个译文重复或为空；已换用其他译文。",
    },
}


@dataclass(frozen=True)
class _Task:
    """A sentence that the model is asked for."""

    text: str
    spans: tuple[Span, ...]
    matches: tuple[Match, ...]
    similar: tuple[Found, ...]


def render(direction: Direction, sentences: Sequence[str], rules: Rules) -> list[Rendered]:
    """The translations of sentences, in order."""
    pair = (direction.source, direction.target)
    done: dict[int, Rendered] = {}
    asked: dict[int, _Task] = {}
    for place, text in enumerate(sentences):
        known = rules.memory.exact(pair, text) if rules.memory is not None else None
        if known is not None:
            same = Found(known, 1.0)
            done[place] = Rendered(text, known.target, "memory", 1.0, similar=(same,))
        elif not translatable(text):
            done[place] = Rendered(text, text, "copied", 1.0)
        else:
            asked[place] = _task(text, pair, rules)
    plain = [place for place, task in asked.items() if not task.spans]
    wanted = 1 + rules.alternatives
    if any(asked[place].matches for place in plain):
        # No more than the beam holds anyway: the glossary changes no other sentence.
        wanted = max(wanted, min(_FOR_TERMS, direction.beam))
    found = direction.best([asked[place].text for place in plain], n_best=wanted)
    for place, hypotheses in zip(plain, found, strict=True):
        done[place] = _plain(direction, asked[place], hypotheses, rules)
    for place, task in asked.items():
        if place not in done:
            done[place] = _spanned(direction, task)
    return [done[place] for place in range(len(sentences))]


def _task(text: str, pair: tuple[str, str], rules: Rules) -> _Task:
    spans = tuple(protected(text, rules.keep))
    matches = tuple(rules.glossary.matches(text, *pair, taken=spans)) if rules.glossary else ()
    similar: list[Found] = []
    if rules.memory is not None and rules.memory.pairs().get(pair):
        similar = rules.memory.fuzzy(pair, text, rules.fuzzy)
    return _Task(text, spans, matches, tuple(similar))


def _plain(
    direction: Direction, task: _Task, hypotheses: Sequence[Hypothesis], rules: Rules
) -> Rendered:
    best = hypotheses[0]
    problem = fault(task.text, best.text)
    others = tuple(
        each.text
        for each in hypotheses[1 : 1 + rules.alternatives]
        if each.text != best.text and not fault(task.text, each.text)
    )
    if problem:
        return _repaired(direction, task, problem)
    if not task.matches:
        return Rendered(
            task.text,
            best.text,
            "model",
            confidence(best),
            others,
            similar=task.similar,
            hypothesis=best,
        )
    sound = [each for each in hypotheses if not fault(task.text, each.text)]
    forced = force(direction, task.text, sound, task.matches)
    return Rendered(
        task.text,
        forced.text,
        "model",
        forced.confidence,
        others,
        _terms(task.matches, forced.honoured),
        similar=task.similar,
        hypothesis=forced.of if forced.text == forced.of.text else None,
    )


def _terms(matches: Sequence[Match], honoured: Sequence[bool]) -> tuple[dict[str, Any], ...]:
    return tuple(
        {
            "source": match.term.source,
            "target": match.term.target,
            "start": match.start,
            "end": match.end,
            "honoured": good,
        }
        for match, good in zip(matches, honoured, strict=True)
    )


def _spanned(direction: Direction, task: _Task) -> Rendered:
    """A sentence with what is kept: glossary terms in it are kept as their translations."""
    spans = [*task.spans, *(Span(m.start, m.end, m.term.target, "term") for m in task.matches)]
    spans.sort(key=lambda span: span.start)
    made = translate_keeping(direction, task.text, spans)
    problem = fault(task.text, made.text)
    kept = tuple(span.text for span in task.spans)
    if problem:
        return Rendered(task.text, task.text, "copied", 0.0, kept=kept, problem=problem)
    if made.text == task.text and made.confidence == 1.0:
        return Rendered(task.text, made.text, "copied", 1.0, kept=kept)
    return Rendered(
        task.text,
        made.text,
        "model" if made.whole else "pieces",
        made.confidence,
        terms=_terms(task.matches, [True] * len(task.matches)),
        kept=kept,
        similar=task.similar,
    )


def _repaired(direction: Direction, task: _Task, problem: str) -> Rendered:
    """Another hypothesis, else the first without its loop, else the source."""
    [hypotheses] = direction.best([task.text], n_best=_OTHERS)
    greedy = Direction(direction.translator, direction.source, direction.target, 1)
    hypotheses += greedy.best([without_loops(task.text)])[0]
    for each in hypotheses:
        if not fault(task.text, each.text):
            return Rendered(task.text, each.text, "repaired", confidence(each), problem=problem)
    for each in hypotheses:
        shorter = without_loops(each.text)
        if not fault(task.text, shorter):
            return Rendered(task.text, shorter, "repaired", confidence(each) / 2, problem=problem)
    return Rendered(task.text, task.text, "copied", 0.0, problem=problem)
