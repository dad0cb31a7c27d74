"""What people mistake for what: keys that lie side by side, characters that look or sound alike,
words that sound alike. Small tables of our own; sounds come from `pypinyin`."""

from functools import cache

_ROWS = (("qwertyuiop", 0.0), ("asdfghjkl", 0.25), ("zxcvbnm", 0.75))
"""Letters of a keyboard and how far each row is shifted, in keys."""
_ALIKE = (
    "己已巳 未末 土士 日曰 人入八 天夫 大太犬 干千于 午牛 侯候 戊戌戍 壁璧 辨辩辫瓣 晴睛 "
    "请清情晴 拔拨 棵颗 幕墓慕暮 密蜜 徒徙 竟竞 券卷 折拆 治冶 析折 喝渴 鸟乌 刀刃 历厉 崇祟 "
    "往住 今令 名各 休体 贝见 由田甲申 木本 白自 目日 王玉主 兔免 间问闻 洒酒 传转 拉垃 代伐 "
    "巾币 万方 力刀 几儿九 几凡 又叉 小少 办为 心必 电龟 北比 门们 处外 右石 左在 气汽 风凤 "
    "车东 圆园 元无 师帅 没设 活话 海悔每 梅海 侧测 像象 做作 帐账 坐座 带戴 底低 抵底 抱报 "
    "陪赔 培陪 练炼 拣捡 检捡 偏遍篇 编遍 踏塌 渡度 摸模 漠模 馆管 官宫 宜宣 买卖实 卖买 "
    "哀衰 荣菜 茶荼 菜莱 苦若 芒茫 薄簿 籍藉 肓盲 盲育 蓝篮 监临 即既 幻幼 孤狐 弧狐 瓜爪 "
    "狼狠 很狠 根跟 恨狠 娘狼 粮粱 梁粱 究穷 厂广 庆厌 压庄 床庆 库裤 延廷 建健 键健 律津 "
    "待侍 持待 特持 诗侍 村付 材村 杯林 杏否 查杳 相想 思恩 恩因 困因 固因 找我 团困"
)
"""Characters that look alike, in groups."""
_CONFUSED = (
    "their there they're|your you're|its it's|then than|to too two|affect effect|lose loose|"
    "who's whose|of have|were where|quite quiet|accept except|advice advise|principal principle|"
    "weather whether|passed past|brake break|hear here|know no now|right write|than then|by buy"
)
"""English words that are taken for each other, in groups."""
PARTICLES = "的地得"
_FUZZY = (("zh", "z"), ("ch", "c"), ("sh", "s"), ("ang", "an"), ("eng", "en"), ("ing", "in"))
"""Sounds that many speakers do not tell apart."""


@cache
def keyboard() -> dict[str, str]:
    """The letters that lie beside each letter."""
    places = {
        letter: (column + shift, row)
        for row, (letters, shift) in enumerate(_ROWS)
        for column, letter in enumerate(letters)
    }
    return {
        letter: "".join(
            other
            for other, (x, y) in places.items()
            if other != letter and abs(x - column) <= 1 and abs(y - row) <= 1
        )
        for letter, (column, row) in places.items()
    }


@cache
def lookalikes() -> dict[str, str]:
    """The characters that each Chinese character is mistaken for by its looks."""
    found: dict[str, dict[str, None]] = {}
    for group in _ALIKE.split():
        for sign in group:
            found.setdefault(sign, {}).update(dict.fromkeys(group.replace(sign, "")))
    return {sign: "".join(others) for sign, others in found.items()}


@cache
def confused() -> dict[str, list[str]]:
    """The English words that each word is taken for."""
    found: dict[str, dict[str, None]] = {}
    for group in _CONFUSED.split("|"):
        for word in group.split():
            others = (other for other in group.split() if other != word)
            found.setdefault(word, {}).update(dict.fromkeys(others))
    return {word: list(others) for word, others in found.items()}


@cache
def common() -> str:
    """The 3,755 commonest Chinese characters: level 1 of GB 2312."""
    places = [bytes((first, second)) for first in range(0xB0, 0xD8) for second in range(0xA1, 0xFF)]
    return b"".join(places[:3755]).decode("gb2312")


@cache
def homophones() -> dict[str, str]:
    """The common characters that sound like each common one, whatever their tone."""
    return _by_sound(fuzzy=False)


@cache
def near_homophones() -> dict[str, str]:
    """The common characters that many speakers do not tell from each common one."""
    return _by_sound(fuzzy=True)


def _by_sound(fuzzy: bool) -> dict[str, str]:
    groups: dict[str, list[str]] = {}
    for sign, sound in _sounds().items():
        groups.setdefault(_blurred(sound) if fuzzy else sound, []).append(sign)
    return {
        sign: "".join(other for other in group if other != sign)
        for group in groups.values()
        for sign in group
        if len(group) > 1
    }


def _blurred(sound: str) -> str:
    for clear, other in _FUZZY:
        sound = sound.replace(clear, other)
    return "n" + sound[1:] if sound.startswith("l") else sound


@cache
def _sounds() -> dict[str, str]:
    from pypinyin import Style, pinyin

    return {sign: pinyin(sign, style=Style.NORMAL)[0][0] for sign in common()}
