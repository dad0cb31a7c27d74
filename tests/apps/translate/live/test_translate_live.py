"""Writing while reading: wait-k, local agreement, and what one sees as one types."""

from itertools import pairwise

import pytest
from word_translator import WordTranslator

from speaq.apps.translate.application import Translate, TranslateRequest
from speaq.apps.translate.live.as_typed import Typing
from speaq.apps.translate.live.latency import latency
from speaq.apps.translate.live.simultaneous import (
    LiveSettings,
    Session,
    follow,
    prefix_pairs,
    simulate,
    source_units,
    units_of,
)
from speaq.apps.translate.translating import Direction
from speaq.core.errors import SettingsError

_TEXT = "Ein roter Hund und zwei Hunde läuft."
_SAID = "A red dog and two dogs runs."


def direction(**habits: object) -> Direction:
    return Direction(WordTranslator(**habits), "de", "en", 1)  # type: ignore[arg-type]


@pytest.mark.parametrize("k", [1, 2, 3, 7, 99])
def test_wait_k_writes_a_word_for_each_it_reads_k_behind(k: int) -> None:
    [made] = simulate(direction(), [_TEXT], [], LiveSettings(k=k))
    count = len(_TEXT.split())
    assert " ".join(made.prediction) == _SAID
    assert list(made.delays) == [min(k + place, count) for place in range(count)]


def test_batches_change_nothing() -> None:
    texts = [_TEXT, "Hallo", "Ein Mann und ein Hund", "Zwei Hunde"]
    settings = LiveSettings(k=2)
    together = simulate(direction(), texts, texts, settings, batch=3)
    alone = [simulate(direction(), [text], [text], settings)[0] for text in texts]
    assert [each.prediction for each in together] == [each.prediction for each in alone]
    assert [each.delays for each in together] == [each.delays for each in alone]
    assert [each.index for each in together] == [0, 1, 2, 3]
    assert latency(together).al > 0


def test_the_model_hears_only_what_was_read_and_what_was_written_stays() -> None:
    model = WordTranslator()
    session = Session(LiveSettings(k=2), "de", "en")
    written = [
        word
        for new in follow(Direction(model, "de", "en", 1), session, _TEXT.split())
        for word in new
    ]
    assert " ".join(written) == _SAID
    assert model.asked[0] == "Ein roter"
    assert [len(each.split()) for each in model.asked] == [2, 3, 4, 5, 6, 7, 7]


def test_a_model_that_ends_early_is_waited_for() -> None:
    short = {"Ein roter": "A", "Ein roter Hund": "A."}
    [made] = simulate(direction(odd=short), [_TEXT], [], LiveSettings(k=2))
    assert " ".join(made.prediction) == _SAID
    assert made.delays[:3] == (2, 4, 4)


def test_no_full_stop_before_the_end() -> None:
    stops = {" ".join(_TEXT.split()[:n]): "A red." for n in range(1, 7)}
    [made] = simulate(direction(odd=stops), [_TEXT], [], LiveSettings(k=1))
    assert made.prediction[:2] == ("A", "red")


def test_agreement_writes_what_two_translations_have_in_common() -> None:
    changing = {"Ein": "One thing", "Ein roter": "A red thing", "Ein roter Hund": "A red dog"}
    settings = LiveSettings("agreement", 1)
    [made] = simulate(direction(odd=changing), ["Ein roter Hund"], [], settings)
    assert made.prediction == ("A", "red", "dog")
    assert made.delays == (3, 3, 3)
    [plain] = simulate(direction(), [_TEXT], [], settings)
    assert " ".join(plain.prediction) == _SAID
    assert plain.delays[0] == 2


def test_chinese_is_read_in_words_and_written_in_characters() -> None:
    assert source_units("我喜欢红色的狗。", "zh") == ["我", "喜欢", "红色", "的", "狗", "。"]
    assert units_of("你好 吗", "zh") == ["你", "好", "吗"]
    model = WordTranslator(pairs=(("de", "zh"),), odd={"Ein": "一只", "Ein Hund": "一只狗"})
    [made] = simulate(Direction(model, "de", "zh", 1), ["Ein Hund"], [], LiveSettings(k=1))
    assert made.prediction == ("一", "只", "狗")
    assert made.delays == (1, 2, 2)


def test_beginnings_of_pairs_for_training() -> None:
    pairs = [(_TEXT, _SAID), ("Hallo", "Hello"), ("a b c d", "w x y z")]
    made = prefix_pairs(pairs, "de", "en", seed=3)
    assert made == prefix_pairs(pairs, "de", "en", seed=3)
    assert len(made) == 2
    for (one, two), (whole_one, whole_two) in zip(made, [pairs[0], pairs[2]], strict=True):
        assert whole_one.startswith(one + " ") and whole_two.startswith(two)
        assert abs(len(one.split()) - len(two.split())) <= 1
    [(one, two)] = prefix_pairs([("我喜欢狗", "I like dogs")], "zh", "en", seed=1)
    assert "我喜欢狗".startswith(one) and "I like dogs".startswith(two)


def test_settings_are_checked() -> None:
    with pytest.raises(SettingsError):
        LiveSettings(k=0)
    with pytest.raises(SettingsError):
        LiveSettings("guess")  # type: ignore[arg-type]


def typed(texts: list[str], application: Translate) -> list[tuple[str, str]]:
    typing = Typing()
    shown = [typing.shown(application, TranslateRequest(text, "de", "en")) for text in texts]
    return [(each.certain, each.guess) for each in shown]


def test_while_one_types_what_is_certain_stays() -> None:
    texts = [_TEXT[:length] for length in range(1, len(_TEXT) + 1)]
    shown = typed(texts, Translate(WordTranslator()))
    for (earlier, _), (later, _) in pairwise(shown[:-1]):
        assert later.startswith(earlier)
    assert shown[-1] == (_SAID, "")
    assert any(guess for _, guess in shown)


def test_finished_sentences_are_translated_once_and_mending_a_word_begins_anew() -> None:
    model = WordTranslator()
    application = Translate(model)
    shown = typed(["Hallo. Ein Hund und ", "Hallo. Ein Mann und ", "Hallo. Zwei"], application)
    assert model.asked.count("Hallo.") == 1
    assert [certain + guess for certain, guess in shown[:2]] == [
        "Hello. A dog and",
        "Hello. A man and",
    ]
    assert shown[2] == ("Hello. ", "")
