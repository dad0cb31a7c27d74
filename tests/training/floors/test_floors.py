"""Classical models learn what there is to learn, in English and Chinese, and say who wins."""

import importlib

import numpy as np
import pytest

from speaq.core.errors import DataError, ModelError, SettingsError
from speaq.training.floors.classes import flat, linear_machine, naive_bayes
from speaq.training.floors.compact import compact, open_compact
from speaq.training.floors.compare import FloorRow, beside, compact_floor, floors_of, table
from speaq.training.floors.extra import classic
from speaq.training.floors.grams import mostly_chinese
from speaq.training.floors.passages import best_sentences
from speaq.training.floors.search import index, search_terms
from speaq.training.floors.series import (
    SeriesSettings,
    mase,
    read_series,
    seasonal_naive,
    series_measures,
)
from speaq.training.floors.tags import features, field, shape
from speaq.training.floors.texts import copied, lead
from speaq.training.supervised.examples import (
    Answer,
    Labelled,
    Question,
    Related,
    Tagged,
    written,
)
from speaq.training.supervised.preparing import Examples

pytest.importorskip("sklearn", reason="the extra classic is not installed")

MOODS = {
    "en": (["good", "great", "lovely"], ["bad", "awful", "dull"], "the {} film number {}"),
    "zh": (["好看", "精彩", "喜欢"], ["难看", "糟糕", "讨厌"], "这部电影很{}第{}部"),
}


def reviews(language, count=5):
    good, bad, sentence = MOODS[language]
    return [
        Labelled(sentence.format(word, n), (label,))
        for n in range(count)
        for label, words in (("+", good), ("-", bad))
        for word in words
    ]


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("learn", [naive_bayes, linear_machine])
def test_texts_are_told_apart(language, learn):
    model = learn(reviews(language))
    fresh = reviews(language, 9)[-6:]
    assert model.answers(fresh) == [each.labels for each in fresh]
    assert mostly_chinese([each.text for each in fresh]) == (language == "zh")


def test_naive_bayes_is_that_of_its_definition():
    training = [Labelled("a b", ("x",)), Labelled("a", ("x",)), Labelled("b c", ("y",))]
    model = naive_bayes(training, smoothing=0.5)
    matrix = np.hstack([tool.transform(["c a"]).toarray() for tool in model.tools])[0]
    counts = np.hstack(
        [tool.transform([each.text for each in training]).toarray() for tool in model.tools]
    )
    scores = {}
    for label, rows in (("x", [0, 1]), ("y", [2])):
        own = counts[rows].sum(0) + 0.5
        scores[label] = np.log(len(rows) / 3) + matrix @ np.log(own / own.sum())
    best = max(scores, key=scores.get)
    assert model.answers([Labelled("c a", ())]) == [(best,)]


def test_c_is_the_one_of_the_best_validation():
    mixed = reviews("en")
    turned = [Labelled(each.text, ("-" if each.labels[0] == "+" else "+",)) for each in mixed]
    # With labels turned round in most of training, only the choice by validation can differ.
    model = linear_machine([*mixed, *turned[:3]], mixed)
    assert model.cost in (0.1, 0.3, 1.0, 3.0)
    assert linear_machine(mixed, cost=0.7).cost == 0.7


def test_several_labels_and_pairs_and_relations_are_told_apart():
    both = [
        Labelled(f"{a} {b}", tuple(sorted({x, y})))
        for a, x in (("red", "colour"), ("fig", "fruit"), ("two", "number"))
        for b, y in (("blue", "colour"), ("pear", "fruit"), ("six", "number"))
    ]
    found = linear_machine(both, several=True).answers(both)
    assert [tuple(sorted(each)) for each in found] == [each.labels for each in both]
    pairs = [
        Labelled(a, ("same" if a == b else "other",), b)
        for a in ("cat", "dog", "fox", "hen")
        for b in ("cat", "dog", "fox", "hen")
    ]
    assert linear_machine(pairs, cost=10.0).answers(pairs) == [each.labels for each in pairs]
    way = [
        Related(f"{a} {verb} {b}", (0, 3), (len(f"{a} {verb} "), len(f"{a} {verb} ") + 3), label)
        for a in ("ann", "bob", "eve")
        for b in ("tim", "joe")
        for verb, label in (("helps", "help"), ("fears", "fear"))
    ]
    assert linear_machine(way).answers(way) == [(each.label,) for each in way]
    turned = [Related(each.text, each.tail, each.head, each.label) for each in way[:1]]
    assert flat(way[:1]) != flat(turned)


def test_the_small_classifier_is_the_same_from_its_file(tmp_path):
    for language in ("en", "zh"):
        training = reviews(language)
        model = compact(training)
        model.save(tmp_path / "small.npz")
        again = open_compact(tmp_path / "small.npz")
        fresh = [each.text for each in reviews(language, 8)]
        np.testing.assert_allclose(again.logits(fresh), model.logits(fresh), atol=2e-2)
        assert again.answers(training) == [each.labels for each in training]
    (tmp_path / "other").write_bytes(b"PK no")
    with pytest.raises(ModelError, match="not a compact classifier"):
        open_compact(tmp_path / "other")


