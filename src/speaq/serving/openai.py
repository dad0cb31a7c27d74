"""Answers in the shapes of OpenAI's HTTP interface.

The log-probabilities are those of the distribution each token was really drawn from (after β,
temperature and top-p), the same as in the stored episode. OpenAI reports tokens, not bytes of the
end of a reply: the end token and the tokens of a stop string are in the store only.
"""

import time
from collections.abc import Sequence
from functools import cache
from typing import Any, Literal

from speaq.models.language_model import LanguageModel
from speaq.serving.answering import Ended, Piece
from speaq.serving.generation import Drawn
from speaq.serving.recording import Finish

Kind = Literal["chat", "completion"]
_OBJECTS = {
    ("chat", False): "chat.completion",
    ("chat", True): "chat.completion.chunk",
    ("completion", False): "text_completion",
    ("completion", True): "text_completion",
}


class Shape:
    """Builds the answer to one request.

    Args:
        model: whose tokens are named.
        kind: of completion.
        answer_id: the id of the whole answer.
        logprobs: whether to report log-probabilities.
    """

    def __init__(self, model: LanguageModel, kind: Kind, answer_id: str, *, logprobs: bool) -> None:
        self._model = model
        self._kind = kind
        self._id = answer_id
        self._logprobs = logprobs
        self._created = int(time.time())
        self._offsets: dict[int, int] = {}  # of each choice, where its next token begins

    def whole(
        self, answers: Sequence[tuple[list[Piece], Ended]], prompt_tokens: int
    ) -> dict[str, Any]:
        """The answer in one piece."""
        choices = []
        for index, (pieces, ended) in enumerate(answers):
            text = "".join(piece.text for piece in pieces)
            tokens = [drawn for piece in pieces for drawn in piece.tokens]
            said: dict[str, Any] = {"text": text}
            if self._kind == "chat":
                said = {"message": {"role": "assistant", "content": text, "refusal": None}}
            choices.append(
                {
                    "index": index,
                    **said,
                    "logprobs": self._reported(index, tokens),
                    "finish_reason": _reason(ended.how),
                }
            )
        used = usage(prompt_tokens, sum(len(ended.tokens) for _, ended in answers))
        return {**self._frame(stream=False), "choices": choices, "usage": used}

    def chunk(self, index: int, piece: Piece, *, first: bool) -> dict[str, Any]:
        """A piece of choice `index`."""
        said: dict[str, Any] = {"text": piece.text}
        if self._kind == "chat":
            role = {"role": "assistant"} if first else {}
            said = {"delta": {**role, "content": piece.text}}
        reported = self._reported(index, piece.tokens)
        return self._chunk(index, said, reported, None)

    def last_chunk(self, index: int, how: Finish) -> dict[str, Any]:
        """The end of choice `index`."""
        said: dict[str, Any] = {"delta": {}} if self._kind == "chat" else {"text": ""}
        return self._chunk(index, said, None, _reason(how))

    def usage_chunk(self, prompt_tokens: int, completion_tokens: int) -> dict[str, Any]:
        """What a stream that asked for it ends with."""
        used = usage(prompt_tokens, completion_tokens)
        return {**self._frame(stream=True), "choices": [], "usage": used}

    def _chunk(
        self, index: int, said: dict[str, Any], logprobs: Any, reason: str | None
    ) -> dict[str, Any]:
        choice = {"index": index, **said, "logprobs": logprobs, "finish_reason": reason}
        return {**self._frame(stream=True), "choices": [choice]}

    def _frame(self, stream: bool) -> dict[str, Any]:
        return {
            "id": self._id,
            "object": _OBJECTS[self._kind, stream],
            "created": self._created,
            "model": self._model.name,
        }

    def _reported(self, index: int, tokens: Sequence[Drawn]) -> dict[str, Any] | None:
        if not self._logprobs:
            return None
        if self._kind == "chat":
            return {"content": [self._chat_token(drawn) for drawn in tokens], "refusal": None}
        names = [self._name(drawn.token_id) for drawn in tokens]
        offsets = []
        for name in names:
            offsets.append(self._offsets.get(index, 0))
            self._offsets[index] = offsets[-1] + len(name)
        return {
            "tokens": names,
            "token_logprobs": [drawn.logprob for drawn in tokens],
            "top_logprobs": [{self._name(i): p for i, p in drawn.best} for drawn in tokens],
            "text_offset": offsets,
        }

    def _chat_token(self, drawn: Drawn) -> dict[str, Any]:
        best = [self._named(i, p) for i, p in drawn.best]
        return {**self._named(drawn.token_id, drawn.logprob), "top_logprobs": best}

    def _named(self, token_id: int, logprob: float) -> dict[str, Any]:
        data = token_bytes(self._model, token_id)
        listed = None if data is None else list(data)
        return {"token": self._name(token_id), "logprob": logprob, "bytes": listed}

    def _name(self, token_id: int) -> str:
        return str(self._model.tokenizer.decode([token_id]))


def usage(prompt_tokens: int, completion_tokens: int) -> dict[str, int]:
    """Token counts."""
    return {
        "prompt_tokens": prompt_tokens,
        "completion_tokens": completion_tokens,
        "total_tokens": prompt_tokens + completion_tokens,
    }


def _reason(how: Finish) -> str:
    return "stop" if how == "stop" else "length"


@cache
def _byte_alphabet() -> dict[str, int]:
    """The printable stand-ins for bytes that byte-level vocabularies use (GPT-2's)."""
    plain = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in set(plain)]
    return {
        **{chr(byte): byte for byte in plain},
        **{chr(256 + place): byte for place, byte in enumerate(others)},
    }


def token_bytes(model: LanguageModel, token_id: int) -> bytes | None:
    """The bytes a token stands for; None where the vocabulary does not tell."""
    text = str(model.tokenizer.decode([token_id]))
    if "\ufffd" not in text:
        return text.encode()
    name = str(model.tokenizer.convert_ids_to_tokens(token_id))
    if name.startswith("<0x") and name.endswith(">") and len(name) == 6:
        return bytes([int(name[3:5], 16)])
    alphabet = _byte_alphabet()
    if all(letter in alphabet for letter in name):
        return bytes(alphabet[letter] for letter in name)
    return None
