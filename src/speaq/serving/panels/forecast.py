"""Series on the page: a table pasted or dropped, the chart with its bands, the numbers to take."""

import atexit
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gradio as gr

from speaq.apps.forecast.application import Forecast, ForecastRequest
from speaq.apps.forecast.chart import chart
from speaq.core.errors import DataError
from speaq.serving.counter import Counter
from speaq.serving.panels.panel import OWN, Judging, told

_WORDS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "title": "Forecast",
        "table": "A table: dates and a column for each series, or unique_id,ds,y",
        "file": "Or a CSV file",
        "horizon": "Steps ahead (0: the forecaster's own)",
        "season": "Season: steps after which things repeat (7 of days, 12 of months)",
        "send": "Forecast",
        "chart": "History, forecast, bands",
        "made": "Forecast as CSV",
        "text": "the file is not UTF-8 text; save it as CSV in UTF-8.",
        "empty": "Paste a table, or drop a CSV file, first.",
    },
    "zh": {
        "title": "预测",
        "table": "表格：日期与每条序列一列，或 unique_id,ds,y",
        "file": "或 CSV 文件",
        "horizon": "预测步数（0：按预测器）",
        "season": "周期：每隔几步重复（按日为 7，按月为 12）",
        "send": "预测",
        "chart": "历史、预测与区间",
        "made": "预测结果 CSV",
        "text": "文件不是 UTF-8 文本；请另存为 UTF-8 的 CSV。",
        "empty": "请先粘贴表格或放入 CSV 文件。",
    },
}
_EXAMPLE = "ds,a,b\n2024-01-01,52,7\n2024-01-02,61,9\n…"


class ForecastPanel:
    """The panel's parts and what happens between them."""

    def __init__(self, counter: Counter) -> None:
        application = counter.application
        assert isinstance(application, Forecast)
        self._counter = counter
        self._fits = application.forecaster is None
        self._folder = tempfile.TemporaryDirectory(prefix="speaq-forecast-")
        # The page lives as long as the process; what was foretold is not left behind.
        atexit.register(self._folder.cleanup)

    def title(self, language: str) -> str:
        """See `Panel`."""
        return _WORDS[language]["title"]

    def lay_out(self, language: Any, spoken: str) -> None:
        """See `Panel`."""
        words = _WORDS[spoken]
        self._answer_id = gr.State("")
        with gr.Row():
            with gr.Column(min_width=300):
                self._table = gr.Textbox(
                    lines=8, max_lines=20, label=words["table"], placeholder=_EXAMPLE
                )
                self._file = gr.File(
                    label=words["file"], file_types=[".csv"], type="filepath", height=140
                )
                self._horizon = gr.Number(0, label=words["horizon"], precision=0)
                self._season = gr.Number(1, label=words["season"], precision=0, visible=self._fits)
                self._send = gr.Button(words["send"], variant="primary")
            with gr.Column(min_width=300):
                self._chart = gr.Plot(label=words["chart"], show_label=False)
                self._made = gr.File(label=words["made"], interactive=False)
                Judging(self._counter, self._answer_id, language, spoken)
        self._send.click(
            self._foretell,
            [self._table, self._file, self._horizon, self._season, language],
            [self._chart, self._made, self._answer_id],
            **OWN,
        )
        labelled = [
            self._table,
            self._file,
            self._horizon,
            self._season,
            self._send,
            self._chart,
            self._made,
        ]
        language.change(_relabel, language, labelled, **OWN)

    def _foretell(
        self,
        table: str,
        file: str | None,
        horizon: float | None,
        season: float | None,
        language: str,
    ) -> tuple[Any, Any, Any]:
        shown: tuple[Any, Any, Any] = gr.skip(), gr.skip(), gr.skip()
        if file is None and not table.strip():
            gr.Warning(_WORDS[language]["empty"], title="!")
            return shown
        with told(language):
            request = ForecastRequest(
                csv=table if table.strip() else _content(file),
                horizon=int(horizon or 0),
                season=int(1 if season is None else season),
            )
            answer = self._counter.answer(request)
            for note in answer.details["notes"]:
                gr.Info(note[language], title="i")
            folder = Path(self._folder.name) / answer.id
            folder.mkdir()
            made = folder / "forecast.csv"
            made.write_text(answer.text + "\n", encoding="utf-8")
            shown = chart(answer.details["forecasts"]), str(made), answer.id
        return shown


def _content(file: str | None) -> str:
    if file is None:
        return ""
    try:
        return Path(file).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(_WORDS["en"]["text"], _WORDS["zh"]["text"]) from error


def _relabel(language: str) -> list[Any]:
    words = _WORDS[language]
    labels = ("table", "file", "horizon", "season")
    return [
        *(gr.update(label=words[name]) for name in labels),
        gr.update(value=words["send"]),
        gr.update(label=words["chart"]),
        gr.update(label=words["made"]),
    ]
