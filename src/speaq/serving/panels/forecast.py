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
        "table": "A table with a header: unique_id,ds,y or a column a series",
        "file": "Or a CSV file",
        "horizon": "Steps ahead (0: the forecaster's own)",
        "season": "Season, where a forecaster is fitted now (24, 7, 12, ...)",
        "send": "Forecast",
        "chart": "History, forecast, bands",
        "made": "Forecast as CSV",
        "text": "the file is not UTF-8 text; save it as CSV in UTF-8.",
    },
    "zh": {
        "title": "预测",
        "table": "带表头的表格：unique_id,ds,y，或每列一条序列",
        "file": "或 CSV 文件",
        "horizon": "预测步数（0：按预测器）",
        "season": "周期（当场拟合时用：24、7、12 等）",
        "send": "预测",
        "chart": "历史、预测与区间",
        "made": "预测结果 CSV",
        "text": "文件不是 UTF-8 文本；请另存为 UTF-8 的 CSV。",
    },
}


class ForecastPanel:
    """The panel's parts and what happens between them."""

    def __init__(self, counter: Counter) -> None:
        assert isinstance(counter.application, Forecast)
        self._counter = counter
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
                self._table = gr.Textbox(lines=10, max_lines=20, label=words["table"])
                self._file = gr.File(label=words["file"], file_types=[".csv"], type="filepath")
                self._horizon = gr.Number(0, label=words["horizon"], precision=0, minimum=0)
                self._season = gr.Number(1, label=words["season"], precision=0, minimum=1)
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
        self, table: str, file: str | None, horizon: float, season: float, language: str
    ) -> tuple[Any, str | None, str]:
        shown: tuple[Any, str | None, str] = (None, None, "")
        with told(language):
            request = ForecastRequest(
                csv=table if table.strip() else _content(file),
                horizon=int(horizon or 0),
                season=int(season or 1),
            )
            answer = self._counter.answer(request)
            for note in answer.details["notes"]:
                gr.Info(note[language], title="i")
            made = Path(self._folder.name) / f"{answer.id}.csv"
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
