"""Who agreed to what."""

import pytest

from speaq.governance.consent import may_use


@pytest.mark.parametrize(
    ("consent", "purpose", "allowed"),
    [
        (None, "learn", True),
        ((), "learn", False),
        (("learn",), "learn", True),
        (("learn",), "share", False),
        (("evaluate", "share"), "learn", False),
        (("learning",), "learn", False),
    ],
)
def test_only_what_was_agreed_to(consent, purpose, allowed):
    assert may_use(consent, purpose) is allowed
