"""The application as a whole, on a translator that knows a few words."""

from collections.abc import Sequence
from typing import Any

import pytest
from word_translator import WordTranslator

from speaq.apps.application import Answer, answered
from speaq.apps.translate.application import Translate, TranslateRequest
from speaq.apps.translate.checks.degeneration import fault, repetitions, without_loops
from speaq.apps.translate.wording.glossary import Glossary
from speaq.apps.translate.wording.memory import TranslationMemory, Unit
from speaq.core.errors import DataError, SettingsError


@pytest.fixture
def application() -> Translate:
    return Translate(WordTranslator())


def test_sentences_come_one_by_one_and_the_answer_last(application: Translate) -> None:
    request = TranslateRequest("Ein Hund läuft.\n\n  Zwei Hunde. Hallo!", "de", "en")
    *pieces, answer = application.respond(request, "a1")
    assert isinstance(answer, Answer)
    assert answer.text == "A dog runs.\n\n  Two dogs. Hello!"
    assert "".join(str(piece) for piece in pieces) == answer.text
    assert pieces[0].startswith("A dog runs.")
    assert answer.id == "a1"
    assert answer.episode.prompt == request.text
    assert answer.episode.tags["source"] == "de"


def test_where_each_sentence_stands_on_both_sides(application: Translate) -> None:
    text = "Ein Hund. 😀 Zwei Hunde."
    answer = answered(application, TranslateRequest(text, "de", "en"))
    for each in answer.details["sentences"]:
        assert text[each["start"] : each["end"]] == each["source"]
        assert answer.text[each["target_start"] : each["target_end"]] == each["text"]


def test_one_unchanged_sentence_keeps_its_tokens_for_learning(application: Translate) -> None:
    one = answered(application, TranslateRequest("Ein Hund läuft.", "de", "en"))
    [action] = one.episode.actions
    assert action.token_ids is not None and action.logprobs is not None
    assert len(action.token_ids) == len(action.logprobs)
    two = answered(application, TranslateRequest("Ein Hund. Ein Mann.", "de", "en"))
    assert two.episode.actions[0].token_ids is None


def test_the_language_is_found_out_and_doubt_is_said() -> None:
    both = Translate(WordTranslator(pairs=(("de", "en"), ("zh", "en"))))
    assert answered(both, TranslateRequest("你好", target="en")).text == "Hello"
    wrong = answered(both, TranslateRequest("A dog runs through the snow today.", "de", "en"))
    assert [each["kind"] for each in wrong.details["warnings"]].count("language") == 0
    only = Translate(WordTranslator())
    said = answered(only, TranslateRequest("A dog runs through the snow today.", "de", "en"))
    assert "language" in [each["kind"] for each in said.details["warnings"]]


def test_what_is_kept_is_byte_identical_even_if_the_model_copies_nothing() -> None:
    text = "Siehe https://a.de/x?y=%20z und {name} im Park, `rm -rf` und Speaq!"
    answer = answered(
        Translate(WordTranslator()), TranslateRequest(text, "de", "en", keep=("Speaq",))
    )
    kept = ["https://a.de/x?y=%20z", "{name}", "`rm -rf`", "Speaq"]
    assert all(answer.text.count(each) == 1 for each in kept)
    assert answer.details["sentences"][0]["kept"] == kept
    assert answer.details["sentences"][0]["how"] == "model"
    assert answer.text == ("See https://a.de/x?y=%20z and {name} in the park, `rm -rf` and Speaq!")


def test_what_is_part_of_a_word_parts_the_sentence() -> None:
    answer = answered(
        Translate(WordTranslator()), TranslateRequest("Ein {n}hund läuft", "de", "en")
    )
    assert answer.text == "A {n}dog runs"
    assert answer.details["sentences"][0]["how"] == "pieces"


def test_a_word_the_model_copies_stands_in_for_what_is_kept() -> None:
    model = WordTranslator(copies=lambda word: word in ("Anna", "Peter"))
    answer = answered(Translate(model), TranslateRequest("{user} und {other} spielt.", "de", "en"))
    assert answer.text.lower() == "{user} and {other} plays."
    assert answer.details["sentences"][0]["how"] == "model"


def test_tags_stand_around_the_translation_of_what_they_stood_around() -> None:
    answer = answered(
        Translate(WordTranslator()),
        TranslateRequest(
            "<p>Ein <b>roter Hund</b> läuft &amp; spielt.</p><br>", "de", "en", "html"
        ),
    )
    assert answer.text == "<p>A <b>red dog</b> runs&amp; plays.</p><br>"


@pytest.mark.parametrize("text", ["Ein Hund und zwei Hunde", "Zwei Hunde und ein Hund"])
def test_the_glossary_replaces_the_model_s_words_and_nothing_else(text: str) -> None:
    application = Translate(WordTranslator(), glossary=Glossary.of({"Hund": "hound"}))
    answer = answered(application, TranslateRequest(text, "de", "en"))
    assert sorted(answer.text.lower().split()) == ["a", "and", "hound", "hounds", "two"]
    assert all(each["honoured"] for each in answer.details["sentences"][0]["terms"])


def test_a_request_s_own_glossary_beside_what_is_kept() -> None:
    answer = answered(
        Translate(WordTranslator()),
        TranslateRequest("Ein Hund läuft, siehe {x}.", "de", "en", glossary={"läuft": "trots"}),
    )
    assert "trots" in answer.text and "{x}" in answer.text


