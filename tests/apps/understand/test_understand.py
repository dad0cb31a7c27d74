"""The application: what it finds, where that stands, how it is told and recorded."""

import json
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speaq.apps.application import answered
from speaq.apps.understand.application import Understand, UnderstandRequest, understand
from speaq.apps.understand.opening import open_skills
from speaq.apps.understand.results import Entity, Understanding, as_json, from_json
from speaq.apps.understand.rules import RuleFinder, ToneClassifier, read_rules
from speaq.core.errors import DataError, ModelError, SettingsError

RULES = RuleFinder({"person": ("鲁迅", "Ada", "Ada Lovelace"), "place": ("北京",)})


@pytest.fixture(scope="session")
def app(skills_folder):
    return Understand.open(str(skills_folder))


def test_entities_relations_and_classes_in_one_answer(app):
    answer = answered(app, UnderstandRequest("Ada lives in Oslo ."))
    details = answer.details
    assert set(details["labels"]) == {"tone"}
    assert [(e["text"], e["label"]) for e in details["entities"]] == [
        ("Ada", "person"),
        ("Oslo", "town"),
    ]
    (tie,) = details["relations"]
    assert (tie["head"]["text"], tie["label"], tie["tail"]["text"]) == ("Ada", "lives in", "Oslo")
    assert "Ada —lives in→ Oslo" in answer.text
    for each in details["entities"]:
        assert answer.episode.prompt[each["start"] : each["end"]] == each["text"]
        assert 0 < each["score"] <= 1


def test_the_answer_is_recorded_with_label_and_propensity(app):
    answer = answered(app, UnderstandRequest("很满意", tasks=("tone",)))
    assert answer.text == "good"
    tags = answer.episode.tags
    assert (tags["task"], tags["label"], tags["propensity"]) == ("tone", "good", "1.0")
    assert answer.episode.app == "understand"


def test_exploring_draws_with_the_propensity_it_says(app):
    drawn, said = Counter(), {}
    for n in range(400):
        request = UnderstandRequest("lovely awful 1", tasks=("tone",), explore=3.0)
        (answer,) = app.respond(request, f"id-{n}")
        tags = answer.episode.tags
        drawn[tags["label"]] += 1
        said[tags["label"]] = float(tags["propensity"])
    assert sum(said.values()) == pytest.approx(1)
    assert drawn["bad"] / 400 == pytest.approx(said["bad"], abs=0.07)
    assert min(said.values()) > 0


def test_the_same_id_draws_the_same(app):
    request = UnderstandRequest("lovely 1", tasks=("tone",), explore=5.0)
    first, second = (next(iter(app.respond(request, "one"))) for _ in range(2))
    assert first.text == second.text


@given(st.text(alphabet="a鲁迅北京Ada Lovelace,。\n€𝒜", max_size=40))
def test_offsets_are_characters_of_the_text_as_it_is(text):
    for each in RULES.entities([text])[0]:
        assert text[each.start : each.end] == each.text


def test_rules_take_the_longest_and_whole_words_only():
    (found,) = RULES.entities(["Adam met Ada Lovelace，鲁迅在北京，a@b.cn"])
    assert [(each.text, each.label) for each in found] == [
        ("Ada Lovelace", "person"),
        ("鲁迅", "person"),
        ("北京", "place"),
        ("a@b.cn", "email"),
    ]


@pytest.mark.parametrize(
    ("text", "kind", "found"),
    [
        ("会议于2024年3月5日召开", "date", "2024年3月5日"),
        ("on 5 March 2024 we", "date", "5 March 2024"),
        ("涨了3.5%。", "percent", "3.5%"),
        ("costs $1,200.50 now", "money", "$1,200.50"),
        ("共计300万元整", "money", "300万元"),
        ("电话13912345678。", "phone", "13912345678"),
        ("见https://a.cn/b?c=1，谢谢", "url", "https://a.cn/b?c=1"),
        ("at 10:30 am", "time", "10:30 am"),
    ],
)
def test_usual_patterns(text, kind, found):
    assert (found, kind) in [(e.text, e.label) for e in RuleFinder().entities([text])[0]]


