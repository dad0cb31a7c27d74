"""An answer in a language model's words, grounded in numbered passages.

The model sees the passages and the question, and nothing else; numbers of passages that are not
there are never given out. What it wrote is held against the passages afterwards, see `citing`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch

from speaq.apps.answer.citing import MARK
from speaq.apps.answer.searching import Found
from speaq.core.errors import DataError
from speaq.models.chat import Message, opening
from speaq.models.decoding import Decoding, log_probabilities
from speaq.models.language_model import LanguageModel
from speaq.models.prefill import prefill
from speaq.models.sources import load
from speaq.text.segmentation import is_chinese

LONGEST = 160
"""Tokens of an answer, at most."""
_ORDERS = {
    False: (
        "Answer the question in one to three sentences, from the numbered passages only, and put "
        "the number of the passage behind each sentence, like [1]."
    ),
    True: "只根据编号的段落，用一到三句话回答问题，并在每句话后注明段落编号，如 [1]。",
}


@dataclass(frozen=True, slots=True)
class Written:
    """A whole answer."""

    text: str
    token_ids: tuple[int, ...] | None
    """As drawn; None where the text is not all that was drawn."""
    logprobs: tuple[float, ...] | None
    truncated: bool


class Writer:
    """Words answers, by the likeliest token each time.

    Args:
        model: that writes.
    """

    def __init__(self, model: LanguageModel) -> None:
        self.model = model
        self.name = model.name

    @classmethod
    def open(cls, source: str) -> "Writer":
        """The writer behind a model source; see `speaq.models.sources.load`."""
        return cls(load(source))

    def write(self, question: str, found: Sequence[Found]) -> Iterator[str | Written]:
        """Pieces of text as they become certain, then the whole.

        Raises:
            DataError: not even one passage fits into the model's context.
        """
        prefix = self._prefix(question, found)
        ids: list[int] = []
        logprobs: list[float] = []
        given, ended = "", False
        for token, logprob in self._draw(prefix):
            ids.append(token)
            logprobs.append(logprob)
            ended = token == self.model.end_id
            text = _certain(self._spelled(ids), len(found), final=ended or len(ids) == LONGEST)
            yield text[len(given) :]
            given = text
        whole = self._spelled(ids)
        exact = given == whole
        yield Written(
            given.strip(),
            tuple(ids) if exact else None,
            tuple(logprobs) if exact else None,
            not ended,
        )

    def _spelled(self, ids: Sequence[int]) -> str:
        said: str = self.model.tokenizer.decode(
            [token for token in ids if token != self.model.end_id], skip_special_tokens=True
        )
        return said

    def _prefix(self, question: str, found: Sequence[Found]) -> list[int]:
        """The tokens of the orders, as many passages as fit, and the question."""
        for count in range(len(found), 0, -1):
            shown = "\n".join(
                f"[{n}] {' '.join(each.passage.text.split())}"
                for n, each in enumerate(found[:count], 1)
            )
            asked = f"{_ORDERS[is_chinese(question)]}\n\n{shown}\n\n{question}\n"
            prefix = opening(self.model, [Message("user", asked)])
            if self.model.room(len(prefix)) >= LONGEST:
                return prefix
        raise DataError(
            f"no passage fits into the {self.model.context_length} tokens of {self.model.name}; "
            "index shorter passages, or take another writer.",
            f"{self.model.name} 的 {self.model.context_length} 个词元容不下一个段落；"
            "请用更短的段落建立索引，或更换模型。",
        )

    @torch.inference_mode()
    def _draw(self, prefix: Sequence[int]) -> Iterator[tuple[int, float]]:
        reading = prefill(self.model, [tuple(prefix)])
        hidden = reading.hidden
        greedy = Decoding(temperature=0, max_new_tokens=LONGEST)
        for step in range(LONGEST):
            logits = self.model.output_layer(hidden).float()
            token = int(log_probabilities(logits, greedy)[0].argmax())
            yield token, 0.0
            if token == self.model.end_id or step + 1 == LONGEST:
                return
            hidden = reading.extend(torch.tensor([[token]], device=hidden.device))[:, -1]


def _certain(text: str, passages: int, *, final: bool) -> str:
    """The part of a text that later tokens cannot change, without the numbers of passages that
    are not there."""
    if not final:
        text = text.rstrip("\ufffd")
        mark = text.rfind("[")
        if mark >= 0 and "]" not in text[mark:] and len(text) - mark <= 4:
            text = text[:mark]
    return MARK.sub(
        lambda found: found.group() if 1 <= int(found.group(1)) <= passages else "", text
    )
