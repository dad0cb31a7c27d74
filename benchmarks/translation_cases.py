"""Cases for benchmarks/translation_service.py: terms, what is kept, facts that are lost."""

import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

TERMS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("Hund", "hound", ("dog", "puppy")),
    ("Mann", "gentleman", ("man", "guy", "male")),
    ("Frau", "lady", ("woman", "female")),
    ("Junge", "lad", ("boy", "kid")),
    ("Mädchen", "lass", ("girl",)),
    ("Kind", "youngster", ("child", "kid", "children", "toddler")),
    ("Straße", "road", ("street",)),
    ("Fahrrad", "bicycle", ("bike",)),
    ("Hemd", "blouse", ("shirt", "t-shirt")),
    ("Auto", "vehicle", ("car",)),
    ("Gebäude", "edifice", ("building",)),
    ("Strand", "seashore", ("beach",)),
    ("Ball", "sphere", ("ball",)),
    ("Hut", "headgear", ("hat", "cap")),
    ("Gruppe", "team", ("group", "bunch")),
    ("Wasser", "stream", ("water",)),
    ("Berg", "hill", ("mountain",)),
    ("Pferd", "stallion", ("horse",)),
    ("Tisch", "desk", ("table",)),
    ("Gitarre", "lute", ("guitar",)),
    ("Helm", "hardhat", ("helmet",)),
    ("Bürgersteig", "pavement", ("sidewalk",)),
    ("Baum", "oak", ("tree",)),
    ("Jacke", "coat", ("jacket",)),
    ("Fußball", "football", ("soccer",)),
    ("Menge", "throng", ("crowd",)),
    ("Zaun", "barrier", ("fence",)),
    ("Bühne", "podium", ("stage",)),
)
"""A German term, how a customer wants it, and how it is usual: one word to `masked`."""

KEPT = (
    "https://example.com/a?b=1&c=%20d",
    "www.beispiel.de/pfad",
    "jan.maier+x@example.org",
    "{name}",
    "{{user.id}}",
    "%s",
    "%(count)d",
    "${HOME}",
    "`git push`",
    "😀",
    "Speaq X7",
)
"""`Speaq X7` is a term that the request says is kept; the others are seen to be."""

ODD = {
    "empty": "",
    "space": " \n\t ",
    "word": "Hund",
    "repeated word": "Hund " * 60,
    "emoji": "😀😀 🎉👨‍👩‍👧",
    "5,000 characters": "Ein kleiner Hund läuft mit einem Mann durch den Schnee und " * 85,
    "5,000 without a blank": "x" * 5000,
    "wrong language: en": "The quick brown fox jumps over the lazy dog near the river bank.",
    "wrong language: zh": "今天天气很好，我们去公园散步，看见了一只狗。",
    "wrong language: ja": "これは日本語の文章です。犬が公園を走っています。",
    "wrong language: ar": "هذا نص باللغة العربية عن كلب يركض في الحديقة.",
    "mixed scripts": "Hund 狗 собака كلب 😀 dog",
    "signs": "?!... --- §§§ ***",
    "digits": "12345 67890",
    "capitals": "EIN HUND LÄUFT DURCH DEN SCHNEE",
    "no case": "ein hund läuft durch den schnee",
    "control characters": "Ein\u200b Hund\u00ad läuft\u0007.",
    "one letter, long": "a" * 300 + " " + "b" * 300,
    "markup": "<p>Ein <b>Hund <i>läuft</p>",
}

LANGUAGES = ("de", "en", "fr", "zh")
_TEMPLATES = {
    "en": (
        "Yesterday {name} paid {number} euros in {city}; the meeting is on {date}. See {url}.",
        "On {date} the company of {name} moved {number} boxes to {city}, as {url} says.",
        "We wrote to {url} because {name} had lost {number} letters in {city} on {date}.",
    ),
    "de": (
        "Gestern zahlte {name} in {city} {number} Euro; das Treffen ist am {date}. Siehe {url}.",
        "Am {date} brachte die Firma von {name} {number} Kisten nach {city}, wie {url} sagt.",
        "Wir schrieben an {url}, weil {name} am {date} in {city} {number} Briefe verloren hatte.",
    ),
    "fr": (
        "Hier {name} a payé {number} euros à {city} ; la réunion est le {date}. Voir {url}.",
        "Le {date}, la société de {name} a envoyé {number} caisses à {city}, comme dit {url}.",
        "Nous avons écrit à {url} car {name} avait perdu {number} lettres à {city} le {date}.",
    ),
    "zh": (
        "昨天{name}在{city}付了{number}欧元；会议在{date}举行。见 {url} 。",
        "{date}，{name}的公司把{number}个箱子运到了{city}，如 {url} 所说。",
        "我们写信给 {url} ，因为{name}于{date}在{city}丢了{number}封信。",
    ),
}
_NAMES = (
    ("Anna Kowalski", "安娜·柯瓦尔斯基"),
    ("Peter Brandt", "彼得·勃兰特"),
    ("Maria Okafor", "玛丽亚·奥卡福"),
    ("Tom Lindqvist", "汤姆·林奎斯特"),
    ("David Moreau", "大卫·莫罗"),
    ("Herr Novak", "诺瓦克先生"),
    ("Wang Xiaoming", "王小明"),
    ("Chen Jianguo", "陈建国"),
)
_CITIES = (
    ("Munich", "München", "Munich", "慕尼黑"),
    ("Vienna", "Wien", "Vienne", "维也纳"),
    ("London", "London", "Londres", "伦敦"),
    ("Beijing", "Peking", "Pékin", "北京"),
    ("Moscow", "Moskau", "Moscou", "莫斯科"),
    ("Tokyo", "Tokio", "Tokyo", "东京"),
)
_MONTHS = {
    "en": "January February March April May June July August September October November December",
    "de": "Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
    "fr": "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
}
FactKind = Literal["name", "city", "number", "date", "url"]
KINDS: tuple[FactKind, ...] = ("name", "city", "number", "date", "url")


