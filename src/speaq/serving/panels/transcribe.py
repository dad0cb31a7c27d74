"""Speech on the page: a microphone or a file, the words with their times, subtitles to take."""

import atexit
import base64
import html
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import gradio as gr

from speaq.apps.application import Answer
from speaq.apps.transcribe.application import Transcribe, TranscribeRequest
from speaq.apps.transcribe.chinese import SCRIPTS
from speaq.apps.transcribe.segments import of_record, srt, vtt
from speaq.serving.counter import Counter
from speaq.serving.panels.panel import OWN, Judging, id_kept, told

_WORDS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "title": "Transcribe",
        "audio": "Speak, or drop a recording",
        "language": "Language (en, zh, ...; empty: found out)",
        "script": "Chinese characters",
        "as heard": "as heard",
        "simplified": "simplified",
        "traditional": "traditional",
        "send": "Transcribe",
        "text": "What was said",
        "files": "Subtitles",
        "nothing": "No speech was heard.",
        "record": "Record something or drop a recording first.",
        "took": "{seconds:.1f} s of sound, {factor:.2f} s of work for each",
    },
    "zh": {
        "title": "转写",
        "audio": "对着麦克风说话，或放入录音",
        "language": "语言（en、zh 等；留空则自动判断）",
        "script": "汉字",
        "as heard": "照原样",
        "simplified": "简体",
        "traditional": "繁体",
        "send": "转写",
        "text": "内容",
        "files": "字幕",
        "nothing": "没有听到说话声。",
        "record": "请先录音或放入录音文件。",
        "took": "录音 {seconds:.1f} 秒，每秒录音用时 {factor:.2f} 秒",
    },
}


class TranscribePanel:
    """The panel's parts and what happens between them."""

    def __init__(self, counter: Counter) -> None:
        assert isinstance(counter.application, Transcribe)
        self._counter = counter
        self._folder = tempfile.TemporaryDirectory(prefix="speaq-transcribe-")
        # The page lives as long as the process; what was said is not left behind.
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
                self._audio = gr.Audio(
                    sources=["upload", "microphone"],
                    type="filepath",
                    label=words["audio"],
                    buttons=["download"],  # not the button that would share it with others
                )
                self._language = gr.Textbox(label=words["language"], max_lines=1)
                self._script = gr.Dropdown(
                    _scripts(spoken), value=SCRIPTS[0], label=words["script"]
                )
                self._send = gr.Button(words["send"], variant="primary")
            with gr.Column(min_width=300):
                self._text = gr.Textbox(
                    label=words["text"], lines=6, interactive=False, buttons=["copy"]
                )
                self._times = gr.HTML("")
                self._files = gr.File(
                    label=words["files"], file_count="multiple", interactive=False
                )
                Judging(self._counter, self._answer_id, language, spoken)
        self._send.click(
            self._transcribe,
            [self._audio, self._language, self._script, language],
            [self._text, self._times, self._files, self._answer_id],
            **OWN,
        )
        labelled = [
            self._audio,
            self._language,
            self._script,
            self._send,
            self._text,
            self._files,
        ]
        language.change(_relabel, language, labelled, **OWN)

    def _transcribe(
        self, file: str | None, language_of_speech: str, script: Any, language: str
    ) -> Iterator[tuple[str, str, list[str], str]]:
        """Segments as they are heard, then times and files."""
        if file is None:
            gr.Warning(_WORDS[language]["record"], title="!")
            return
        path = Path(file)
        with told(language):
            request = TranscribeRequest(
                audio=base64.b64encode(path.read_bytes()).decode("ascii"),
                name=path.name,
                language=language_of_speech.strip(),
                script=script,
            )
            text = ""
            for said in self._counter.answers(request):
                if isinstance(said, Answer):
                    yield (
                        said.text,
                        _times(said, language),
                        self._subtitles(said, path.stem),
                        id_kept(said),
                    )
                else:
                    text += said
                    yield text, "", [], ""

    def _subtitles(self, answer: Answer, stem: str) -> list[str]:
        """Files of the recording's name, in a folder of the answer's own."""
        segments = [of_record(each) for each in answer.details["segments"]]
        if not segments:
            return []
        folder = Path(self._folder.name) / answer.id
        folder.mkdir()
        made = []
        for name, text in (("srt", srt(segments)), ("vtt", vtt(segments))):
            file = folder / f"{stem}.{name}"
            file.write_text(text, encoding="utf-8")
            made.append(str(file))
        return made


def _times(answer: Answer, language: str) -> str:
    """The segments as a list, and how long it took."""
    words = _WORDS[language]
    details = answer.details
    if not details["segments"]:
        return f"<p>{words['nothing']}</p>"
    lines = "".join(
        f"<tr><td>{each['start']:.1f}–"
        f"{each['end']:.1f} s</td><td>{html.escape(each['text'])}</td></tr>"
        for each in details["segments"]
    )
    took = words["took"].format(seconds=details["duration"], factor=details["real_time_factor"])
    return f'<table class="times">{lines}</table><p>{took}</p>'


def _scripts(language: str) -> list[tuple[str, str]]:
    return [(_WORDS[language][script], script) for script in SCRIPTS]


def _relabel(language: str) -> list[Any]:
    words = _WORDS[language]
    return [
        gr.update(label=words["audio"]),
        gr.update(label=words["language"]),
        gr.update(label=words["script"], choices=_scripts(language)),
        gr.update(value=words["send"]),
        gr.update(label=words["text"]),
        gr.update(label=words["files"]),
    ]
