"""Numbers, dates and names in four languages, and what one side of a translation lacks."""

import pytest

from speaq.apps.translate.checks.dates import moments
from speaq.apps.translate.checks.guard import compare
from speaq.apps.translate.checks.names import names
from speaq.apps.translate.checks.numerals import han_value, numbers


@pytest.mark.parametrize(
    ("text", "language", "values"),
    [
        ("1.250,50 Euro", "de", [1250.5]),
        ("1,250.50 euros", "en", [1250.5]),
        ("1 250,5 euros", "fr", [1250.5]),
        ("1.250", "de", [1250]),
        ("1.250", "en", [1.25]),
        ("einundzwanzig Hunde", "de", [21]),
        ("zweihundertfünf", "de", [205]),
        ("three hundred and five, twenty-one", "en", [305, 21]),
        ("3.5 million", "en", [3_500_000]),
        ("quatre-vingt-dix-neuf et vingt et un", "fr", [99, 21]),
        ("三百零五只狗，两个人", "zh", [305, 2]),
        ("300万，三点五", "zh", [3_000_000, 3]),
        ("百分之二十", "zh", [20]),
    ],
)
def test_sure_numbers(text: str, language: str, values: list[float]) -> None:
    assert [each.value for each in numbers(text, language) if each.sure][: len(values)] == values


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("ein Hund", "de"),
        ("one of them", "en"),
        ("一只狗", "zh"),
        ("十分高兴", "zh"),
        ("数十人", "zh"),
    ],
)
def test_what_may_be_no_number_is_not_sure(text: str, language: str) -> None:
    assert not any(each.sure for each in numbers(text, language))


@pytest.mark.parametrize(
    ("signs", "value"),
    [
        ("二〇二四", 2024),
        ("十", 10),
        ("二十一", 21),
        ("三百零五", 305),
        ("两万三千", 23000),
        ("一亿", 10**8),
    ],
)
def test_chinese_numerals(signs: str, value: int) -> None:
    assert han_value(signs) == value


@pytest.mark.parametrize(
    "text",
    [
        "On 3 May 2024",
        "May 3rd, 2024",
        "am 3. Mai 2024",
        "le 3 mai 2024",
        "2024年5月3日",
        "二〇二四年五月三日",
        "2024-05-03",
        "3.5.2024",
        "05/03/2024",
    ],
)
def test_one_date_in_many_writings(text: str) -> None:
    [date] = moments(text)
    assert "2024-05-03" in date.readings


@pytest.mark.parametrize(
    "text", ["2:30 pm", "14:30", "14:30 Uhr", "14h30", "下午2点半", "下午两点30分"]
)
def test_one_time_in_many_writings(text: str) -> None:
    [time] = moments(text)
    assert "t14:30" in time.readings


def test_names_of_german_are_told_from_its_nouns() -> None:
    text = "Gestern traf Anna Nowak in Berlin Herrn Kowalski von der NATO mit einem Glas Wasser."
    sure = [text[each.start : each.end] for each in names(text, "de") if each.sure]
    assert sure == ["Anna", "Berlin", "Kowalski", "NATO"]


def test_names_of_chinese() -> None:
    text = "王小明昨天和汤姆去了北京，高兴地吃黄瓜。"
    sure = [text[each.start : each.end] for each in names(text, "zh") if each.sure]
    assert sure == ["王小明", "汤姆", "北京"]


@pytest.mark.parametrize(
    ("source", "target", "pair"),
    [
        ("Zwei Hunde kosten 1.250,50 Euro.", "Two dogs cost 1,250.50 euros.", ("de", "en")),
        ("Am 3. Mai 2024 um 14:30 Uhr.", "On 3 May 2024 at 2:30 pm.", ("de", "en")),
        ("Tom kam am Montag aus München.", "Tom came from Munich on Monday.", ("de", "en")),
        ("I get up at six.", "我六点起床。", ("en", "zh")),
        ("王小明买了三本书。", "Wang Xiaoming bought three books.", ("zh", "en")),
        ("She lives in Beijing.", "她住在北京。", ("en", "zh")),
        ("Both dogs, see www.x.de", "Les deux chiens, voir www.x.de", ("en", "fr")),
        ("Ein Mann", "A man", ("de", "en")),
        ("Kowalski kam mit Okafor.", "柯瓦尔斯基和奥卡福来了。", ("de", "zh")),
        ("诺瓦克先生走了。", "Mr Novak has left.", ("zh", "en")),
        ("It cost a thousand yen.", "它花了一千日元。", ("en", "zh")),
        ("I met John Smith in 2024.", "我在2024年见过约翰·史密斯。", ("en", "zh")),
    ],
)
def test_right_translations_raise_no_alarm(source: str, target: str, pair: tuple[str, str]) -> None:
    assert compare(source, target, pair) == []


@pytest.mark.parametrize(
    ("source", "target", "pair", "lost"),
    [
        ("Er kauft 25 Äpfel.", "He buys apples.", ("de", "en"), [("number", "25")]),
        ("Drei Hunde", "Two dogs", ("de", "en"), [("number", "Drei")]),
        ("Am 3. Mai 2024", "On 4 May 2024", ("de", "en"), [("date", "3. Mai 2024")]),
        ("我有三百块。", "I have 30.", ("zh", "en"), [("number", "三百")]),
        ("In Berlin wohnt Tom.", "Tom lives there.", ("de", "en"), [("name", "Berlin")]),
        ("Mary saw Tom.", "玛丽看见了他。", ("en", "zh"), [("name", "Tom")]),
        ("Tom没有钱。", "He has no money.", ("zh", "en"), [("name", "Tom")]),
        ("安娜·柯瓦尔斯基来了。", "Peter came.", ("zh", "en"), [("name", "安娜·柯瓦尔斯基")]),
        ("他错过了7点30分的车。", "He missed the bus at 7.", ("zh", "en"), [("date", "7点30分")]),
        ("Siehe https://a.de/x.", "See https://a.de/y.", ("de", "en"), [("url", "https://a.de/x")]),
        ("Hello {name}!", "你好！", ("en", "zh"), [("url", "{name}")]),
    ],
)
def test_losses_are_told_with_their_places(
    source: str, target: str, pair: tuple[str, str], lost: list[tuple[str, str]]
) -> None:
    found = [each for each in compare(source, target, pair) if each.what == "lost"]
    assert [(each.kind, each.text) for each in found] == lost
    assert all(source[each.start : each.end] == each.text for each in found)


def test_inventions_are_told_with_their_places() -> None:
    [found] = compare("Er hat Hunde.", "He has 7 dogs.", ("de", "en"))
    assert (found.what, found.kind, found.start) == ("invented", "number", 7)
    record = found.record(100)
    assert record["start"] == 107
    assert "'7'" in record["en"] and "“7”" in record["zh"]


def test_of_two_alike_numbers_both_count() -> None:
    [found] = compare("2 Hunde und 2 Katzen", "2 dogs and cats", ("de", "en"))
    assert found.text == "2"