@dataclass(frozen=True)
class Case:
    """A right translation, and the same with one fact of the source lost."""

    source: str
    target: str
    broken: str
    lost: str
    """As the source writes it."""


def facts(pair: tuple[str, str], kind: FactKind, count: int, seed: int) -> Iterator[Case]:
    """Sentences full of facts in two languages, one of which the translation drops or changes."""
    draw = random.Random(f"{pair}{kind}{seed}")
    for _ in range(count):
        values, others = _values(draw), _values(draw)
        template = draw.randrange(3)
        source, target = (
            _TEMPLATES[code][template].format(**{n: v[code] for n, v in values.items()})
            for code in pair
        )
        other = others[kind] if others[kind] != values[kind] else None
        instead = other[pair[1]] if other is not None and draw.random() < 0.5 else ""
        broken = target.replace(values[kind][pair[1]], instead, 1)
        yield Case(source, target, broken, values[kind][pair[0]])


def _values(draw: random.Random) -> dict[str, dict[str, str]]:
    latin, han = draw.choice(_NAMES)
    city = draw.choice(_CITIES)
    amount = draw.choice((draw.randint(2, 99), draw.randint(100, 9_999_999), draw.randint(2, 12)))
    year, month, day = draw.randint(1950, 2049), draw.randint(1, 12), draw.randint(1, 28)
    names = {code: months.split()[month - 1] for code, months in _MONTHS.items()}
    english = latin.replace("Herr", "Mr")
    return {
        "name": {"en": english, "de": latin, "fr": latin.replace("Herr", "M."), "zh": han},
        "city": dict(zip(("en", "de", "fr", "zh"), city, strict=True)),
        "number": {
            "en": f"{amount:,}",
            "de": f"{amount:,}".replace(",", "."),
            "fr": f"{amount:,}".replace(",", "\u202f"),
            "zh": str(amount),
        },
        "date": {
            "en": f"{day} {names['en']} {year}",
            "de": f"{day}. {names['de']} {year}",
            "fr": f"{day} {names['fr']} {year}",
            "zh": f"{year}年{month}月{day}日",
        },
        "url": dict.fromkeys(
            LANGUAGES, f"https://example.org/{draw.randint(10, 99)}/x?y={draw.randint(0, 9)}"
        ),
    }


_WORDS = re.compile(
    r"\b(?:two|three|four|five|six|seven|eight|nine|ten|deux|trois|quatre|cinq|\d+)\b"
    r"|[两二三四五六七八九](?=[个只条位名本张年天岁点人])|\d+"
)
_PEOPLE = re.compile(r"\b(?:Tom|Mary|John|Boston|Paris|London)\b|汤姆|玛丽|约翰|波士顿|巴黎|伦敦")


def dropped(pairs: Sequence[tuple[str, str]], seed: int) -> Iterator[tuple[str, str]]:
    """Real pairs whose translation has lost a number's word or a well-known name."""
    draw = random.Random(seed)
    for source, target in pairs:
        found = [*_WORDS.finditer(target), *_PEOPLE.finditer(target)]
        if found:
            one = draw.choice(found)
            yield source, target[: one.start()] + target[one.end() :].lstrip()


def with_kept(texts: Sequence[str], seed: int) -> Iterator[tuple[str, list[str]]]:
    """Sentences with one or two spans that stay between two of their words."""
    draw = random.Random(seed)
    for text in texts:
        words, spans = text.split(), draw.sample(KEPT, draw.randint(1, 2))
        for span in spans:
            words.insert(draw.randint(1, max(1, len(words) - 1)), span)
        yield " ".join(words), spans
