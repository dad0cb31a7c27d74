"""The people's side: one tab for the conversation and for each application, in two languages."""

import atexit
import os
import tempfile
from collections.abc import Callable, Sequence
from typing import Any

from fastapi import FastAPI

from speaq.core import registry
from speaq.core.language import language as locale_language
from speaq.serving.answering import Desk
from speaq.serving.assets import ICON, STATIC
from speaq.serving.counter import Counter
from speaq.serving.texts import texts


def mount(app: FastAPI, desk: Desk | None, counters: Sequence[Counter]) -> FastAPI:
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
        block_label_background_fill="none",
        block_label_background_fill_dark="none",
        block_label_border_width="0",
        block_label_shadow="none",
        block_label_text_color="*body_text_color",
        block_label_text_color_dark="*body_text_color",
    )
    mounted: FastAPI = gr.mount_gradio_app(
        app,
        _Page(desk, counters).blocks,
        path="/",
        theme=theme,
        css_paths=[STATIC / "page.css"],
        favicon_path=str(ICON),
        footer_links=[],
        ssr_mode=False,
        pwa=False,
        enable_monitoring=False,
        # A defect's message may quote what somebody wrote; see `errors.failed`.
        show_error=False,
    )
    return mounted


def _gradio() -> Any:
    """gradio, told before its import to report nothing to anybody."""
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    if _PASSING not in os.environ:
        # Left to itself it keeps what visitors upload, and what was made of it, for good.
        folder = tempfile.TemporaryDirectory(prefix="speaq-page-")
        atexit.register(folder.cleanup)
        os.environ[_PASSING] = folder.name
    import gradio

    return gradio


_PASSING = "GRADIO_TEMP_DIR"
"""Where files that pass through the page lie. Who names a folder keeps them there."""


class _Page:
    """Heading, language, and the panels."""

    def __init__(self, desk: Desk | None, counters: Sequence[Counter]) -> None:
        self._gr = _gradio()
        self._panels = _panels(desk, counters)
        models = [] if desk is None else [desk.model.name]
        self._name = models[0] if models else ", ".join(each.application.model for each in counters)
        self.blocks = self._gr.Blocks(title="speaq", analytics_enabled=False)
        with self.blocks:
            self._lay_out(locale_language())

    def _lay_out(self, spoken: str) -> None:
        gr = self._gr
        from speaq.serving.panels.panel import OWN

        remembered = gr.BrowserState("", storage_key="speaq.language", secret="speaq")
        with gr.Row(elem_id="top"):
            with gr.Column(scale=5, min_width=300):
                head = gr.HTML(self._heading(spoken))
            with gr.Column(scale=1, min_width=170):
                language = gr.Radio(
                    [("English", "en"), ("中文", "zh")],
                    value=spoken,
                    label="Language 语言",
                    show_label=False,
                    container=False,
                    elem_id="language",
                )
        tabs = self._lay_out_panels(language, spoken)

        def relabel(chosen: str) -> list[Any]:
            titles = [gr.update(label=panel.title(chosen)) for panel in self._panels[: len(tabs)]]
            return [gr.update(value=self._heading(chosen)), chosen, *titles]

        language.change(relabel, language, [head, remembered, *tabs], **OWN)
        self.blocks.load(_first_language(), remembered, language, **OWN)

    def _lay_out_panels(self, language: Any, spoken: str) -> list[Any]:
        """Draw the panels and return their tabs; one panel alone needs none."""
        gr = self._gr
        if len(self._panels) == 1:
            self._panels[0].lay_out(language, spoken)
            return []
        tabs = []
        with gr.Tabs(elem_id="panels"):
            for panel in self._panels:
                with gr.Tab(panel.title(spoken)) as tab:
                    panel.lay_out(language, spoken)
                tabs.append(tab)
        return tabs

    def _heading(self, language: str) -> str:
        name = self._name.replace("<", "&lt;")
        return (
            f'<div class="page-head"><h1>spea<span class="q">q</span>'
            f'<span class="model">{name}</span></h1><p>{texts(language).subtitle}</p></div>'
        )


def _panels(desk: Desk | None, counters: Sequence[Counter]) -> list[Any]:
    from speaq.serving.panels.chat import Chat

    known = registry.names("panels")
    panels: list[Any] = [] if desk is None else [Chat(desk)]
    for counter in counters:
        if counter.name in known:
            panels.append(registry.load("panels", counter.name)(counter))
    return panels


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