def test_tone_counts_words_in_both_languages():
    tone = ToneClassifier()
    best = tone.probabilities(["I love it", "非常失望", "the table is here", "不好"]).argmax(1)
    assert [tone.labels[n] for n in best] == ["positive", "negative", "neutral", "negative"]


def test_an_unsure_class_is_not_said_without_doubt(skills_folder, tmp_path):
    tasks = {"tone": {"source": str(skills_folder / "tone.npz"), "threshold": 0.99}}
    (tmp_path / "understand.json").write_text(json.dumps({"tasks": tasks}))
    app = Understand.open(str(tmp_path))
    answer = answered(app, UnderstandRequest("lovely awful"))
    assert answer.text.startswith("not sure")
    assert answer.details["labels"]["tone"]["abstained"]
    assert answered(app, UnderstandRequest("满意失望")).text.startswith("不确定")


def test_the_shape_of_tokens_covers_every_entity():
    found = Understanding("我爱北京天安门，yes", entities=(Entity("京天", 3, 5, "place", 0.5),))
    made = as_json(found, "tokens")
    [(text, label, start, end)] = made["ner"]
    assert (text, label) == ("京天", "place")
    assert "".join(made["tok"][start:end]) == "京天"
    assert [found.text[a:b] for a, b in made["offsets"]] == made["tok"]
    json.dumps(made)


def test_what_is_written_as_spans_comes_back(app):
    answer = answered(app, UnderstandRequest("Ada lives in Oslo ."))
    again = as_json(from_json(json.loads(json.dumps(answer.details))))
    assert again == answer.details


def test_what_cannot_be_is_refused(app, tmp_path):
    with pytest.raises(SettingsError, match="there is no task 'tune'"):
        answered(app, UnderstandRequest("x", tasks=("tune",)))
    with pytest.raises(DataError):
        UnderstandRequest("  \n")
    with pytest.raises(DataError):
        UnderstandRequest("x" * 5_000_000)
    with pytest.raises(SettingsError):
        UnderstandRequest("x", explore=-1)
    with pytest.raises(SettingsError):
        as_json(Understanding("x"), "brat")
    with pytest.raises(ModelError):
        open_skills(str(tmp_path))


@pytest.mark.parametrize(
    "manifest", ["[]", '{"tasks": {}}', '{"tasks": {"a": {}}}', '{"tasks": {"a": 3}}', "{"]
)
def test_a_bad_manifest_is_refused(tmp_path, manifest):
    (tmp_path / "understand.json").write_text(manifest)
    with pytest.raises(DataError):
        open_skills(str(tmp_path))


@pytest.mark.parametrize(
    "rules", ['{"patterns": {"a": "("}}', '{"names": {"a": [" "]}}', "[]", "no json"]
)
def test_bad_rules_are_refused(tmp_path, rules):
    (tmp_path / "rules.json").write_text(rules)
    with pytest.raises(DataError):
        read_rules(tmp_path / "rules.json")


def test_rules_from_a_file_are_a_finder(tmp_path):
    file = tmp_path / "own.json"
    file.write_text('{"names": {"part": ["阀门"]}, "patterns": {"code": "[A-Z]{2}-\\\\d+"}}')
    found = understand(open_skills(str(file)), "阀门 AB-12 在 2024年")
    assert [(e.text, e.label) for e in found.entities] == [("阀门", "part"), ("AB-12", "code")]


def test_the_answer_is_in_the_language_of_the_text():
    app = Understand.open()
    assert answered(app, UnderstandRequest("就在那里", tasks=("entities",))).text == "没有发现。"
    assert "Nothing" in answered(app, UnderstandRequest("over there", tasks=("entities",))).text
