"""What is said where there is no answer, in the language of the question."""

from collections.abc import Sequence

from speaq.text.segmentation import is_chinese

_LANGUAGES = {
    "zh": ("Chinese", "中文"),
    "en": ("English", "英文"),
    "de": ("German", "德文"),
    "fr": ("French", "法文"),
    "es": ("Spanish", "西班牙文"),
    "ja": ("Japanese", "日文"),
    "ko": ("Korean", "韩文"),
    "ru": ("Russian", "俄文"),
}


def unknown(question: str, asked: str, nearest: Sequence[str]) -> str:
    """The documents do not say.

    Args:
        question: as it was asked; its language is answered in.
        asked: what was looked for.
        nearest: places of the passages that came nearest.
    """
    if is_chinese(question):
        places = f"最接近的段落在 {'、'.join(nearest)}。" if nearest else ""
        return f"文档中没有找到答案。查找的内容：“{asked}”。{places}"
    places = f" The nearest passages stand in {', '.join(nearest)}." if nearest else ""
    return f"The documents do not say. Looked for: “{asked}”.{places}"


def foreign(question: str, asked: str, known: str) -> str:
    """The question is in another language than the documents.

    Args:
        question: as it was asked.
        asked: the code of its language.
        known: codes of the documents' languages, separated by commas.
    """
    chinese = is_chinese(question)
    names = [_LANGUAGES.get(code, (code, code))[chinese] for code in (asked, *known.split(", "))]
    if chinese:
        return f"问题是{names[0]}，而文档是{'、'.join(names[1:])}；请用文档的语言提问。"
    return (
        f"The question is in {names[0]}, and the documents are in {', '.join(names[1:])}; "
        "please ask in their language."
    )
