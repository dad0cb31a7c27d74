import pytest
import torch

from speaq.models.head import HeadSettings
from speaq.serving.heat import Alternative, TokenHeat, token_heat
from speaq.serving.heat_view import colour, render
from speaq.serving.texts import CHINESE, ENGLISH, NAMES, texts

REPLY = "好吃 ok"


@pytest.fixture
def valued(tiny, with_random_head):
    return with_random_head(tiny, HeadSettings("tied"))


def brute_force(model, prefix, reply, beta):
    """Base, guided and centred advantages of each place, one forward pass per place."""
    rows = []
    for place in range(len(reply)):
        tokens = torch.tensor([[*prefix, *reply[:place]]])
        with torch.no_grad():
            hidden = model.hidden_states(tokens)[:, -1]
            logits = model.causal(input_ids=tokens).logits[0, -1]
            raw = model.head.advantages(hidden)[0]
        base = logits.softmax(-1)
        guided = (base.log() + beta * raw).softmax(-1)
        rows.append((base, guided, raw - (base * raw).sum()))
    return rows


def test_figures_equal_a_slow_definition(valued):
    prefix, reply = valued.encode("请说"), [*valued.encode(REPLY), valued.end_id]
    heat = token_heat(valued, prefix, reply, beta=1.5)
    for one, token, (base, guided, advantage) in zip(
        heat, reply, brute_force(valued, prefix, reply, 1.5), strict=True
    ):
        assert one.chosen.base == pytest.approx(base[token].item(), rel=1e-4)
        assert one.chosen.guided == pytest.approx(guided[token].item(), rel=1e-4)
        assert one.advantage == pytest.approx(advantage[token].item(), abs=1e-5)
        best = [i for i in guided.argsort(descending=True).tolist() if i != token][:3]
        assert [other.guided for other in one.others] == pytest.approx(guided[best].tolist())
        assert [other.advantage for other in one.others] == pytest.approx(
            advantage[best].tolist(), abs=1e-5
        )


def test_a_constant_added_to_all_advantages_changes_nothing(valued, monkeypatch):
    prefix, reply = valued.encode("a"), valued.encode("bc")
    before = token_heat(valued, prefix, reply, beta=2)
    plain = valued.head.advantages
    monkeypatch.setattr(valued.head, "advantages", lambda hidden: plain(hidden) + 7.0)
    for old, new in zip(before, token_heat(valued, prefix, reply, beta=2), strict=True):
        assert new.advantage == pytest.approx(old.advantage, abs=1e-4)
        assert new.chosen.guided == pytest.approx(old.chosen.guided, rel=1e-3)


def test_texts_join_to_the_reply_and_half_characters_wait(valued):
    heat = token_heat(valued, valued.encode("a"), valued.encode(REPLY), beta=1)
    assert [one.text for one in heat] == ["", "", "好", "", "", "吃", " ", "o", "k"]


def test_a_long_reply_is_scored_in_parts_alike(valued, monkeypatch):
    reply = valued.encode("abcdefg" * 3)
    whole = token_heat(valued, valued.encode("x"), reply, beta=1)
    monkeypatch.setattr("speaq.serving.heat.ROWS", 4)
    parts = token_heat(valued, valued.encode("x"), reply, beta=1)
    assert [one.advantage for one in parts] == pytest.approx(
        [one.advantage for one in whole], abs=1e-6
    )


def test_without_a_head_there_are_probabilities_only(tiny):
    heat = token_heat(tiny, tiny.encode("a"), tiny.encode("bc"), beta=1)
    assert all(one.advantage is None and one.chosen.guided is None for one in heat)
    assert all(0 < one.chosen.base < 1 for one in heat)
    html = render(heat, 1, ENGLISH)
    assert ENGLISH.no_head in html
    assert "Guided" not in html


def test_no_reply_no_heat(valued):
    assert token_heat(valued, [1], [], beta=1) == []
    assert ENGLISH.heat_empty in render([], 1, ENGLISH)


def made(text, advantage, base=0.5):
    return TokenHeat(text, Alternative(text, base, 0.5, advantage), ())


def test_text_of_the_model_is_never_markup():
    html = render([made('<img src=x onerror="alert(1)">', 1.0)], 1, ENGLISH)
    assert "<img" not in html
    assert "&lt;img" in html


def test_colour_tells_sign_and_strength():
    good, weak, bad = made("a", 2.0), made("b", 1.0), made("c", -2.0)
    assert colour(good, 2.0).startswith("rgba(31, 111, 139")
    assert colour(bad, 2.0).startswith("rgba(217, 119, 6")
    strength = [float(colour(one, 2.0).split(",")[3].strip(" )")) for one in (good, weak, bad)]
    assert strength == pytest.approx([0.75, 0.375, 0.75])
    assert colour(made("a", 0.0), 0.0).endswith("0.000)")


def test_every_word_can_be_reached_by_keyboard_and_is_named():
    html = render([made("你", 0.5), made("", -0.25)], 2, CHINESE)
    assert html.count('tabindex="0"') == 2
    assert 'aria-label="你: 优势 +0.500"' in html
    assert 'aria-label="⟨结束⟩: 优势 -0.250"' in html
    assert "引导后，β = 2" in html


def test_both_languages_say_everything():
    for words in (ENGLISH, CHINESE):
        assert all(vars(words)[name] for name in NAMES)
    same = [name for name in NAMES if vars(ENGLISH)[name] == vars(CHINESE)[name]]
    assert same == []
    assert texts("zh") is CHINESE
    assert texts("fr") is ENGLISH
