"""What is cut and mended, in both languages, and what is left alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speaq.apps.application import answered
from speaq.apps.write.cutting import Cutter, meaningless, unlooped
from speaq.apps.write.finishing import Finisher, polished
from speaq.apps.write.mending import mended
from speaq.apps.write.request import WriteRequest


def cut(text, ended=True, keep=(), step=7):
    cutter = Cutter(keep)
    pieces = [text[n : n + step] for n in range(0, len(text), step)]
    made = [said for piece in pieces for said in cutter.add(piece)]
    return "".join([*made, *cutter.end(ended)]), [each.kind for each in cutter.cuts]


GOOD = [
    "She said no, no, no and left. He had had enough. It was very, very late!",
    "Yes. Yes. I know. “Where is it?” he asked. Mr. Smith paid 3.5 dollars.",
    "哈哈哈哈，真不错。房间很大，服务也好！好的。好的。我们下次还会再来的。",
    "《红楼梦》是一部小说。它写于18世纪……作者是曹雪芹。",
    "ROMEO:\nAy me!\n\nJULIET:\nO Romeo, Romeo! wherefore art thou Romeo?",
]


@pytest.mark.parametrize("text", GOOD)
def test_good_texts_stay_as_they_are(text):
    assert cut(text) == (text, [])


@given(st.sampled_from(GOOD), st.integers(1, 40))
def test_pieces_do_not_matter(text, step):
    assert cut(text, step=step) == (text, [])


@pytest.mark.parametrize(
    ("text", "made", "kinds"),
    [
        ("It is a good day for all. It is a good day for all. We go.",
         "It is a good day for all. We go.", ["duplicate"]),
        ("今天天气非常好。今天天气非常好。我们走吧。", "今天天气非常好。我们走吧。", ["duplicate"]),
        ("I saw the the the the the the the the cat.", "I saw the cat.", ["loop"]),
        ("他说好的吧好的吧好的吧好的吧好的吧就走了。", "他说好的吧就走了。", ["loop"]),
        ("We sat down. %$#@!^&*()_+!@#$%. Then we ate.", "We sat down. Then we ate.",
         ["meaningless"]),
        ("We ate. Xkcd brrt psst grmbl. We slept.", "We ate. We slept.", ["meaningless"]),
        ("我们吃饭。\ufffd\ufffd的。我们睡觉。", "我们吃饭。我们睡觉。", ["meaningless"]),
    ],
)  # fmt: skip
def test_what_is_cut(text, made, kinds):
    assert cut(text) == (made, kinds)


def test_an_unfinished_sentence_goes_or_is_closed():
    assert cut("We ate. Then the", ended=False) == ("We ate.", ["unfinished"])
    assert cut("我们吃了饭。然后我们去了", ended=False) == ("我们吃了饭。", ["unfinished"])
    # The writer ended it: a title or a list may lack its mark, a comma may not end it.
    assert cut("We ate. Then we slept") == ("We ate. Then we slept", [])
    assert cut("We ate. Then we slept and") == ("We ate.", ["unfinished"])
    assert cut("Then the sun rose, and the", ended=False) == ("Then the sun rose.", ["unfinished"])
    assert cut("太阳出来了，鸟儿在", ended=False) == ("太阳出来了。", ["unfinished"])


def test_a_keyword_is_never_cut():
    text = "We ate. Then the moon and the"
    assert cut(text, ended=False, keep=["moon"]) == ("We ate. Then the moon.", ["unfinished"])
    assert cut("We ate. The moon rose. Then the moon", False, ["moon"])[0] == (
        "We ate. The moon rose."
    )
    assert cut("%%%% $$$$ 月 %%%% $$$$。", keep=["月"])[0] == "%%%% $$$$ 月 %%%% $$$$。"


@given(st.text(alphabet="ab 。. ,!的", max_size=60), st.booleans())
def test_cutting_twice_changes_no_more_than_once_and_ends(text, ended):
    once, _ = cut(text, ended)
    assert unlooped(unlooped(once)) == unlooped(once)


def test_numbers_and_names_mean_something():
    assert not meaningless("3.14159, 2.71828; 1.41421!")
    assert not meaningless("服务，烂！！！！！！")
    assert meaningless("a" * 41)


MENDED = [
    ("She ate a apple and and an pear .", "She ate an apple and a pear."),
    ("It took a hour to reach an university in an European town.",
     "It took an hour to reach a university in a European town."),
    ("Hello，world is here，and so am i today", "Hello, world is here, and so am I today."),
    ("An 11-year-old met a 8-year-old and a FBI agent.",
     "An 11-year-old met an 8-year-old and an FBI agent."),
    ("他们的的房子很大,我很喜欢", "他们的房子很大，我很喜欢。"),
    ("菜做的很好，他慢慢的走，我得书包在这里。", "菜做得很好，他慢慢地走，我的书包在这里。"),
    ("我地妈妈没有的到阳光。", "我的妈妈没有得到阳光。"),
    ("我们昨天昨天去了图书馆图书馆。", "我们昨天去了图书馆。"),
    ("上海地版图很大，三个不同的区很小。", "上海的版图很大，三个不同地区很小。"),
    ("他是国家队得一员，住在得下二层。", "他是国家队的一员，住在地下二层。"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "right"), MENDED)
def test_mistakes_are_mended_and_told(text, right):
    found = mended(text)
    assert found.text == right
    assert found.changes


CLEAN = [
    "He knew that that was it; she had had enough, and so on and so on.",
    "A unit of a one-way street, an heir, an honest man, a European, an MP, a UFO, section A is.",
    "Vitamin A is good. The plan: a, b and c. It cost $3,000 at 9:30 a.m. in the U.S. today.",
    "See https://a.b/c,d or mail me, you@x.org. Duran Duran played at Walla Walla. Bye bye!",
    "以射击为目的的人，因为为了了解情况，可以以此类推，现在在家，不了了之。",
    "他高兴得跳了起来，认真地学习，我得走了，南京等地的人，土地、目的、觉得。",
    "我们讨论讨论，爸爸的书，天天的事，人人的心，看看书，一点一点地来。",
    "他得一个奖，不断地感觉到进步；南京地震后，各地区都慢慢地消失了。",
    "他跑得很快。3.5米，10:30开会，这个版本叫做v1.2,a,b，大家都说不错。",
]


@pytest.mark.parametrize("text", [*CLEAN, *GOOD])
def test_clean_texts_are_left_alone(text):
    assert mended(text) == (mended(text).__class__)(text, ())


@pytest.mark.parametrize("text", [right for _, right in MENDED])
def test_mending_twice_is_mending_once(text):
    assert mended(text).text == text


def test_a_keyword_is_no_mistake():
    finisher = Finisher("en", keep=["a apple"])
    said = "".join([*finisher.add("She ate a apple. It was good."), *finisher.end(True)])
    assert "a apple" in said


@pytest.mark.parametrize(
    ("language", "text", "made"),
    [("en", "We go home", "We go home."), ("zh", "我们回家：", "我们回家。"), ("en", "Go!", "Go!")],
)
def test_a_written_text_ends_with_a_mark_and_one_of_people_as_it_did(language, text, made):
    finisher = Finisher(language)
    assert "".join([*finisher.add(text), *finisher.end(True, close=True)]) == made
    assert polished(text, language)[0] == text


def test_polishing_is_an_answer(writing):
    request = WriteRequest(kind="polish", source="It is an dog. It is an dog. The end.")
    answer = answered(writing, request)
    assert answer.text.startswith("It is a dog.")
    assert answer.details["repairs"][0]["after"] == "a dog"
    assert answer.episode.app == "write"


def test_polished_reports_what_it_did():
    text, told = polished("今天天气非常好。今天天气非常好。他慢慢的走。", "zh")
    assert text == "今天天气非常好。他慢慢地走。"
    assert [each["kind"] for each in told["cuts"]] == ["duplicate"]
    assert told["repairs"] == [{"kind": "particle", "before": "慢慢的走", "after": "慢慢地走"}]


def test_streamed_sentences_are_those_of_the_answer(writing):
    request = WriteRequest(topic="sea", keywords=("ship",), length=30, seed=4)
    *pieces, answer = list(writing.respond(request, "a-1"))
    assert "".join(pieces).strip() == answer.text
