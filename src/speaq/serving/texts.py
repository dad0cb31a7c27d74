"""The page's words, in both languages."""

from dataclasses import dataclass, fields


@dataclass(frozen=True)
class Texts:
    """Everything the page says."""

    subtitle: str
    conversation: str
    ask: str
    empty_title: str
    empty_body: str
    examples: tuple[str, str, str]
    clear: str
    settings: str
    beta: str
    beta_info: str
    temperature: str
    longest: str
    heat_title: str
    heat_empty: str
    heat_hint: str
    worse: str
    better: str
    unlikely: str
    likely: str
    no_head: str
    token: str
    end: str
    advantage: str
    model_alone: str
    guided: str
    said: str
    instead: str
    correction: str
    correction_hint: str
    correction_send: str
    kept: str
    nothing_to_correct: str
    scale: str


ENGLISH = Texts(
    subtitle="Every answer is kept on this machine with its exact probabilities. "
    "Your thumbs, up or down, are what the model learns from.",
    conversation="Conversation",
    ask="Write a message and press Enter",
    empty_title="Ask something",
    empty_body="Then judge the answer with the thumbs below it, and see on the right what the "
    "value function made of every word. Nothing leaves this machine.",
    examples=(
        "Write a friendly one-line reply to a customer whose parcel is late.",
        "Explain in two sentences why the sky is blue.",
        "Suggest three names for a small bakery.",
    ),
    clear="New conversation",
    settings="Answer settings",
    beta="β, strength of guidance",
    beta_info="0: the model as it is. Larger: more of what was judged good.",
    temperature="Temperature",
    longest="Longest answer, tokens",
    heat_title="What the value function thinks",
    heat_empty="After the first answer, its words appear here coloured by their value.",
    heat_hint="Point at a word, or reach it with Tab, to see what could have stood there instead.",
    worse="worse than usual here",
    better="better than usual here",
    unlikely="unlikely",
    likely="likely",
    no_head="This model has no separate value function (it may have been folded into the model), "
    "so colours show how probable each word was.",
    token="Token",
    end="⟨end⟩",
    advantage="Advantage",
    model_alone="Model alone",
    guided="Guided, β = {beta}",
    said="said",
    instead="or else",
    correction="What should it have said?",
    correction_hint="Your version of the last answer; kept beside it.",
    correction_send="Keep",
    kept="Kept. Thank you.",
    nothing_to_correct="There is no answer to correct yet, or the text is empty.",
    scale="strongest colour: ±{scale}",
)

CHINESE = Texts(
    subtitle="每个回答连同其精确概率都保存在这台机器上。您点的赞与踩就是模型学习的依据。",
    conversation="对话",
    ask="输入消息，按回车发送",
    empty_title="请提一个问题",
    empty_body="然后用回答下方的赞或踩评价，并在右侧查看价值函数对每个词的看法。"
    "任何内容都不会离开这台机器。",
    examples=(
        "给包裹迟到的顾客写一句友好的回复。",
        "用两句话解释天空为什么是蓝色的。",
        "给一家小面包店起三个名字。",
    ),
    clear="新对话",
    settings="回答设置",
    beta="β，引导强度",
    beta_info="0：模型原样。越大：越偏向评价好的内容。",
    temperature="温度",
    longest="回答最长词元数",
    heat_title="价值函数怎么看",
    heat_empty="得到第一个回答后，其中的词会按价值着色显示在这里。",
    heat_hint="把鼠标移到某个词上，或用 Tab 键选中，可看到此处本可以说什么。",
    worse="比此处通常更差",
    better="比此处通常更好",
    unlikely="不太可能",
    likely="很可能",
    no_head="该模型没有单独的价值函数（可能已合并进模型），因此颜色表示每个词的概率。",
    token="词元",
    end="⟨结束⟩",
    advantage="优势",
    model_alone="模型本身",
    guided="引导后，β = {beta}",
    said="所说",
    instead="或者",
    correction="它本该怎么说？",
    correction_hint="您对上一个回答的改写；将与其一起保存。",
    correction_send="保存",
    kept="已保存，谢谢。",
    nothing_to_correct="还没有可改写的回答，或文本为空。",
    scale="最深颜色：±{scale}",
)


def texts(language: str) -> Texts:
    """The words of `language`: `zh`, else English."""
    return CHINESE if language == "zh" else ENGLISH


NAMES = tuple(field.name for field in fields(Texts))
