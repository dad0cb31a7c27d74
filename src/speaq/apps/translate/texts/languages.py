"""Codes and names of languages, and which one a text is in.

People write `zh`, `zh-CN`, `zh-Hans`, `zh_TW` or `cmn`; models are trained for a plain code. The
script asked for is kept apart from the language: see `script_of` and `scripts.py`.
"""

import functools
import re
from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import Any, Literal

from speaq.core.errors import SettingsError
from speaq.text.doctor.languages import language as script_language
from speaq.text.units import HAN

Script = Literal["", "Hans", "Hant"]
"""Simplified, traditional, or whichever the model writes."""

NAMES = {
    "ar": ("Arabic", "阿拉伯语"),
    "cs": ("Czech", "捷克语"),
    "da": ("Danish", "丹麦语"),
    "de": ("German", "德语"),
    "el": ("Greek", "希腊语"),
    "en": ("English", "英语"),
    "es": ("Spanish", "西班牙语"),
    "fi": ("Finnish", "芬兰语"),
    "fr": ("French", "法语"),
    "hi": ("Hindi", "印地语"),
    "hu": ("Hungarian", "匈牙利语"),
    "id": ("Indonesian", "印度尼西亚语"),
    "it": ("Italian", "意大利语"),
    "ja": ("Japanese", "日语"),
    "ko": ("Korean", "韩语"),
    "nl": ("Dutch", "荷兰语"),
    "no": ("Norwegian", "挪威语"),
    "pl": ("Polish", "波兰语"),
    "pt": ("Portuguese", "葡萄牙语"),
    "ro": ("Romanian", "罗马尼亚语"),
    "ru": ("Russian", "俄语"),
    "sv": ("Swedish", "瑞典语"),
    "th": ("Thai", "泰语"),
    "tr": ("Turkish", "土耳其语"),
    "uk": ("Ukrainian", "乌克兰语"),
    "vi": ("Vietnamese", "越南语"),
    "zh": ("Chinese", "中文"),
}
_SAME = {
    "cmn": "zh",
    "zho": "zh",
    "chi": "zh",
    "chinese": "zh",
    "中文": "zh",
    "eng": "en",
    "english": "en",
    "deu": "de",
    "ger": "de",
    "german": "de",
    "fra": "fr",
    "fre": "fr",
    "french": "fr",
}
_TRADITIONAL = {"hant", "tw", "hk", "mo"}
_SIMPLIFIED = {"hans", "cn", "sg"}
_DIALECTS = {"wuu", "yue", "lzh", "cdo", "hak", "nan"}
_HAN = re.compile(f"[{HAN}]")
_LETTER = re.compile(r"[^\W\d_]")
_SEEN = 1000
"""Characters of a long text that are looked at."""

UNSPACED = frozenset({"zh", "ja", "th"})
"""Languages that put no space between sentences."""


def plain(code: str) -> str:
    """A language's plain code: `zh` for `zh-CN`, `zh_Hant` and `cmn`; `` for `` and `auto`."""
    first = re.split("[-_]", code.strip().lower())[0]
    return "" if first == "auto" else _SAME.get(first, first)


def script_of(code: str) -> Script:
    """The Chinese script a code asks for; `zh` alone asks for none."""
    parts = set(re.split("[-_]", code.strip().lower())[1:])
    if plain(code) != "zh":
        return ""
    if parts & _TRADITIONAL:
        return "Hant"
    return "Hans" if parts & _SIMPLIFIED else ""


def name_of(code: str) -> tuple[str, str]:
    """A language's name in English and Chinese; its code where it has none here."""
    return NAMES.get(plain(code), (code, code))


def ranked(text: str, among: Collection[str] = ()) -> list[tuple[str, float]]:
    """Languages a text may be in, likeliest first, with probabilities.

    By its script where that says it, else by py3langid over the languages `among`, or all it
    knows. A text without letters has none.

    Args:
        text: any; its first 1,000 characters are looked at.
        among: plain codes to choose from.
    """
    seen = text[:_SEEN]
    if not _LETTER.search(seen):
        return []
    han, letters = len(_HAN.findall(seen)), len(_LETTER.findall(seen))
    allowed = set(among)
    by_script = script_language(seen)
    if by_script in ("zh", "ja", "ko") and (not allowed or by_script in allowed):
        return [(by_script, 1.0)]
    if han * 2 > letters and (not allowed or "zh" in allowed):
        return [("zh", 1.0)]
    sums: dict[str, float] = defaultdict(float)
    for code, probability in _model().rank(seen.lower() if seen.isupper() else seen):
        own = "zh" if code in _DIALECTS else str(code)
        if not allowed or own in allowed:
            sums[own] += float(probability)
    total = sum(sums.values())
    if not total:
        return [(code, 1 / len(allowed)) for code in sorted(allowed)]
    return sorted(((code, p / total) for code, p in sums.items()), key=lambda each: -each[1])


def detected(text: str, among: Collection[str] = ()) -> str:
    """The likeliest language of a text, `` for one without letters."""
    found = ranked(text, among)
    return found[0][0] if found else ""


def pair_of(
    source: str, target: str, text: str, pairs: Sequence[tuple[str, str]]
) -> tuple[str, str]:
    """The pair of plain codes to translate in; `` and `auto` are found out.

    Where the pairs are not known, any is right.

    Raises:
        SettingsError: no such pair; names those there are.
    """
    wanted, into = plain(source), plain(target)
    if not pairs:
        return wanted or detected(text), into
    fitting = [pair for pair in pairs if into in ("", pair[1]) and wanted in ("", pair[0])]
    if not fitting:
        known = ", ".join(f"{a} → {b}" for a, b in pairs)
        raise SettingsError(
            f"this model does not translate {wanted or 'auto'} → {into or 'auto'}; "
            f"it translates {known}.",
            f"该模型不支持 {wanted or 'auto'} → {into or 'auto'}；支持：{known}。",
        )
    sources = {pair[0] for pair in fitting}
    seen = detected(text, sources) if len(sources) > 1 else ""
    return next((pair for pair in fitting if pair[0] == seen), fitting[0])


@functools.lru_cache(maxsize=1)
def _model() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
