"""Conversations as tokens: what stands before each reply, by the model's own chat template.

An encoder–decoder model has no conversations: it reads one plain text and writes one reply.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple

from jinja2 import TemplateError

from speaq.core.errors import ModelError
from speaq.models.language_model import LanguageModel


class Message(NamedTuple):
    """One message of a conversation."""

    speaker: Literal["user", "system", "tool", "assistant"]
    text: str


def opening(model: LanguageModel, messages: Sequence[Message]) -> list[int]:
    """Tokens of a conversation that ends where the assistant's next reply begins.

    A model without a chat template reads the texts one after another, and so does an encoder: as
    its tokenizer takes them, since nothing in a source can pass for a reply.

    Raises:
        ModelError: the template refuses the conversation, or a model that reads a source is given
            one that holds a reply.
    """
    if model.reads_source:
        if any(message.speaker == "assistant" for message in messages):
            raise _one_reply(model)
        return model.encode_prompt("".join(message.text for message in messages))
    return model.encode(_opening_text(model, messages))


def continuation(
    model: LanguageModel, before: Sequence[Message], reply: str, ended: bool, after: list[Message]
) -> list[int]:
    """Tokens between the end of `reply` and the place where the next reply begins.

    Args:
        model: whose template is used.
        before: the messages the reply answered.
        reply: the assistant's text.
        ended: whether the reply's own tokens already hold the end token.
        after: the messages that came next.

    Raises:
        ModelError: the template rewrites earlier messages, so the log's tokens cannot be kept; or
            the model reads a source, and writes one reply to it.
    """
    if model.reads_source:
        raise _one_reply(model)
    if model.tokenizer.chat_template is None:  # what came before changes nothing
        return model.encode(_opening_text(model, after))
    reply = harmless(model, reply)
    start = _opening_text(model, before) + reply
    whole = _opening_text(model, [*before, Message("assistant", reply), *after])
    if not whole.startswith(start):
        raise ModelError(
            f"The chat template of {model.name} rewrites earlier messages; multi-turn episodes "
            "cannot be replayed with it token by token.",
            f"{model.name} 的对话模板会改写之前的消息，无法逐词元重放多轮片段。",
        )
    rest = whole[len(start) :]
    end = str(model.tokenizer.eos_token)
    if ended and rest.startswith(end):
        rest = rest[len(end) :]
    return model.encode(rest)


def _one_reply(model: LanguageModel) -> ModelError:
    return ModelError(
        f"{model.name} is an encoder–decoder model: it reads one text and writes one reply. For "
        "episodes of several replies use a decoder-only model.",
        f"{model.name} 是编码器—解码器模型：读一段文本，写一个回复。多轮片段请使用仅解码器模型。",
    )


def harmless(model: LanguageModel, text: str) -> str:
    """`text` with a zero-width space inside anything that spells a special token.

    Otherwise a person who writes the end-of-message mark could speak in another's name.
    """
    for token in model.tokenizer.all_special_tokens:
        if token in text:
            text = text.replace(token, f"{token[0]}\u200b{token[1:]}")
    return text


def _opening_text(model: LanguageModel, messages: Sequence[Message]) -> str:
    messages = [Message(each.speaker, harmless(model, each.text)) for each in messages]
    if model.tokenizer.chat_template is None:
        return "".join(message.text for message in messages)
    listed = [{"role": message.speaker, "content": message.text} for message in messages]
    try:
        text: str = model.tokenizer.apply_chat_template(
            listed, tokenize=False, add_generation_prompt=True
        )
    except TemplateError as error:
        raise ModelError(
            f"The chat template of {model.name} refuses this conversation: {error}",
            f"{model.name} 的对话模板拒绝了这段对话：{error}",
        ) from error
    return text
