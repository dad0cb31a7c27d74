"""Small lists of pleasant and unpleasant words in English and Chinese, for the lexicon reward."""

_POSITIVE = (
    "agree amazing appreciate awesome beautiful best brilliant calm care caring charming cheerful "
    "clear comfortable correct delicious delightful easy elegant enjoy enjoyed excellent excited "
    "fair fantastic fast favorite favourite fine friendly fun generous gentle glad good gorgeous "
    "graceful grateful great happy helpful honest hope impressive interesting joy kind like love "
    "loved lovely lucky nice outstanding patient perfect pleasant please pleased polite proud "
    "recommend reliable right safe satisfied smart smooth strong success superb sweet thank thanks "
    "thoughtful useful warm welcome well wise wonderful worth "
    "好 棒 赞 喜欢 喜爱 热爱 爱 满意 高兴 开心 快乐 愉快 幸福 优秀 出色 精彩 完美 美好 美丽 漂亮 "
    "舒服 舒适 方便 快捷 清楚 准确 正确 值得 推荐 感谢 谢谢 友好 友善 热情 耐心 贴心 温暖 真诚 "
    "诚实 可靠 放心 安全 有用 有趣 好吃 美味 不错 欢迎 祝福 成功 聪明 惊喜 欣赏"
)
POSITIVE = frozenset(_POSITIVE.split())

_NEGATIVE = (
    "afraid angry annoying awful bad boring broken careless cheap cold confusing cruel cry damage "
    "dangerous dead difficult dirty disappointed disappointing disgusting dislike dull evil fail "
    "failed failure false fear foolish garbage hate hated horrible hurt ignorant ill insult lazy "
    "lie lies lost mad mean mess messy mistake nasty noisy pain painful poor problem regret "
    "ridiculous rude sad scared shame sick slow sorry stupid terrible tired ugly unfair unhappy "
    "unpleasant upset useless waste weak worse worst wrong "
    "坏 差 烂 糟 糟糕 讨厌 恨 厌恶 难过 伤心 悲伤 痛苦 生气 愤怒 失望 遗憾 后悔 失败 错误 错 "
    "危险 难吃 难看 丑 脏 吵 慢 贵 麻烦 困难 混乱 无聊 无用 没用 愚蠢 笨 懒 自私 粗鲁 冷漠 "
    "欺骗 骗 假 可怕 恐怖 害怕 担心 浪费 垃圾 恶心 投诉 差劲 敷衍"
)
NEGATIVE = frozenset(_NEGATIVE.split())

_NEGATIONS = (
    "not no never don't doesn't didn't isn't aren't wasn't weren't won't can't cannot without "
    "hardly 不 没 没有 不太 不够 不是 并不 从不 毫不 不怎么 不很"
)
NEGATIONS = frozenset(_NEGATIONS.split())
"""Words that turn the next word round."""
