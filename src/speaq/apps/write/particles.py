"""The Chinese particles 的, 地 and 得, which sound alike: which one stands where.

的 stands before what it describes, 地 behind what says how something is done, 得 behind a verb and
before how it came out. Rules read the kinds of the words around (jieba's dictionary) and change
only what they are sure of.
"""

import re
from collections.abc import Callable
from functools import cache
from typing import Any

_PARTICLES = "的地得"
_DEGREE = "很 非常 太 特别 十分 真 比较 挺 极其 更 相当 格外 不够 不 有些 有点 越来越 最"
_PRONOUNS = "我 你 他 她 它 我们 你们 他们 她们 它们 自己 大家 谁 咱们"
_VERBS = "做 说 写 跑 走 吃 睡 玩 长 学 看 打 过 唱 跳 干 住 开 变 笑 哭 画 来 办 弄 表现 发展"
_OWN = "奖 病 分 票 势 冠军 亚军 季军 金牌 银牌 铜牌 第一 名次 高分 满分 人心"
"""What 得 as a verb has for its object."""
_GROUND = "区 方 铁 带 域 理 震 址"
"""Behind 地 these make one word, and behind 得 nothing."""
_ONLY_GROUND = "区 震 址 域"
"""Of those, what stands alone behind 的 hardly ever."""
_NO_VERB = ("n", "ns", "nr", "nz", "x", "m", "q", "p", "r", "c")
"""Kinds of words that 得 and what came out cannot stand behind."""
_GAINED = "获 取 夺 显 觉 懂 晓"
"""Before 得 these make one verb."""
_BEFORE_GAIN = "没有 能 可以 未 会 也 才 已 将 要 想 不能 无法"
"""Behind these 得到 is meant."""
_TWINS = "爸妈哥姐弟妹爷奶宝叔舅姑婆公星太人天年朱"
"""Characters that are doubled in nouns."""
_ONE = "一个 一种 一位 一员 一部 一部分 一名 一条 一些 一项 一座 首个 第一个 第一次 重要 主要"
"""Words that begin what 的 stands before, though they are no nouns."""
_NAMED = ("n", "b")
"""First letters of the kinds of words that 的 stands before."""
_END = re.compile(r"[，。！？；、,.!?;…）)”]?\Z|[，。！？；、,.!?;…）)”]")


@cache
def _tagger() -> Any:
    from rjieba import Jieba

    return Jieba()


def kind_of(word: str) -> str:
    """The kind of a Chinese word as jieba's dictionary has it: n, v, r, ...; unknown ones are x."""
    found = list(_tagger().tag(word, True))
    return str(found[0][1]) if len(found) == 1 else "x"


def right_particles(text: str, changed: Callable[[str, str], None]) -> str:
    """A text with the particle that the words around it ask for; `changed` hears what was and
    what is, with the words beside."""
    if not any(sign in text for sign in _PARTICLES):
        return text
    words: list[tuple[str, str]] = list(_tagger().tag(text, True))
    if "".join(word for word, _ in words) != text:  # the tagger leaves out what it does not know
        return text
    made = [word for word, _ in words]
    for place, (word, _) in enumerate(words):
        if word not in _PARTICLES or not 0 < place < len(words) - 1:
            continue
        right = _right(words, place)
        if right is not None and right != word:
            before, after = words[place - 1][0], words[place + 1][0]
            changed(before + word + after, before + right + after)
            made[place] = right
    return "".join(made)


def _right(words: list[tuple[str, str]], place: int) -> str | None:
    """The particle that belongs into a place; None where that is not sure."""
    word = words[place][0]
    (before, before_tag), (after, after_tag) = words[place - 1], words[place + 1]
    part = _part_of_word(word, before, before_tag, after, after_tag)
    if part is not None:
        return part
    if _tells_how(before) and after_tag in ("v", "vi", "vg") and word in "的得":
        return "地"
    if _is_predicate(words, place + 1) and (before_tag == "v" or before in _VERBS.split()):
        return "得"
    return "的" if _describes(word, words[place - 1], words[place + 1]) else None


def _part_of_word(
    word: str, before: str, before_tag: str, after: str, after_tag: str
) -> str | None:
    """The particle that makes one word with what stands beside it: 地区, 获得, 不得不."""
    if word == "得" and after in _GROUND.split():
        return "地"
    if word == "得":
        return "地" if after == "下" and before_tag in _NO_VERB else None
    if after in _ONLY_GROUND.split():
        return "地"
    gained = before in _GAINED.split() and after_tag[:1] in ("n", "m", "v")
    reached = before in _BEFORE_GAIN.split() and after == "到"
    return "得" if gained or reached or before == after == "不" else None


def _describes(word: str, before: tuple[str, str], after: tuple[str, str]) -> bool:
    """Whether what stands before 地 or 得 can only describe what stands behind it."""
    named = after[1][:1] in _NAMED and len(after[0]) > 1 and after[0][0] != "失"
    counted = after[0] in _ONE.split()
    if word == "地":
        if before[0] in _PRONOUNS.split():
            return True
        if before[1] == "v":
            return named and after[1] != "b" and len(before[0]) > 1
        placed = before[1] in ("d", "ad", "p", "m", "q", "u") or before[0] == "等"
        return (named or counted) and not placed and not _tells_how(before[0])
    if word == "得" and after[0] not in _OWN.split():
        long_verb = before[1] in ("v", "vn") and len(before[0]) > 1
        noun = before[1][:1] not in ("v", "d", "p", "c", "u")
        thing = noun and before[1][:1] not in ("r", "x")  # 他得一个奖
        return (named and (long_verb or noun)) or (counted and (long_verb or thing))
    return False


def _tells_how(word: str) -> bool:
    """Whether a word says how something is done: 慢慢, 高高兴兴, 悄悄."""
    if len(word) == 2:
        return word[0] == word[1] and word[0] not in _TWINS
    return len(word) == 4 and word[0] == word[1] and word[2] == word[3]


def _is_predicate(words: list[tuple[str, str]], place: int) -> bool:
    """Whether 很好 and the like begin here and end the clause."""
    if words[place][0] not in _DEGREE.split() or place + 1 >= len(words):
        return False
    rest = words[place + 2][0] if place + 2 < len(words) else ""
    return bool(_END.match(rest)) and not _END.match(words[place + 1][0] or "，")
