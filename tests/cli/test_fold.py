"""What folding refuses."""

import pytest

from speaq.models.head import HeadSettings
from speaq.models.sources import load


@pytest.mark.parametrize(
    ("gate", "wanted"),
    [
        ({}, "--beta"),
        ({"best_beta": 0.0}, "--beta"),
        ({"best_beta": 4.0, "decoding": {"support": 0.2}}, "--beta 4 --support 0.2"),
    ],
)
def test_what_no_gate_has_judged_is_not_folded(speaq, tiny, with_random_head, gate, wanted):
    model = with_random_head(tiny, HeadSettings())
    model.facts["gate"] = gate
    model.save("judged")
    code, _, said = speaq("fold", "judged", "folded")
    assert code != 0
    assert wanted in said


def test_what_the_gate_judged_is_folded(speaq, tiny, with_random_head):
    model = with_random_head(tiny, HeadSettings())
    model.facts["gate"] = {"best_beta": 4.0, "decoding": {"support": 0.0}}
    model.save("judged")
    assert speaq("fold", "judged", "folded")[0] == 0
    assert load("folded").origin.history[-1]["beta"] == 4.0
