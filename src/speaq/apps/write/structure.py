"""Text of a shape that a program reads: a JSON schema or a regular expression, through llguidance.

llguidance says which tokens may come next; it is what large servers use, and it works here over
any vocabulary that can be spelt in bytes.
"""

from typing import Any

import torch
from torch import Tensor

from speaq.core.errors import SettingsError
from speaq.models.constrained import Draft
from speaq.models.language_model import LanguageModel
from speaq.models.token_bytes import TokenBytes


class Structure:
    """The rule that a text has a shape.

    Args:
        model: whose tokens are written.
        spelling: of the model.
        shape: `json:SCHEMA` or `regex:PATTERN`.

    Raises:
        SettingsError: llguidance is not installed, or the schema or pattern cannot be used.
    """

    def __init__(self, model: LanguageModel, spelling: TokenBytes, shape: str) -> None:
        kind, _, text = shape.partition(":")
        library = _llguidance()
        matcher = library.LLMatcher
        try:
            grammar = (
                matcher.grammar_from_json_schema(text, overrides={"whitespace_flexible": False})
                if kind == "json"
                else matcher.grammar_from_regex(text)
            )
        except ValueError as error:
            raise _refused(kind, str(error)) from error
        tokenizer = library.LLTokenizer(library.TokenizerWrapper(_Tokens(model, spelling)))
        self._matcher = matcher(tokenizer, grammar)
        if self._matcher.is_error():
            raise _refused(kind, self._matcher.get_error())
        self._read = 0

    def apply(self, draft: Draft, logits: Tensor) -> Tensor:
        """See `Rule`."""
        self._matcher.consume_tokens(draft.token_ids[self._read :])
        self._read = len(draft.token_ids)
        bits = torch.frombuffer(bytearray(self._matcher.compute_bitmask()), dtype=torch.uint8)
        places = torch.arange(8, dtype=torch.uint8)
        mask = (bits[:, None] >> places & 1).bool().flatten()[: len(logits)]
        kept = torch.full_like(logits, -torch.inf)
        found = mask.to(logits.device)
        kept[found] = logits[found].clamp(min=-1e4)
        return kept


class _Tokens:
    """The vocabulary as llguidance asks for it."""

    def __init__(self, model: LanguageModel, spelling: TokenBytes) -> None:
        self._model = model
        self.eos_token_id = spelling.end_id
        self.bos_token_id = None
        # What writes nothing is a mark of its own, never a part of the text.
        self.special_token_ids = [n for n, each in enumerate(spelling.spelt) if not each]
        self.tokens = [each or b"\xff<%d>" % n for n, each in enumerate(spelling.spelt)]

    def __call__(self, text: str) -> list[int]:
        return self._model.encode(text)


def _llguidance() -> Any:
    try:
        import llguidance
    except ModuleNotFoundError as error:
        raise SettingsError(
            "a JSON schema or a regular expression needs llguidance; install it with: "
            "pip install 'speaq[write]'",
            "JSON 模式与正则表达式需要 llguidance；请运行：pip install 'speaq[write]'",
        ) from error
    return llguidance


def _refused(kind: str, reason: str) -> SettingsError:
    what = {"json": ("JSON schema", "JSON 模式"), "regex": ("regular expression", "正则表达式")}
    en, zh = what[kind]
    short = " ".join(reason.split())[:200]
    return SettingsError(
        f"form: the {en} cannot be used: {short}.", f"form：该{zh}无法使用：{short}。"
    )
