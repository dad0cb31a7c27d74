"""What may be asked, field by field. A field that is not here is refused, never ignored."""

from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StrictBool,
    StrictFloat,
    StrictInt,
    StrictStr,
    model_validator,
)


def writable(text: str) -> str:
    """Refuse what cannot be stored: lone surrogates and NUL."""
    if "\x00" in text or any("\ud800" <= c <= "\udfff" for c in text):
        raise ValueError("the text holds a NUL or half a surrogate pair")
    return text


Text = Annotated[StrictStr, AfterValidator(writable)]
Some = Annotated[StrictStr, Field(min_length=1), AfterValidator(writable)]
Short = Annotated[StrictStr, Field(min_length=1, max_length=256), AfterValidator(writable)]
Stop = Annotated[StrictStr, Field(min_length=1, max_length=128), AfterValidator(writable)]
Number = Annotated[float, Field(allow_inf_nan=False)]

MAX_CHOICES = 8
MAX_BEST = 20


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid")


class TextPart(_Request):
    """A piece of a message's content."""

    type: Literal["text"]
    text: Text


class ChatMessage(_Request):
    """One message of the conversation so far."""

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: Text | Annotated[list[TextPart], Field(min_length=1)]
    name: Text | None = Field(default=None, description="accepted, not shown to the model")
    tool_call_id: Text | None = Field(default=None, description="accepted, not shown to the model")

    @property
    def text(self) -> str:
        """The content as one text."""
        if isinstance(self.content, str):
            return self.content
        return "".join(part.text for part in self.content)


class StreamOptions(_Request):
    """What a stream says besides its text."""

    include_usage: bool = False
    include_obfuscation: bool | None = Field(default=None, description="accepted, no effect")


class PlainText(_Request):
    """The only response format there is."""

    type: Literal["text"]


class _Sampling(_Request):
    """Fields that both kinds of completion share."""

    model: Short = Field(description="as in /v1/models")
    stream: bool = False
    stream_options: StreamOptions | None = None
    n: int = Field(default=1, ge=1, le=MAX_CHOICES)
    max_tokens: int | None = Field(default=None, ge=1)
    temperature: Number | None = Field(default=None, ge=0, le=2)
    top_p: Number | None = Field(default=None, gt=0, le=1)
    stop: Stop | Annotated[list[Stop], Field(max_length=4)] | None = None
    seed: int | None = Field(default=None, ge=-(2**63), lt=2**63)
    user: Short | None = Field(
        default=None, description="a pseudonym of the person; stored, and what erasure goes by"
    )
    store: bool | None = Field(
        default=None, description="false: nothing may be learnt from this answer; true: it may"
    )
    frequency_penalty: Literal[0] | None = Field(default=None, description="0 only")
    presence_penalty: Literal[0] | None = Field(default=None, description="0 only")

    @property
    def stops(self) -> tuple[str, ...]:
        """The stop strings."""
        if self.stop is None:
            return ()
        return (self.stop,) if isinstance(self.stop, str) else tuple(self.stop)


class ChatRequest(_Sampling):
    """Body of /v1/chat/completions."""

    messages: list[ChatMessage] = Field(min_length=1)
    max_completion_tokens: int | None = Field(default=None, ge=1)
    logprobs: bool | None = None
    top_logprobs: int | None = Field(default=None, ge=0, le=MAX_BEST)
    response_format: PlainText | None = None

    @model_validator(mode="after")
    def _consistent(self) -> "ChatRequest":
        if self.top_logprobs is not None and not self.logprobs:
            raise ValueError("top_logprobs needs logprobs = true")
        if self.max_tokens is not None and self.max_completion_tokens is not None:
            raise ValueError("give max_tokens or max_completion_tokens, not both")
        return self

    @property
    def longest(self) -> int | None:
        """The length limit, under either name."""
        return self.max_tokens if self.max_tokens is not None else self.max_completion_tokens

    @property
    def best(self) -> int:
        """How many alternatives to report."""
        return self.top_logprobs or 0


class CompletionRequest(_Sampling):
    """Body of /v1/completions."""

    prompt: Text | Annotated[list[Text], Field(min_length=1, max_length=MAX_CHOICES)]
    max_tokens: int | None = Field(default=16, ge=1)
    logprobs: int | None = Field(default=None, ge=0, le=MAX_BEST)
    echo: Literal[False] | None = None
    best_of: Literal[1] | None = None

    @property
    def prompts(self) -> list[str]:
        """The prompts, one or several."""
        return [self.prompt] if isinstance(self.prompt, str) else list(self.prompt)


class FeedbackRequest(_Request):
    """Body of /v1/feedback: what somebody made of an answer."""

    id: Short = Field(description="the id the answer came with")
    choice: int = Field(
        default=0, ge=0, lt=MAX_CHOICES * MAX_CHOICES, description="if it had several"
    )
    kind: Short = Field(default="thumb", description="thumb, score, click, ...")
    value: StrictBool | StrictInt | Annotated[StrictFloat, Field(allow_inf_nan=False)] | Some
    comment: Some | None = None
    correction: Some | None = Field(default=None, description="what it should have said")
    source: Short = "user"
    key: Short | None = Field(
        default=None, description="idempotency key; the header Idempotency-Key means the same"
    )


class FeedbackReceipt(BaseModel):
    """The feedback is on disk."""

    object: Literal["feedback"] = "feedback"
    id: str
    stored: bool = Field(description="false: this event was known already, nothing changed")
