"""The pages in docs: in both languages, and complete."""

import re
from pathlib import Path

import pytest

from speaq.core import registry

DOCS = Path(__file__).parents[1] / "docs"
# The figures are numbers under a heading in both languages, in one file.
PAGES = sorted(
    page.name
    for page in DOCS.glob("*.md")
    if ".zh-CN" not in page.name and page.name != "figures.md"
)


@pytest.mark.parametrize("page", PAGES)
def test_both_languages_say_the_same(page: str) -> None:
    english = (DOCS / page).read_text(encoding="utf-8")
    chinese = (DOCS / page.replace(".md", ".zh-CN.md")).read_text(encoding="utf-8")
    for pattern in (r"^#+ ", r"^\* ", r"^\|", r"`[^`\n]+`"):
        assert len(re.findall(pattern, english, re.M)) == len(re.findall(pattern, chinese, re.M))
    assert set(re.findall(r"\d+\.\d+", english)) == set(re.findall(r"\d+\.\d+", chinese))


def test_every_algorithm_has_its_place_among_the_methods() -> None:
    for page in ("which-method-when.md", "which-method-when.zh-CN.md"):
        text = (DOCS / page).read_text(encoding="utf-8")
        table = text[text.rindex("\n## ") :]
        listed = re.findall(r"^\| `([^`]+)` \|", table, re.M)
        assert sorted(listed) == registry.names("algorithms")
