"""Words in English, characters in Chinese."""

import pytest

from speaq.text.units import units


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Don't stop, it's 3 pm!", ["don't", "stop", "it's", "3", "pm"]),
        ("今天天气好。", ["今", "天", "天", "气", "好"]),
        ("我用Python写代码", ["我", "用", "python", "写", "代", "码"]),
        ("𠮷野家", ["𠮷", "野", "家"]),
        ("…!?", []),
        ("", []),
    ],
)
def test_units(text, expected):
    assert units(text) == expected
