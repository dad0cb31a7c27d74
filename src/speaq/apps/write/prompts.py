"""What the model is told: an instruction if it follows any, else a beginning to go on from."""

from speaq.apps.write.request import WriteRequest
from speaq.models.language_model import LanguageModel

_KINDS_EN = {
    "article": "a short article",
    "story": "a short story",
    "review": "a product review",
    "poem": "a poem",
}
_KINDS_ZH = {
    "article": "一篇短文",
    "story": "一个短故事",
    "review": "一篇商品评价",
    "poem": "一首诗",
}
_STARS = "★★★★★☆☆☆☆☆"


def prompt_of(model: LanguageModel, request: WriteRequest) -> str:
    """The text that stands before the written one.

    A model without a chat template was not taught to follow instructions: it goes on behind the
    topic as behind a title, and behind a source as behind the text to be shortened.
    """
    if request.kind == "digest":
        return _of_source(model, request)
    if model.tokenizer.chat_template is None:
        stars = f"{starred(request.stars)} " if request.stars else ""
        return f"{stars}{request.topic.strip()}" + ("" if model.reads_source else "\n")
    return _chinese(request) if request.spoken == "zh" else _english(request)


def starred(stars: int) -> str:
    """Stars out of five as signs: ★★★★☆."""
    return _STARS[5 - stars : 10 - stars]


def _english(request: WriteRequest) -> str:
    parts = [f"Write {_KINDS_EN[request.kind]} about: {request.topic.strip()}."]
    if request.stars:
        parts.append(f"The product gets {request.stars} of 5 stars.")
    if request.style:
        parts.append(f"Style: {request.style.strip()}.")
    if request.keywords:
        parts.append(f"Use the words: {', '.join(request.words)}.")
    if request.sentences:
        parts.append(f"Write {request.sentences} sentences.")
    elif not request.structured:
        parts.append(f"Write about {request.length} words.")
    return " ".join([*parts, "Answer with the text only."])


def _chinese(request: WriteRequest) -> str:
    what = f"一首{request.verse}" if request.verse else _KINDS_ZH[request.kind]
    parts = [f"请以“{request.topic.strip()}”为题写{what}。"]
    if request.stars:
        parts.append(f"该商品得 {request.stars} 星（满分 5 星）。")
    if request.style:
        parts.append(f"风格：{request.style.strip()}。")
    if request.keywords:
        parts.append(f"文中要用到：{'、'.join(request.words)}。")
    if request.sentences:
        parts.append(f"写 {request.sentences} 句。")
    elif not (request.verse or request.structured):
        parts.append(f"约 {request.length} 字。")
    return "".join([*parts, "只写正文。"])


def _of_source(model: LanguageModel, request: WriteRequest) -> str:
    source = request.source.strip()
    chinese = request.spoken == "zh"
    if model.reads_source:
        return source
    if model.tokenizer.chat_template is None:
        return f"{source}\n{'摘要：' if chinese else 'TL;DR:'}"
    count = request.most_sentences
    if chinese:
        return f"请用 {count} 句话概括下面的新闻，只写摘要。\n\n{source}"
    return f"Summarise this news in {count} sentences. Answer with the summary only.\n\n{source}"
