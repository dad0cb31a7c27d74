"""What a panel is, and what every panel has: thumbs under an answer, errors said in words."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

import gradio as gr

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


_WORDS = {
    "en": ("Good", "Bad", "Kept. Thank you.", "What should it have been?", "Keep"),
    "zh": ("好", "不好", "已保存，谢谢。", "本该是什么？", "保存"),
}


class Judging:
    """Thumbs, and a correction, for the answer whose id a state holds."""

    def __init__(self, counter: Counter, answer_id: Any, language: Any, spoken: str) -> None:
        self._counter = counter
        good, bad, _, hint, keep = _WORDS[spoken]
        with gr.Row(elem_classes="judging"):
            self._good = gr.Button(good, size="sm", min_width=80)
            self._bad = gr.Button(bad, size="sm", min_width=80)
            self._right = gr.Textbox(
                show_label=False, placeholder=hint, container=False, scale=4, min_width=160
            )
            self._keep = gr.Button(keep, size="sm", min_width=80)
        self._good.click(self._thumb(True), [answer_id, language], None, **OWN)
        self._bad.click(self._thumb(False), [answer_id, language], None, **OWN)
        corrected = [self._right, answer_id, language]
        self._keep.click(self._correct, corrected, self._right, **OWN)
        self._right.submit(self._correct, corrected, self._right, **OWN)
        language.change(_relabel, language, [self._good, self._bad, self._right, self._keep], **OWN)

    def _thumb(self, good: bool) -> Callable[[str, str], None]:
        def thumb(answer_id: str, language: str) -> None:
            if not answer_id:
                return
            with told(language):
                self._counter.judge(answer_id, good)
                gr.Info(_WORDS[language][2], duration=3, title="✓")

        return thumb

    def _correct(self, text: str, answer_id: str, language: str) -> str:
        if not (text.strip() and answer_id):
            return text
        left = text
        with told(language):
            self._counter.judge(answer_id, text.strip(), kind="correction")
            gr.Info(_WORDS[language][2], duration=3, title="✓")
            left = ""
        return left


def _relabel(language: str) -> list[Any]:
    good, bad, _, hint, keep = _WORDS[language]
    return [
        gr.update(value=good),
        gr.update(value=bad),
        gr.update(placeholder=hint),
        gr.update(value=keep),
    ]