def test_the_memory_is_verbatim_and_lists_what_is_like_a_text() -> None:
    with TranslationMemory(":memory:") as memory:
        memory.add(("de", "en"), [Unit("Ein Hund läuft.", "A DOG  RUNS, verbatim")])
        application = Translate(WordTranslator(), memory=memory)
        same = answered(application, TranslateRequest("Ein Hund läuft.", "de", "en"))
        assert same.text == "A DOG  RUNS, verbatim"
        assert same.details["sentences"][0]["how"] == "memory"
        like = answered(application, TranslateRequest("Der Hund läuft.", "de", "en", fuzzy=0.6))
        assert like.text == "The dog runs."
        [similar] = like.details["sentences"][0]["similar"]
        assert similar["differences"] == [["Ein", "Der"]]
        without = answered(
            application, TranslateRequest("Ein Hund läuft.", "de", "en", memory=False)
        )
        assert without.text == "A dog runs."


def test_the_guard_warns_with_places_in_the_whole_text() -> None:
    model = WordTranslator(odd={"Hallo 42.": "Hello."})
    text = "Ein Hund.\nHallo 42."
    answer = answered(Translate(model), TranslateRequest(text, "de", "en"))
    [warning] = answer.details["warnings"]
    assert (warning["kind"], warning["what"]) == ("number", "lost")
    assert text[warning["start"] : warning["end"]] == "42"
    assert answer.text == "A dog.\nHello."


def test_alternatives() -> None:
    answer = answered(
        Translate(WordTranslator()),
        TranslateRequest("Ein Hund. Ein Mann.", "de", "en", alternatives=2),
    )
    assert answer.details["alternatives"] == ["A dog. (1) A man. (1)", "A dog. (2) A man. (2)"]


def test_the_script_that_was_asked_for_but_not_in_what_is_kept() -> None:
    model = WordTranslator(pairs=(("de", "zh"),), odd={"Hallo": "你好，汉语"})
    answer = answered(
        Translate(model), TranslateRequest("Hallo 汉堡", "de", "zh-TW", keep=("汉堡",))
    )
    assert answer.text == "你好，漢語 汉堡"


_ODD = {
    "word": "Hund",
    "repeated": "Hund " * 60,
    "emoji": "😀😀 🎉",
    "space": " \n\t ",
    "long": "ein roter Hund und " * 270,
    "unbroken": "x" * 5000,
    "unbroken umlauts": "ä" * 5000,
    "wrong language": "これは日本語の文章です。",
    "mixed": "Hund 狗 собака كلب 😀 dog",
    "signs": "?!... --- §§§",
    "digits": "12345 67890",
}


@pytest.mark.parametrize("text", _ODD.values(), ids=_ODD.keys())
@pytest.mark.parametrize("habit", ["good", "silent", "loops", "chatters"])
def test_odd_inputs_neither_loop_nor_vanish(text: str, habit: str) -> None:
    habits = {
        "good": lambda own: own,
        "silent": lambda own: "",
        "loops": lambda own: "the the dog " * 40,
        "chatters": lambda own: " ".join(f"w{n}" for n in range(400)),
    }
    model = WordTranslator()
    plain = model.said
    model.said = lambda text: habits[habit](plain(text))  # type: ignore[method-assign]
    answer = answered(Translate(model), TranslateRequest(text, "de", "en"))
    assert answer.text
    for each in answer.details["sentences"]:
        if each["how"] != "copied":
            assert not fault(each["source"], each["text"])
    if habit != "good" and text in (_ODD["word"], _ODD["long"]):
        assert any(each["what"] in ("copied", "repaired") for each in answer.details["warnings"])


def test_nothing_to_translate_is_refused_and_so_are_wrong_fields(application: Translate) -> None:
    with pytest.raises(DataError):
        answered(application, TranslateRequest(""))
    with pytest.raises(SettingsError):
        answered(application, TranslateRequest("Hund", "de", "fr"))
    with pytest.raises(SettingsError):
        TranslateRequest("Hund", beam=0)
    with pytest.raises(SettingsError, match="50,001 characters, and 50,000 are translated"):
        TranslateRequest("x" * 50_001)


def test_what_is_longer_than_the_model_reads_is_translated_in_halves() -> None:
    class Short(WordTranslator):
        def translate(self, texts: Sequence[str], **more: Any) -> Any:
            if any(len(text) > 20 for text in texts):
                raise DataError("too long", "过长")
            return super().translate(texts, **more)

    text = "ein Hund und ein Mann und zwei Hunde und ein Auto"
    answer = answered(Translate(Short()), TranslateRequest(text, "de", "en"))
    assert answer.text.lower() == "a dog and a man and two dogs and a car"
    assert answer.episode.actions[0].token_ids is None
    assert answered(Translate(Short()), TranslateRequest("ä" * 500, "de", "en")).text


def test_repetitions_are_counted() -> None:
    found = {(each.words, each.times) for each in repetitions(["a", "b"] * 3 + ["c"])}
    assert (2, 3) in found
    assert repetitions(["a", "b", "c"]) == []


@pytest.mark.parametrize(
    ("source", "translation", "wrong"),
    [
        ("Ein Hund", "", "empty"),
        ("Ein Hund", "...", "empty"),
        ("Ein Hund", "a dog a dog a dog a dog", "loop"),
        ("Ein Hund", "a" * 40, "loop"),
        ("Ein Hund", " ".join(f"w{n}" for n in range(60)), "length"),
        ("ja ja ja ja", "yes yes yes yes", ""),
        ("狗狗狗", "dog dog dog", ""),
        ("一只狗", "狗" * 30, "loop"),
        ("?!", "?!", ""),
    ],
)
def test_faults(source: str, translation: str, wrong: str) -> None:
    assert fault(source, translation) == wrong


def test_a_loop_is_cut_to_one_turn() -> None:
    assert without_loops("The dog runs. " * 10 + "End") == "The dog runs. End"
    assert without_loops("狗在跑" * 9) == "狗在跑"
    assert without_loops("no loop here") == "no loop here"
