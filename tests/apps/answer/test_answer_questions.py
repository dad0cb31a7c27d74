"""Questions and answers: quotations, silence, follow-ups, domains, what is kept."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from speaq.apps.answer import deciding, ranking, settings
from speaq.apps.answer.application import Answering, Question
from speaq.apps.answer.building import index
from speaq.apps.answer.citing import statements
from speaq.apps.answer.deciding import SIGNS, Decider
from speaq.apps.answer.follow_up import leans, standing_alone
from speaq.apps.answer.index import Index, IndexSettings
from speaq.apps.answer.ranking import Ranking
from speaq.apps.answer.reader import Span
from speaq.apps.answer.settings import AnswerSettings
from speaq.apps.answer.writer import Writer, Written, _certain
from speaq.apps.application import Answer, answered
from speaq.core.errors import DataError, EvidenceError, ModelError, SettingsError
from speaq.experience.episode import Episode, Feedback, Turn

ASKED = {
    "When was the pump built?": ("pump.md", "1998"),
    "How often must the filter be changed?": ("pump.md", "six months"),
    "How to reset the device": ("faq.csv", "red button"),
    "When is the office open?": ("hours.html", "nine"),
    "专业版的保修期多长？": ("保修.txt", "三年"),
    "怎么开具发票": ("faq.csv", "申请发票"),
}


@pytest.fixture
def application(indexed: Path) -> Answering:
    return Answering.open(str(indexed))


def check_citations(folder: Path, answer: Answer) -> None:
    """Every citation stands word for word where it says."""
    for cited in answer.details["citations"]:
        parts = Index(folder).parts(cited["file"])
        assert cited["text"] in {part.text[cited["start"] : cited["end"]] for part in parts}


@pytest.mark.parametrize("question", ASKED)
def test_an_answer_is_quoted_from_where_it_stands(
    application: Answering, indexed: Path, documents: Path, question: str
) -> None:
    said = answered(application, Question(question), "answer-1")
    file, held = ASKED[question]
    [cited] = said.details["citations"]
    assert held in said.text and cited["file"] == file and said.details["answered"]
    check_citations(indexed, said)
    raw = (documents / file).read_text(encoding="utf-8")
    assert held in raw.splitlines()[cited["line"] - 1]
    if not cited["field"]:
        assert held in raw[cited["start"] : cited["end"]]
    assert (said.id, said.episode.prompt, said.episode.tags["answered"]) == (
        "answer-1",
        question,
        "true",
    )
    json.dumps(said.details)


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ("Who won the world cup in 2010?", "The documents do not say. Looked for: “Who won"),
        ("今天天气怎么样？", "文档中没有找到答案。查找的内容：“今天天气怎么样？”"),
        ("Quelle est la couleur de la voiture de mon voisin?", "The question is in French"),
    ],
)
def test_what_the_documents_do_not_say_is_not_answered(
    application: Answering, question: str, said: str
) -> None:
    made = answered(application, Question(question))
    assert made.text.startswith(said)
    assert made.details["citations"] == [] and not made.details["answered"]


def test_chinese_asked_of_english_documents_is_said(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("The pump is made of brass, and so are both of its valves.")
    index(tmp_path / "index", [tmp_path / "a.txt"], IndexSettings())
    made = answered(Answering.open(str(tmp_path / "index")), Question("水泵是什么做的？"))
    assert made.text == "问题是中文，而文档是英文；请用文档的语言提问。"


@pytest.mark.parametrize(("question", "wrong"), [(" ", "empty"), ("why " * 600, "characters")])
def test_a_question_that_is_none_is_refused(question: str, wrong: str) -> None:
    with pytest.raises(DataError, match=wrong):
        Question(question)


@pytest.mark.parametrize(
    ("question", "wanted"),
    [
        ("And when was she born?", True),
        ("What does it cost?", True),
        ("Why?", True),
        ("那价格呢？", True),
        ("它多少钱？", True),
        ("What is the name of the river that flows there?", False),
        ("What did Tesla think of his work?", False),
        ("法国的首都是哪里？", False),
    ],
)
def test_a_follow_up_is_known(question: str, wanted: bool) -> None:
    assert leans(question) == wanted


def test_a_follow_up_takes_along_what_it_leans_on() -> None:
    def rarity(word: str) -> float:
        return {"radium": 3.0, "discovered": 1.0, "专业版": 2.0, "保修期": 2.0}.get(word, 0.0)

    history = [("Who discovered radium?", "Marie Curie")]
    asked = "And when was she born?"
    assert standing_alone(asked, history, rarity) == f"discovered radium Marie Curie, {asked}"
    assert standing_alone("What is lead?", history, rarity) == "What is lead?"
    assert standing_alone("它多少钱？", [("专业版的保修期？", "三年")], rarity) == (
        "专业版、保修期，它多少钱？"
    )


def test_a_conversation_goes_on(application: Answering) -> None:
    history = (("专业版的保修期多长？", "专业版的保修期是三年。"),)
    made = answered(application, Question("那价格呢？", history=history))
    assert "五千元" in made.text and made.details["asked"] == "专业版，那价格呢？"
    alone = answered(application, Question("And who built it?"))
    assert alone.details["asked"] == "And who built it?"


@pytest.fixture
def domains(tmp_path: Path) -> Path:
    texts = {
        "medical": "Aspirin must not be given to children under twelve.",
        "legal": "The tenant may end the contract with three months' notice.",
    }
    for name, text in texts.items():
        (tmp_path / f"{name}.txt").write_text(text)
        folder = tmp_path / "domains" / name
        index(folder, [tmp_path / f"{name}.txt"], IndexSettings(), AnswerSettings(domain=name))
    return tmp_path / "domains"


def test_domains_stand_apart(domains: Path) -> None:
    application = Answering.open(str(domains))
    question = "May aspirin be given to children?"
    made = answered(application, Question(question))
    assert (made.details["domain"], made.details["answered"]) == ("medical", True)
    assert "physician" in made.details["notice"]
    other = answered(application, Question(question, domain="legal"))
    assert not other.details["answered"] and "legal advice" in other.details["notice"]
    with pytest.raises(SettingsError, match=r"no domain 'x'.*legal, medical"):
        answered(application, Question(question, domain="x"))
    settings.save(AnswerSettings(domain="legal"), domains / "medical")
    with pytest.raises(ModelError, match="two domains"):
        Answering.open(str(domains))


def test_each_domain_has_its_own_threshold(domains: Path) -> None:
    deciding.save(Decider((0.0,) * 7, 0.9, 50), domains / "medical", {})
    application = Answering.open(str(domains))
    assert not answered(application, Question("aspirin children")).details["answered"]
    assert answered(application, Question("tenant contract notice")).details["answered"]


def test_what_changes_on_the_disk_is_seen_by_an_open_application(
    application: Answering, indexed: Path, tmp_path: Path
) -> None:
    question = Question("What colour is the gasket?")
    assert not answered(application, question).details["answered"]
    (tmp_path / "new.txt").write_text("The colour of the gasket is green.")
    index(indexed, [tmp_path / "new.txt"])
    assert answered(application, question).text == "The colour of the gasket is green."
    settings.save(AnswerSettings(notice="Ask Eve."), indexed)
    assert answered(application, question).details["notice"] == "Ask Eve."


def test_ratings_rank_answers(application: Answering, indexed: Path, tmp_path: Path) -> None:
    for metal in ("brass", "steel"):
        (tmp_path / f"{metal}.txt").write_text(f"The gasket is made of {metal}.")
        index(indexed, [tmp_path / f"{metal}.txt"])
    question = Question("What is the gasket made of?")
    first = answered(application, question)
    keys = {"brass.txt:1:0:0", "steel.txt:1:0:0"}
    [liked] = keys - {first.episode.tags[ranking.PASSAGE]}
    judged = [judged_answer(liked, True) for _ in range(15)]
    judged += [judged_answer(first.episode.tags[ranking.PASSAGE], False) for _ in range(15)]
    ranking.save(ranking.learn(judged), indexed)
    assert answered(application, question).episode.tags[ranking.PASSAGE] == liked
    # What people like does not make an answer of what is none.
    ranking.save(Ranking((0.0,) * 7, {"faq.csv:2:0:0": (0.9, 99)}), indexed)
    assert "gasket" in answered(application, question).text


def judged_answer(passage: str, liked: bool) -> Episode:
    tags = {ranking.PASSAGE: passage, ranking.SIGNED: json.dumps([0.5] * len(SIGNS))}
    turns = (Turn("observation", "?"), Turn("action", "!"))
    return Episode(turns, feedback=(Feedback("thumb", liked),), tags=tags)


def test_few_ratings_teach_nothing() -> None:
    with pytest.raises(EvidenceError, match="too few"):
        ranking.learn([judged_answer("a", True)] * 19)
    with pytest.raises(EvidenceError, match="alike"):
        ranking.learn([judged_answer("a", True)] * 30)


def test_a_ranking_with_nothing_to_add_changes_nothing(
    application: Answering, indexed: Path
) -> None:
    before = answered(application, Question("When was the pump built?"))
    ranking.save(Ranking((0.0,) * 7), indexed)
    assert answered(application, Question("When was the pump built?")).text == before.text


def found_in(*texts: str) -> list[SimpleNamespace]:
    passages = [
        SimpleNamespace(
            text=text, file=f"{n}.txt", start=7, end=7 + len(text), line=1, page=0, field=""
        )
        for n, text in enumerate(texts, 1)
    ]
    return [SimpleNamespace(passage=passage) for passage in passages]


def test_written_sentences_are_held_against_the_passages() -> None:
    found = found_in("Brass rusts not. Iron rusts in rain.", "水泵由黄铜制成。阀门由铁制成。")
    said = "Iron rusts in the rain [1]. 阀门由铁制成 [2][9]。 Copper is a metal of the moon."
    first, second, third = statements(said, found)
    assert (first.citations[0].text, first.citations[0].start) == ("Iron rusts in rain.", 24)
    assert second.citations[0].text == "阀门由铁制成。" and len(second.citations) == 1
    assert third.citations == () and third.support == 0
    [unmarked] = statements("Brass rusts not.", found)
    assert unmarked.citations[0].number == 1


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("So it is [1", "So it is "),
        ("So it is [1]", "So it is [1]"),
        ("So it is [7]", "So it is "),
        ("a [long bracket", "a [long bracket"),
        ("猫\ufffd", "猫"),
    ],
)
def test_only_numbers_that_are_there_are_given_out(text: str, wanted: str) -> None:
    assert _certain(text, 3, final=False) == wanted


def test_a_writer_streams_what_it_ends_with(
    application: Answering, indexed: Path, tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = Writer(tiny)
    monkeypatch.setattr(Writer, "open", classmethod(lambda cls, source: writer))
    monkeypatch.setattr("speaq.apps.answer.writer.LONGEST", 12)
    settings.save(AnswerSettings(writer="new:tiny", passages=1), indexed)
    request = Question("When was the pump built?", mode="write")
    *pieces, whole = application.respond(request, "answer-9")
    assert isinstance(whole, Answer)
    assert "".join(pieces).strip() == whole.text or whole.details["citations"]
    check_citations(indexed, whole)
    again = answered(application, request)
    assert again.text == whole.text
    quoted = answered(application, Question("When was the pump built?", mode="quote"))
    assert "1998" in quoted.text


def test_a_writer_is_grounded_in_the_passages(tiny) -> None:
    found = found_in("The pump was built in 1998.")
    *_, whole = Writer(tiny).write("When?", found)
    assert isinstance(whole, Written)
    if whole.token_ids is not None:
        assert len(whole.token_ids) == len(whole.logprobs)
    with pytest.raises(DataError, match="no passage fits"):
        list(Writer(tiny).write("When?", found_in("pump " * 5000)))


def test_writing_without_a_writer_is_refused(application: Answering) -> None:
    with pytest.raises(SettingsError, match="--writer"):
        answered(application, Question("When was the pump built?", mode="write"))


def test_no_index_is_said(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="speaq answer index"):
        Answering.open(str(tmp_path))


@pytest.mark.parametrize("file", [deciding.FILE, ranking.FILE, settings.FILE])
def test_damaged_files_are_said(indexed: Path, file: str) -> None:
    (indexed / file).write_text('{"x": 1}')
    with pytest.raises(ModelError, match=f"{file} is damaged"):
        Answering.open(str(indexed))


def test_the_best_passage_weighs_reader_and_rank() -> None:
    found = [SimpleNamespace(score=2.0), SimpleNamespace(score=1.9)]
    assert deciding.best_place(found, [Span(0, 1, 0.0), Span(0, 1, 0.0)]) == 0
    assert deciding.best_place(found, [Span(0, 1, -5.0), Span(0, 1, 5.0)]) == 1
