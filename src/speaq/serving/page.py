"""The people's side: a conversation, thumbs, and what the value function thought of each word."""

import os
from collections.abc import Callable, Iterator
from typing import Any

from fastapi import FastAPI

from speaq.core.errors import SpeaqError
from speaq.core.language import language as locale_language
from speaq.serving import heat_view, sitting
from speaq.serving.answering import Desk
from speaq.serving.assets import ICON, STATIC
from speaq.serving.sitting import Sitting
from speaq.serving.texts import Texts, texts


def mount(app: FastAPI, desk: Desk) -> FastAPI:
    """Put the page at / of `app`, behind all its routes."""
    gr = _gradio()
    theme = gr.themes.Soft(
        primary_hue="cyan",
        font=["system-ui", "Noto Sans CJK SC", "sans-serif"],
        font_mono=["ui-monospace", "monospace"],
    ).set(
        block_title_background_fill="none",
        block_title_padding="0",
        block_title_text_color="*body_text_color",
    )
    mounted: FastAPI = gr.mount_gradio_app(
        app,
        _Page(desk).blocks,
        path="/",
        theme=theme,
        css_paths=[STATIC / "page.css"],
        favicon_path=str(ICON),
        footer_links=[],
        ssr_mode=False,
        pwa=False,
        enable_monitoring=False,
    )
    return mounted


def _gradio() -> Any:
    """gradio, told before its import to report nothing to anybody."""
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    import gradio

    return gradio


class _Page:
    """The page's parts and what happens between them."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._gr = _gradio()
        self.blocks = self._gr.Blocks(title="speaq", analytics_enabled=False)
        with self.blocks:
            self._lay_out(texts(locale_language()))
            self._connect()

    def _lay_out(self, words: Texts) -> None:
        gr = self._gr
        self._sitting = gr.State(Sitting())
        self._remembered = gr.BrowserState("", storage_key="speaq.language", secret="speaq")
        with gr.Row(elem_id="top"):
            with gr.Column(scale=5, min_width=300):
                self._head = gr.HTML(self._heading(words))
            with gr.Column(scale=1, min_width=170):
                self._language = gr.Radio(
                    [("English", "en"), ("中文", "zh")],
                    value=locale_language(),
                    label="Language 语言",
                    show_label=False,
                    container=False,
                    elem_id="language",
                )
        with gr.Row():
            with gr.Column(scale=3, min_width=320):
                self._lay_out_conversation(words)
            with gr.Column(scale=2, min_width=320):
                self._lay_out_heat(words)

    def _lay_out_conversation(self, words: Texts) -> None:
        gr = self._gr
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
        gr = self._gr
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
        own = {"api_visibility": "private", "show_progress": "hidden"}
        asking = [self._ask, self._sitting, self._beta, self._temperature, self._longest]
        shown = [self._ask, self._chat, self._heat]
        self._ask.submit(
            self._answer(), [*asking, self._language], shown, concurrency_limit=8, **own
        )
        self._chat.example_select(
            self._answer_example(), [*asking[1:], self._language], shown, **own
        )
        self._ask.stop(Sitting.stop, self._sitting, None, **own)
        self._chat.like(self._judge(), [self._sitting, self._language], None, **own)
        cleared = [self._sitting, *shown]
        self._clear.click(_clear, [self._sitting, self._language], cleared, **own)
        self._chat.clear(_clear, [self._sitting, self._language], cleared, **own)
        self._beta.release(
            self._remeasure, [self._sitting, self._beta, self._language], self._heat, **own
        )
        self._keep.click(
            self._correct(),
            [self._correction, self._sitting, self._language],
            self._correction,
            **own,
        )
        self._connect_language(own)

    def _connect_language(self, own: dict[str, str]) -> None:
        words_of = [
            self._head,
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
        self._language.change(
            self._relabel, [self._language, self._sitting], [*words_of, self._remembered], **own
        )
        self.blocks.load(_first_language(), self._remembered, self._language, **own)

    def _heading(self, words: Texts) -> str:
        name = self._desk.model.name.replace("<", "&lt;")
        return (
            f'<div class="page-head"><h1>spea<span class="q">q</span>'
            f'<span class="model">{name}</span></h1><p>{words.subtitle}</p></div>'
        )

    def _heat_of(self, one: Sitting, language: str) -> str:
        return heat_view.render(one.heat, one.heat_beta, texts(language))

    def _answer(self) -> Callable[..., Iterator[tuple[Any, Any, Any]]]:
        gr = self._gr

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
        import gradio as gr

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
        import gradio as gr

        def judge(one: Sitting, language: str, liked: gr.LikeData) -> None:
            try:
                # A second click on the same thumb takes it back and says "".
                good = liked.liked if isinstance(liked.liked, bool) else None
                sitting.judge(self._desk, one, liked.index, good)
            except SpeaqError as error:
                gr.Warning(error.zh if language == "zh" else error.en, title="!")
                return
            gr.Info(texts(language).kept, duration=3, title="✓")

        return judge

    def _correct(self) -> Callable[..., str]:
        gr = self._gr

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
        gr = self._gr
        words = texts(language)
        return [
            gr.update(value=self._heading(words)),
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
            language,
        ]


_AT_REST = {"submit_btn": True, "stop_btn": False}
"""The input's buttons while nothing is being written."""


def _clear(old: Sitting, language: str) -> tuple[Sitting, Any, list[Any], str]:
    import gradio as gr

    old.left = True
    old.stop()
    return (
        Sitting(),
        gr.update(value="", **_AT_REST),
        [],
        heat_view.render([], 0, texts(language)),
    )


def _first_language() -> Callable[..., str]:
    import gradio as gr

    def first_language(remembered: str, request: gr.Request) -> str:
        """The language chosen last time, else the browser's, else the server's."""
        if remembered:
            return remembered
        wanted = str(request.headers.get("accept-language", "")).lower()
        if not wanted:
            return locale_language()
        return "zh" if wanted.startswith("zh") else "en"

    return first_language


def _placeholder(words: Texts) -> str:
    return f"## {words.empty_title}\n{words.empty_body}"


def _examples(words: Texts) -> list[dict[str, str]]:
    return [{"text": example} for example in words.examples]