def test_the_small_classifier_keeps_its_size_and_hears_its_teacher(tmp_path):
    training = [Labelled(f"{each.text} {n * 7919}", each.labels)
                for n, each in enumerate(reviews("en", 60))]  # fmt: skip
    model = compact(training, megabytes=0.002)
    model.save(tmp_path / "small.npz")
    assert len(model.kept) == 250
    assert (tmp_path / "small.npz").stat().st_size < 6000
    sure = np.array([[0.9, 0.1] if e.labels[0] == "-" else [0.1, 0.9] for e in training])
    doubting = compact(training, teacher=sure[:, ::-1], labels=("+", "-")).logits(["good film"])
    plain = compact(training, labels=("+", "-")).logits(["good film"])
    assert plain[0, 0] - plain[0, 1] > doubting[0, 0] - doubting[0, 1]


def test_the_regression_is_at_the_minimum_of_its_cost():
    training = reviews("en", 2)
    model = compact(training, penalty=1e-2)
    texts = [each.text for each in training]
    weights = model.weights * model.scales
    logits = model.logits(texts)
    probable = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    wanted = np.array([[each.labels[0] == name for name in model.labels] for each in training])
    from speaq.training.floors.grams import counted

    matrix = counted(model.tools, texts)[:, model.kept].toarray()
    slope = matrix.T @ (probable - wanted) / len(texts) + 2e-2 * weights
    # Weights are rounded to one byte, so the slope is small rather than 0.
    assert np.abs(slope).max() < 2e-4


def tagged(language):
    cities = ["Rome", "Oslo", "New York"] if language == "en" else ["北京", "上海", "石家庄"]
    made = []
    for n in range(6):
        for city in cities:
            parts = city.split() if language == "en" else list(city)
            before = ["flights", "to"] if language == "en" else list("去")
            after = ["at", str(n)] if language == "en" else list(f"的票{n}")
            tags = ["O"] * len(before) + ["B-city"] + ["I-city"] * (len(parts) - 1)
            made.append(Tagged((*before, *parts, *after), (*tags, *["O"] * len(after))))
    return made


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_field_finds_spans_and_is_bytes(language):
    training = tagged(language)
    model = field(training, iterations=40)
    assert model.answers(training) == [each.tags for each in training]
    assert isinstance(model.model, bytes)
    # A city it never saw, where cities stand.
    words = ("flights", "to", "Bonn", "at", "5") if language == "en" else tuple("去南京的票5")
    found = type(model)(model.model).answers([Tagged(words, ("O",) * len(words))])
    assert found[0][1 if language == "zh" else 2].endswith("city")


def test_features_describe_words_and_characters():
    english = features(["Flights", "to", "B52"])
    assert "w=to" in english[1] and "w-1=flights" in english[1] and "w+1=b52" in english[1]
    assert shape("B52") == "Xd" and shape("iPhone-15") == "xXx-d" and shape("北京") == "c"
    chinese = features(list("去北京"))
    assert "bc=去北" in chinese[1] and "cd=北京" in chinese[1]
    assert "word=北京" in chinese[1] and "place=B" in chinese[1] and "place=E" in chinese[2]


def test_search_cuts_chinese_into_characters_and_pairs():
    assert search_terms("我在北京 running") == [
        "我",
        "在",
        "北",
        "京",
        "run",
        "我在",
        "在北",
        "北京",
    ]
    found = index(["上海的天气", "北京的天气很好", "the weather in Rome"])
    assert found.search("北京今天天气")[0].place == 1
    assert [each.place for each in found.search("Romes weathers")] == [2]
    assert found.search("zebra") == []
    with pytest.raises(DataError, match="no text holds a word"):
        index(["...", "!"])


def test_bm25_is_that_of_its_definition():
    texts = ["a cat a cat sat", "a dog", "the cat and the dog and more words"]
    terms = [search_terms(text) for text in texts]
    mean = np.mean([len(each) for each in terms])
    wanted = []
    for each in terms:
        total = 0.0
        for term in ("cat", "dog"):
            holding = sum(term in other for other in terms)
            rarity = np.log(1 + (len(texts) - holding + 0.5) / (holding + 0.5))
            count = each.count(term)
            total += rarity * count / (count + 1.5 * (0.25 + 0.75 * len(each) / mean))
        wanted.append(total)
    hits = index(texts).search("cat dog", best=3)
    scores = {each.place: each.score for each in hits}
    ratio = [scores[place] / wanted[place] for place in range(3)]
    assert np.ptp(ratio) < 1e-3  # libraries differ by a constant factor


def test_the_sentence_that_shares_most_answers():
    asked = [
        Question("Who ate the fish?", "The sun shone. The cat ate the fish. It slept."),
        Question("谁吃了鱼？", "太阳出来了。猫吃了鱼。它睡了。"),
    ]
    found = best_sentences(asked)
    assert found[0].text == "The cat ate the fish."
    assert found[1].text == "猫吃了鱼。"
    for answer, question in zip(found, asked, strict=True):
        end = answer.start + len(answer.text)
        assert question.context[answer.start : end] == answer.text


