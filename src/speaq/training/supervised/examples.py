"""What supervised tasks learn from. Readers make these; so may anyone, in plain Python.

`row` is the row of the file an example came from, for messages; 0 where there is no file.
"""

from dataclasses import dataclass

from speaq.core.errors import DataError
from speaq.models.chat import Message


@dataclass(frozen=True, slots=True)
class Labelled:
    """A text, or a pair of texts, and what it is: one label, or any number of several."""

    text: str
    labels: tuple[str, ...]
    second: str | None = None
    """The other text of a pair."""
    row: int = 0


@dataclass(frozen=True, slots=True)
class Tagged:
    """Words, or the characters of a Chinese sentence, each with a tag in IOB2: `B-city`, `O`."""

    words: tuple[str, ...]
    tags: tuple[str, ...]
    row: int = 0

    def __post_init__(self) -> None:
        if len(self.words) != len(self.tags):
            raise DataError(
                f"{len(self.words)} words but {len(self.tags)} tags.",
                f"有 {len(self.words)} 个词，却有 {len(self.tags)} 个标签。",
                row=self.row or None,
                field="tags",
            )


@dataclass(frozen=True, slots=True)
class Answer:
    """A passage of a text: its words and the character it begins at."""

    start: int
    text: str


@dataclass(frozen=True, slots=True)
class Question:
    """A question about a text, answered by a passage of it, or by none."""

    question: str
    context: str
    answers: tuple[Answer, ...] = ()
    """Any of them is right; none means that the text does not say."""
    id: str = ""
    row: int = 0

    def __post_init__(self) -> None:
        for answer in self.answers:
            found = self.context[answer.start : answer.start + len(answer.text)]
            if found != answer.text or not answer.text:
                raise DataError(
                    f"the answer '{answer.text}' does not stand at character {answer.start} of the "
                    f"text (there is '{found}').",
                    f"答案“{answer.text}”不在文本的第 {answer.start} 个字符处（该处是“{found}”）。",
                    row=self.row or None,
                    field="answers",
                )


Span = tuple[int, int]
"""From a character to another, the second not included."""


@dataclass(frozen=True, slots=True)
class Related:
    """Two marked passages of a text and how the first stands to the second."""

    text: str
    head: Span
    tail: Span
    label: str
    row: int = 0

    def __post_init__(self) -> None:
        for name, (start, end) in (("head", self.head), ("tail", self.tail)):
            if not 0 <= start < end <= len(self.text):
                raise DataError(
                    f"the passage {start}-{end} does not lie in a text of {len(self.text)} "
                    "characters.",
                    f"片段 {start}-{end} 不在长度为 {len(self.text)} 的文本之内。",
                    row=self.row or None,
                    field=name,
                )


@dataclass(frozen=True, slots=True)
class Parsed:
    """A sentence's words, their parts of speech, and its tree; all but the words may be unknown."""

    words: tuple[str, ...]
    parts: tuple[str, ...] = ()
    heads: tuple[int, ...] = ()
    """Each word's head, counted from 1; 0: the root."""
    relations: tuple[str, ...] = ()
    row: int = 0


@dataclass(frozen=True, slots=True)
class Dialogue:
    """Messages; every one of the assistant's is an answer to learn to write."""

    messages: tuple[Message, ...]
    row: int = 0

    def __post_init__(self) -> None:
        if not any(message.speaker == "assistant" for message in self.messages):
            raise DataError(
                "no message of an assistant, so there is no answer to learn.",
                "没有 assistant 的消息，因此没有可学习的回答。",
                row=self.row or None,
            )

    @property
    def source(self) -> str:
        """What stands before the last answer, one text after another."""
        last = max(n for n, each in enumerate(self.messages) if each.speaker == "assistant")
        return "\n".join(each.text for each in self.messages[:last])

    @property
    def answer(self) -> str:
        """The last answer."""
        return next(each.text for each in self.messages[::-1] if each.speaker == "assistant")


def written(source: str, answer: str, row: int = 0) -> Dialogue:
    """One text and what should be written in answer to it, such as its translation."""
    return Dialogue((Message("user", source), Message("assistant", answer)), row)


Example = Labelled | Tagged | Question | Related | Parsed | Dialogue
