"""The conversation: thumbs, and what the value function thought of each word."""

from collections.abc import Callable, Iterator
from typing import Any

import gradio as gr

from speaq.core.errors import SpeaqError
from speaq.serving import heat_view, sitting
from speaq.serving.answering import Desk
from speaq.serving.panels.panel import OWN, told
from speaq.serving.sitting import Sitting
from speaq.serving.texts import Texts, texts


class Chat:
    """The panel's parts and what happens between them."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def title(self, language: str) -> str:
        """See `Panel`."""
        return texts(language).conversation

    def lay_out(self, language: Any, spoken: str) -> None:
        """See `Panel`."""
        words = texts(spoken)
        self._language = language
        self._sitting = gr.State(Sitting())
        with gr.Row():
            with gr.Column(scale=3, min_width=320):
                self._lay_out_conversation(words)
            with gr.Column(scale=2, min_width=320):
                self._lay_out_heat(words)
        self._connect()

    def _lay_out_conversation(self, words: Texts) -> None:
        self._chat = gr.Chatbot(
            label=words.conversation,
            show_label=False,
            elem_id="conversation",
            height=520,
            buttons=["copy"],
            placeholder=_placeholder(words),
            examples=_examples(words),
            allow_tags=False,
        )
        self._ask = gr.Textbox(
            placeholder=words.ask,
            show_label=False,
            container=False,
            submit_btn=True,
            autofocus=True,
            elem_id="ask",
        )
        self._clear = gr.Button(words.clear, size="sm", variant="secondary")
        with gr.Accordion(words.settings, open=False) as self._settings:
            self._temperature = gr.Slider(0, 2, value=1.0, step=0.05, label=words.temperature)
            self._longest = gr.Slider(
                8, 1024, value=self._desk.settings.max_new_tokens, step=8, label=words.longest
            )
        with gr.Accordion(words.correction, open=False) as self._correcting:
            self._correction = gr.Textbox(
                show_label=False, placeholder=words.correction_hint, lines=3
            )
            self._keep = gr.Button(words.correction_send, size="sm")

    def _lay_out_heat(self, words: Texts) -> None:
        guided = self._desk.model.head is not None
        self._beta = gr.Slider(
            0,
            max(8.0, 2 * self._desk.beta),
            value=self._desk.beta,
            step=0.25,
            label=words.beta,
            info=words.beta_info,
            visible=guided,
            elem_id="beta",
        )
        with gr.Column(elem_id="heat-panel"):
            self._heat_title = gr.Markdown(f"### {words.heat_title}", elem_classes="heat-title")
            self._heat = gr.HTML(heat_view.render([], 0, words), elem_id="heat")

    def _connect(self) -> None:
        asking = [self._ask, self._sitting, self._beta, self._temperature, self._longest]
        shown = [self._ask, self._chat, self._heat]
        self._ask.submit(
            self._answer(), [*asking, self._language], shown, concurrency_limit=8, **OWN
        )
        self._chat.example_select(
            self._answer_example(), [*asking[1:], self._language], shown, **OWN
        )
        self._ask.stop(Sitting.stop, self._sitting, None, **OWN)
        self._chat.like(self._judge(), [self._sitting, self._language], None, **OWN)
        cleared = [self._sitting, *shown]
        self._clear.click(_clear, [self._sitting, self._language], cleared, **OWN)
        self._chat.clear(_clear, [self._sitting, self._language], cleared, **OWN)
        self._beta.release(
            self._remeasure, [self._sitting, self._beta, self._language], self._heat, **OWN
        )
        self._keep.click(
            self._correct(),
            [self._correction, self._sitting, self._language],
            self._correction,
            **OWN,
        )
        self._connect_language()

    def _connect_language(self) -> None:
        words_of = [
            self._chat,
            self._ask,
            self._clear,
            self._heat_title,
            self._heat,
            self._beta,
            self._settings,
            self._temperature,
            self._longest,
            self._correcting,
            self._correction,
            self._keep,
        ]
        self._language.change(self._relabel, [self._language, self._sitting], words_of, **OWN)

    def _heat_of(self, one: Sitting, language: str) -> str:
        return heat_view.render(one.heat, one.heat_beta, texts(language))

    def _answer(self) -> Callable[..., Iterator[tuple[Any, Any, Any]]]:

        def answer(
            message: str,
            one: Sitting,
            beta: float,
            temperature: float,
            longest: float,
            language: str,
        ) -> Iterator[tuple[Any, Any, Any]]:
            if not message.strip():
                yield gr.skip(), gr.skip(), gr.skip()
                return
            steps = sitting.reply(self._desk, one, message, beta, temperature, int(longest))
            shown = [*one.shown(), {"role": "user", "content": message}]
            yield gr.update(value="", submit_btn=False, stop_btn=True), shown, gr.skip()
            try:
                for _ in steps:
                    if one.left:
                        return
                    yield gr.skip(), one.shown(), self._heat_of(one, language)
                yield gr.update(**_AT_REST), gr.skip(), gr.skip()
            except SpeaqError as error:
                gr.Warning(error.zh if language == "zh" else error.en, title="!")
                yield gr.update(value=message, **_AT_REST), one.shown(), gr.skip()

        return answer

    def _answer_example(self) -> Callable[..., Iterator[tuple[Any, Any, Any]]]:
        answer = self._answer()

        def answer_example(
            one: Sitting,
            beta: float,
            temperature: float,
            longest: float,
            language: str,
            chosen: gr.SelectData,
        ) -> Iterator[tuple[Any, Any, Any]]:
            message = chosen.value["text"]
            yield from answer(message, one, beta, temperature, longest, language)

        return answer_example

    def _judge(self) -> Callable[..., None]:
        def judge(one: Sitting, language: str, liked: gr.LikeData) -> None:
            with told(language):
                # A second click on the same thumb takes it back and says "".
                good = liked.liked if isinstance(liked.liked, bool) else None
                sitting.judge(self._desk, one, liked.index, good)
                gr.Info(texts(language).kept, duration=3, title="✓")

        return judge

    def _correct(self) -> Callable[..., str]:

        def correct(text: str, one: Sitting, language: str) -> str:
            words = texts(language)
            try:
                kept = sitting.correct(self._desk, one, text)
            except SpeaqError as error:
                gr.Warning(error.zh if language == "zh" else error.en, title="!")
                return text
            gr.Info(
                words.kept if kept else words.nothing_to_correct,
                duration=3,
                title="✓" if kept else "…",
            )
            return "" if kept else text

        return correct

    def _remeasure(self, one: Sitting, beta: float, language: str) -> str:
        sitting.measure(self._desk, one, beta)
        return self._heat_of(one, language)

    def _relabel(self, language: str, one: Sitting) -> list[Any]:
        words = texts(language)
        return [
            gr.update(
                label=words.conversation,
                placeholder=_placeholder(words),
                examples=_examples(words),
            ),
            gr.update(placeholder=words.ask),
            gr.update(value=words.clear),
            gr.update(value=f"### {words.heat_title}"),
            gr.update(value=self._heat_of(one, language)),
            gr.update(label=words.beta, info=words.beta_info),
            gr.update(label=words.settings),
            gr.update(label=words.temperature),
            gr.update(label=words.longest),
            gr.update(label=words.correction),
            gr.update(placeholder=words.correction_hint),
            gr.update(value=words.correction_send),
        ]


_AT_REST = {"submit_btn": True, "stop_btn": False}
"""The input's buttons while nothing is being written."""


def _clear(old: Sitting, language: str) -> tuple[Sitting, Any, list[Any], str]:
    old.left = True
    old.stop()
    return (
        Sitting(),
        gr.update(value="", **_AT_REST),
        [],
        heat_view.render([], 0, texts(language)),
    )


def _placeholder(words: Texts) -> str:
    return f"## {words.empty_title}\n{words.empty_body}"


def _examples(words: Texts) -> list[dict[str, str]]:
    return [{"text": example} for example in words.examples]