def test_the_first_sentences():
    assert lead(["One. Two. Three. Four.", "一。二！三？四。"]) == [
        "One. Two. Three.",
        "一。二！三？",
    ]
    assert copied(["a"]) == ["a"]


def test_the_last_season_comes_again():
    past = np.arange(10.0)
    assert seasonal_naive(past, 3, 7).tolist() == [7, 8, 9, 7, 8, 9, 7]
    assert seasonal_naive(np.stack([past, -past]), 1, 2).tolist() == [[9, 9], [-9, -9]]
    with pytest.raises(DataError, match="less than a season"):
        seasonal_naive(past, 11, 1)
    # Each step is one off; a season of 2 is two off in the past.
    assert mase(past, np.array([10.0]), np.array([9.0]), 2) == pytest.approx(0.5)


def test_a_series_is_measured_from_every_step_of_its_end(tmp_path):
    values = np.tile([0.0, 1.0, 5.0, 2.0], 30)
    chosen = SeriesSettings(season=4, horizon=6, test=0.25)
    perfect = series_measures(values, chosen)
    assert perfect["mse"] == perfect["mae"] == 0.0 and perfect["windows"] == 25
    rising = series_measures(values + np.arange(120), chosen)
    known = (values + np.arange(120))[:90]
    # The last season lies 4 steps back, and 8 from the fifth step on.
    assert rising["mae"] == pytest.approx((4 * 4 + 2 * 8) / 6 / known.std())
    with pytest.raises(DataError, match="too few"):
        series_measures(values[:10], chosen)
    with pytest.raises(SettingsError, match="season"):
        SeriesSettings(season=0)
    (tmp_path / "s.csv").write_text("date,OT\n1,2.5\n2,x\n")
    with pytest.raises(DataError, match=r"row 3, field 'OT': expected a number"):
        read_series(tmp_path / "s.csv", "OT")
    (tmp_path / "s.csv").write_text("date,OT\n1,2.5\n2,3\n")
    assert read_series(tmp_path / "s.csv", "OT").tolist() == [2.5, 3.0]


def test_each_task_has_its_floors(tmp_path):
    some = reviews("zh")
    rows = floors_of(Examples(some, some))
    assert [(row.method, row.metric) for row in rows] == [
        ("naive-bayes", "accuracy"),
        ("svm", "accuracy"),
    ]
    assert all(row.value == 1.0 for row in rows)
    assert floors_of(Examples(some, some), several=True)[0].metric == "micro_f1"
    marked = tagged("zh")
    assert floors_of(Examples(marked, marked))[0].method == "crf"
    asked = [Question("Who sat?", "The sun shone. A cat sat.", (Answer(15, "A cat"),))]
    [read] = floors_of(Examples(asked, asked))
    assert read.method == "bm25-sentence" and 0 < read.value < 1
    texts = [written("One. Two. Three. Four.", "One. Two. Three.")]
    assert [row.method for row in floors_of(Examples(texts, texts))] == ["lead-3", "copy"]
    small = compact_floor(Examples(some, some), tmp_path / "c.npz")
    assert small.value == 1.0 and small.measures["megabytes"] < 0.01
    with pytest.raises(SettingsError, match="one label each"):
        compact_floor(Examples(marked, marked), tmp_path / "c.npz")


def test_the_verdict_says_who_wins_in_both_languages():
    floor = [
        FloorRow("svm", "accuracy", 0.8, 2.0, {}),
        FloorRow("naive-bayes", "accuracy", 0.7, 1.0, {}),
    ]
    won = beside(FloorRow("neural", "accuracy", 0.9, 9.0, {}), floor)
    assert won["verdict_en"] == "The neural model wins: 0.9 against 0.8 of linear SVM."
    assert "神经模型胜出" in won["verdict_zh"]
    for value in (0.8, 0.75):
        lost = beside(FloorRow("neural", "accuracy", value, 9.0, {}), floor)
        assert "does not win" in lost["verdict_en"] and "took 2 s" in lost["verdict_en"]
        assert "没有胜出" in lost["verdict_zh"]
    assert [row["method"] for row in won["rows"]] == ["neural", "svm", "naive-bayes"]
    shown = table(floor).splitlines()
    assert shown[1].split() == ["svm", "accuracy", "0.8", "2"]


def test_bad_data_are_refused():
    one = [Labelled("a", ("x",)), Labelled("b", ("x",))]
    for learn in (naive_bayes, linear_machine, compact):
        with pytest.raises(DataError, match="hold no example"):
            learn([])
        with pytest.raises(DataError, match="nothing to tell apart"):
            learn(one)
    with pytest.raises(DataError, match="hold no example"):
        field([])
    with pytest.raises(DataError, match="not IOB2"):
        field([Tagged(("a",), ("S-x",))])


def test_a_missing_extra_is_named(monkeypatch):
    def missing(name):
        raise ModuleNotFoundError(name=name)

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(SettingsError, match=r"pip install 'speaq\[classic\]'"):
        classic("sklearn.svm")
