"""What a panel is, and what panels share: a framed answer, thumbs under it, errors in words."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

import gradio as gr

from speaq.apps.application import Answer
from speaq.core.errors import SpeaqError
from speaq.serving.counter import Counter

OWN: Mapping[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
"""Of every event on the page: no public interface beside the routes, no flicker."""


class Panel(Protocol):
    """One application's tab. Made once for all visitors; what is a visitor's own is `gr.State`."""

    def __init__(self, counter: Counter) -> None: ...

    def title(self, language: str) -> str:
        """The tab's label in `en` or `zh`."""
        ...

    def lay_out(self, language: Any, spoken: str) -> None:
        """Draw the panel into the tab that is open, and connect it.

        Args:
            language: the page's radio of `en` and `zh`; its `change` relabels the panel.
            spoken: the language that the labels begin in.
        """
        ...


@contextmanager
def told(language: str) -> Iterator[None]:
    """Show an error that is meant for people as a warning on the page, and go on."""
    try:
        yield
    except SpeaqError as error:
        gr.Warning(error.zh if language == "zh" else error.en, title="!")


def framed(label: str, elem_id: str | None = None) -> Any:
    """An empty frame for an answer, with a label that a change of language reaches.

    Screen readers hear what comes into it.
    """
    return gr.HTML(
        "",
        label=label,
        show_label=True,
        container=True,
        padding=True,
        elem_id=elem_id,
        elem_classes="framed",
    )


def live(body: str) -> str:
    """What stands in a frame."""
    return f'<div class="framed-text" aria-live="polite">{body}</div>'


def id_kept(answer: Answer) -> str:
    """The id under which an answer can be judged; empty where it has no words to judge."""
    return answer.id if answer.text else ""


_WORDS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "good": "Good",
        "bad": "Bad",
        "kept": "Kept. Thank you.",
        "hint": "What should it have been?",
        "keep": "Keep",
        "none": "There is no answer to judge yet.",
    },
    "zh": {
        "good": "好",
        "bad": "不好",
        "kept": "已保存，谢谢。",
        "hint": "本该是什么？",
        "keep": "保存",
        "none": "还没有可以评价的回答。",
    },
}


class Judging:
    """Thumbs, and a correction, for the answer whose id a state holds."""

    def __init__(self, counter: Counter, answer_id: Any, language: Any, spoken: str) -> None:
        self._counter = counter
        words = _WORDS[spoken]
        with gr.Row(elem_classes="judging", equal_height=True):
            self._good = gr.Button(words["good"], size="sm", min_width=80)
            self._bad = gr.Button(words["bad"], size="sm", min_width=80)
            self._right = gr.Textbox(
                label=words["hint"],
                show_label=False,
                placeholder=words["hint"],
                container=False,
                scale=4,
                min_width=160,
            )
            self._keep = gr.Button(words["keep"], size="sm", min_width=80)
        self._good.click(self._thumb(True), [answer_id, language], None, **OWN)
        self._bad.click(self._thumb(False), [answer_id, language], None, **OWN)
        corrected = [self._right, answer_id, language]
        self._keep.click(self._correct, corrected, self._right, **OWN)
        self._right.submit(self._correct, corrected, self._right, **OWN)
        language.change(_relabel, language, [self._good, self._bad, self._right, self._keep], **OWN)

    def _thumb(self, good: bool) -> Callable[[str, str], None]:
        def thumb(answer_id: str, language: str) -> None:
            if not _answered(answer_id, language):
                return
            with told(language):
                self._counter.judge(answer_id, good)
                gr.Info(_WORDS[language]["kept"], duration=3, title="✓")

        return thumb

    def _correct(self, text: str, answer_id: str, language: str) -> str:
        if not (text.strip() and _answered(answer_id, language)):
            return text
        left = text
        with told(language):
            self._counter.judge(answer_id, text.strip(), kind="correction")
            gr.Info(_WORDS[language]["kept"], duration=3, title="✓")
            left = ""
        return left


def _answered(answer_id: str, language: str) -> bool:
    """Whether there is something to judge; says so if not."""
    if not answer_id:
        gr.Info(_WORDS[language]["none"], duration=3, title="i")
    return bool(answer_id)


def _relabel(language: str) -> list[Any]:
    words = _WORDS[language]
    return [
        gr.update(value=words["good"]),
        gr.update(value=words["bad"]),
        gr.update(label=words["hint"], placeholder=words["hint"]),
        gr.update(value=words["keep"]),
    ]
