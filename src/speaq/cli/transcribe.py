"""speaq transcribe: words and times of recordings; train or evaluate an engine on your own.

zh: 将录音转写为带时间的文字；也可用自己的录音训练或评测。
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from speaq.cli.actions import act
from speaq.cli.inputs import tell
from speaq.cli.options import parse
from speaq.core.language import say

if TYPE_CHECKING:
    from speaq.apps.application import Answer
    from speaq.apps.transcribe.application import Transcribe
    from speaq.apps.transcribe.scoring import Errors

RUN = (
    "What is said in recordings, with times: as text, or as subtitles (--format srt or vtt).",
    "录音中说了什么、何时说：输出文本，或字幕（--format srt 或 vtt）。",
)
TRAIN = (
    "Train an acoustic model and n-grams on your own recordings.",
    "用自己的录音训练声学模型与 n 元模型。",
)
EVALUATE = (
    "Word and character error rates on recordings with their texts, and how many seconds of work "
    "a second of sound costs.",
    "在带文本的录音上计算词错误率与字错误率，以及实时率。",
)
SPHINX = "sphinx"


@dataclass(frozen=True)
class Run:
    """Options of `speaq transcribe run`."""

    recordings: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """WAV, FLAC, MP3, M4A or OGG files."""
    model: str = SPHINX
    """sphinx, pypi:PACKAGE with a Whisper model, or a folder: Whisper's, or one trained here."""
    language: str = ""
    """A code such as en or zh; unset: found out by engines that can."""
    prompt: str = ""
    """Words that are likely, for engines that can be told."""
    script: Literal["as heard", "simplified", "traditional"] = "as heard"
    """For Chinese."""
    format: Literal["text", "srt", "vtt", "json"] = "text"
    """What is printed."""
    gate: bool = True
    """Give engines only the stretches in which somebody speaks."""
    look: Path | None = None
    """Draw the chain of each recording into this folder."""
    store: str = ""
    """Keep the transcripts in this experience store, for feedback."""


@dataclass(frozen=True)
class Evaluate:
    """Options of `speaq transcribe evaluate`."""

    data: Annotated[Path, tyro.conf.Positional]
    """As for `train`."""
    model: str = SPHINX
    """As for `run`."""
    language: str = ""
    """As for `run`."""
    gate: bool = True
    """As for `run`."""


def main(args: list[str]) -> None:
    """Run the verb with its command line; a word that is no action is a recording."""
    actions = {"run": (_run, RUN), "train": (_train, TRAIN), "evaluate": (_evaluate, EVALUATE)}
    plain = bool(args) and args[0] not in (*actions, "-h", "--help")
    act("transcribe", actions, ["run", *args] if plain else args)


def _run(args: list[str]) -> None:
    options = parse(Run, args, "transcribe run", RUN)
    from speaq.apps.transcribe.application import Transcribe

    application = Transcribe.open(options.model)
    for path in options.recordings:
        answer = _heard(application, path, options)
        if options.store:
            _keep(answer, options.store)
        print(_shown(answer, options, path))


def _heard(application: "Transcribe", path: Path, options: "Run | Evaluate") -> "Answer":
    from speaq.apps.application import Answer, new_id
    from speaq.apps.transcribe.application import TranscribeRequest
    from speaq.apps.transcribe.audio import read_audio

    request = TranscribeRequest(name=path.name, language=options.language, gate=options.gate)
    if isinstance(options, Run):
        form = "text" if options.format == "json" else options.format
        request = replace(request, prompt=options.prompt, script=options.script, format=form)
    samples = read_audio(path)
    for said in application.hear(samples, request, new_id(application.name)):
        if isinstance(said, Answer):
            answer = said
    if isinstance(options, Run) and options.look is not None:
        from speaq.apps.transcribe.looking import draw_answer
        from speaq.apps.transcribe.segments import of_record

        segments = [of_record(each) for each in answer.details["segments"]]
        draw_answer(application.engine, samples, segments, options.look / f"{path.stem}.png")
    return answer


def _keep(answer: "Answer", store: str) -> None:
    from speaq.experience.store import ExperienceStore

    with ExperienceStore(store) as kept:
        kept.append(answer.episode)
    tell(
        f"{store} holds it as {answer.id}.",
        f"已存入 {store}，编号 {answer.id}。",
    )


def _shown(answer: "Answer", options: Run, path: Path) -> str:
    import json

    if options.format == "json":
        record = {"file": str(path), "text": answer.text, **answer.details}
        return json.dumps(record, ensure_ascii=False)
    if options.format == "text" and len(options.recordings) > 1:
        return f"{path}\t{answer.text}"
    return answer.text


def _evaluate(args: list[str]) -> None:
    options = parse(Evaluate, args, "transcribe evaluate", EVALUATE)
    from speaq.apps.transcribe.application import Transcribe
    from speaq.apps.transcribe.recordings import read_recordings
    from speaq.apps.transcribe.scoring import character_errors, total, word_errors

    application = Transcribe.open(options.model)
    words: list[Errors] = []
    characters: list[Errors] = []
    work = sound = 0.0
    for each in read_recordings(options.data):
        answer = _heard(application, each.path, options)
        words.append(word_errors(each.text, answer.text))
        characters.append(character_errors(each.text, answer.text))
        sound += answer.details["duration"]
        work += answer.details["duration"] * answer.details["real_time_factor"]
    print(
        say(
            f"{len(words)} recordings of {sound:.1f} s: WER {total(words)}, "
            f"CER {total(characters)}, real-time factor {work / sound:.3f}",
            f"{len(words)} 段录音共 {sound:.1f} 秒：词错误率 {total(words)}，"
            f"字错误率 {total(characters)}，实时率 {work / sound:.3f}",
        )
    )


def _train(args: list[str]) -> None:
    from speaq.cli.transcribe_train import train

    train(args)
