"""The forms of Chinese regulated verse, and which characters rhyme."""

from dataclasses import dataclass
from functools import cache

FORMS = {"五绝": (4, 5), "七绝": (4, 7), "五律": (8, 5), "七律": (8, 7)}
"""Lines, and characters of a line."""
NAMES = {"wujue": "五绝", "qijue": "七绝", "wulv": "五律", "qilv": "七律"}
"""The same in letters."""
FIRST, LAST = "\u4e00", "\u9fff"
_RHYMES = (
    "a ia ua|o e uo|ie üe ê ve|ai uai|ei uei ui|ao iao|ou iou iu|an ian uan üan van|"
    "en in uen un ün vn|ang iang uang|eng ing ueng ong iong|i er ü v|-i|u"
)
"""Finals of one rhyme: the fourteen of 中华新韵 (2005)."""


@cache
def rhyme(sign: str) -> int:
    """Which of the fourteen rhymes a Chinese character has, by its usual reading; -1: none."""
    from pypinyin import Style, pinyin

    final = pinyin(sign, style=Style.FINALS, strict=True, errors="ignore")
    initial = pinyin(sign, style=Style.INITIALS, strict=True, errors="ignore")
    if not final or not final[0][0]:
        return -1
    found = final[0][0]
    # zhi, chi, shi, ri, zi, ci, si: an i that rhymes with no other.
    if found == "i" and initial[0][0] in ("zh", "ch", "sh", "r", "z", "c", "s"):
        found = "-i"
    groups = [group.split() for group in _RHYMES.split("|")]
    return next((n for n, group in enumerate(groups) if found in group), -1)


@dataclass(frozen=True)
class Verse:
    """One form of verse."""

    name: str
    lines: int
    width: int
    """Characters of a line."""

    @classmethod
    def of(cls, name: str) -> "Verse":
        """The form of this name, in characters or letters."""
        chinese = NAMES.get(name, name)
        return cls(chinese, *FORMS[chinese])

    @property
    def places(self) -> str:
        """What stands in each place: 字 for any character, else a mark."""
        line = "字" * self.width
        return "\n".join(f"{line}，{line}。" for _ in range(self.lines // 2))

    def split(self, text: str) -> list[str]:
        """The lines of a poem, without marks."""
        return [part for row in text.split("\n") for part in row.strip("。").split("，") if part]

    def kept(self, text: str) -> bool:
        """Whether a text has this form, exactly."""
        places = self.places
        return len(text) == len(places) and all(
            is_han(sign) if place == "字" else sign == place
            for sign, place in zip(text, places, strict=True)
        )

    def report(self, text: str) -> dict[str, object]:
        """Form and rhyme: the rhymes of the even lines, and whether they are one."""
        lines = self.split(text)
        ends = [line[-1] for line in lines[1::2]]
        groups = [rhyme(sign) for sign in ends]
        return {
            "form": self.name,
            "kept": self.kept(text),
            "lines": [len(line) for line in lines],
            "rhyme_characters": ends,
            "rhymes": bool(groups) and groups[0] >= 0 and len(set(groups)) == 1,
        }


def is_han(sign: str) -> bool:
    """Whether a character is of the plain Chinese block."""
    return FIRST <= sign <= LAST
