"""What may be searched, how it is written, and that it is said to the verb as it was meant."""

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import pytest
import tyro
from hypothesis import example, given, settings
from hypothesis import strategies as st

from speaq.core.errors import SettingsError
from speaq.training.tuning import Command, Dimension, Setting, dimensions, settings_of
from speaq.training.tuning.command import open_places, without
from speaq.training.tuning.space import corners, grid_size
from speaq.training.tuning.vocabulary import component, of_words


@dataclass(frozen=True)
class Group:
    rate: float = 0.1
    big_steps: int | None = None
    schedule: Literal["constant", "cosine"] = "constant"
    on: bool = False


@dataclass(frozen=True)
class Verb:
    source: Annotated[str, tyro.conf.Positional]
    log: Annotated[str, tyro.conf.Positional]
    size: int = 3
    text: str = "a"
    betas: tuple[float, ...] = (1.0,)
    options: tuple[str, ...] = ()
    loop: Group = field(default_factory=Group)
    plain: Annotated[Group, tyro.conf.arg(name="")] = field(default_factory=Group)
    folder: Path | None = None
    seed: int = 0


KNOWN = settings_of(Verb)


def one(word: str) -> Dimension:
    [made] = dimensions([word], KNOWN)
    return made


def test_settings_have_the_names_of_the_command_line_and_of_the_file() -> None:
    assert KNOWN["loop.big_steps"] == Setting("loop.big_steps", "loop.big-steps", int, (), True)
    assert KNOWN["plain.rate"].flag == "rate"
    assert KNOWN["log"].positional and not KNOWN["size"].positional
    assert KNOWN["betas"].kind is None
    same = {"loop.big_steps=1..5", "loop.big-steps=1..5"}
    assert {one(word).name for word in same} == {"loop.big_steps"}
    assert one("rate=0.1..1") == one("plain.rate=0.1..1")


@pytest.mark.parametrize(
    ("word", "values"),
    [
        ("loop.rate=log:1e-6..1e-2", (1e-6, 1e-2)),
        ("loop.rate=-1.5..2", (-1.5, 2.0)),
        ("size=2..9", (2, 9)),
        ("size=2..9:3", (2, 8)),
        ("rate=0..0.3:0.1", (0.0, pytest.approx(0.3))),
        ("loop.big_steps=none,4,8", (None, 4, 8)),
        ("schedule=cosine,constant", ("cosine", "constant")),
        ("on=true,false", (True, False)),
        ("text=好,不好", ("好", "不好")),
        ("text=1..2,x", ("1..2", "x")),
        ("rate=1e-3,1e-2", (1e-3, 1e-2)),
    ],
)
def test_values(word: str, values: tuple[object, ...]) -> None:
    made = one(word)
    assert made.probes() == values
    assert [type(each) for each in made.probes()] == [
        type(each) if not hasattr(each, "expected") else float for each in values
    ]
    assert one(f"{made.name}={made.written}") == made


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("lop.rate=1..2", "did you mean 'loop.rate'"),
        ("loop.rte=1..2", "did you mean 'loop.rate'"),
        ("big_stps=1..2", "did you mean 'big_steps'"),
        ("schedul=a,b", "did you mean 'schedule'"),
        ("rate", "name=values"),
        ("rate=", "name=values"),
        ("rate=5", "two or more"),
        ("rate=5,5", "two or more"),
        ("rate=2..1", "low end"),
        ("rate=log:0..1", "low > 0"),
        ("rate=log:1..2:0.1", "no step"),
        ("rate=0..1:2", "a step"),
        ("rate=a..b", "low..high"),
        ("rate=a,b", "numbers"),
        ("size=0.5..3", "whole numbers"),
        ("size=1,2.5", "whole numbers"),
        ("schedule=cosine,linear", "some of constant, cosine"),
        ("on=yes,no", "true,false"),
        ("size=none,3", "whole numbers"),
        ("betas=1,2", "several values at once"),
    ],
)
def test_what_cannot_be_searched_is_refused_in_both_languages(
    word: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SettingsError, match=told) as refused:
        one(word)
    monkeypatch.setenv("SPEAQ_LANG", "zh")
    assert any("\u4e00" <= letter <= "\u9fff" for letter in str(refused.value))


def test_a_setting_without_its_groups_is_told_with_them() -> None:
    known = {"a.b.lr": Setting("a.b.lr", "b.lr", float), "a.c": Setting("a.c", "c", int)}
    with pytest.raises(SettingsError, match=r"did you mean 'b\.lr'"):
        dimensions(["lr=1..2"], known)


def test_nothing_is_searched_twice() -> None:
    with pytest.raises(SettingsError, match="twice"):
        dimensions(["rate=0..1", "plain.rate=0..2"], KNOWN)


def test_a_components_settings_are_found_by_its_signature() -> None:
    found = component(KNOWN["options"], Group)
    assert found["options.big_steps"] == Setting(
        "options.big_steps", "options", int, (), True, member="big_steps"
    )
    unknown = of_words(KNOWN["options"], "any")
    [whole, fraction, words] = dimensions(
        ["options.any=1..3", "options.other=0.5..3", "options.third=1,b,true"],
        {
            each.name: each
            for each in (unknown, *(of_words(KNOWN["options"], n) for n in ("other", "third")))
        },
    )
    assert (whole.whole, fraction.whole, words.choices) == (True, False, (1, "b", True))


def test_a_grid_has_both_ends_and_even_or_proportional_steps() -> None:
    assert one("rate=log:1e-4..1").grid(5) == pytest.approx([1e-4, 1e-3, 1e-2, 0.1, 1])
    assert one("rate=0..1").grid(3) == [0, 0.5, 1]
    assert one("size=1..3").grid(9) == [1, 2, 3]
    assert one("size=2..9:3").grid(2) == [2, 5, 8]
    assert one("schedule=cosine,constant").grid(2) == ["cosine", "constant"]
    space = dimensions(["rate=0..1", "size=1..3", "loop.on=true,false"], KNOWN)
    assert grid_size(space, 5) == 5 * 3 * 2
    with pytest.raises(SettingsError, match="--points"):
        grid_size([one("rate=0..1:0.000001")], 5)


@settings(deadline=None)
@given(
    st.floats(1e-9, 1e9),
    st.floats(1e-9, 1e9),
    st.booleans(),
    st.booleans(),
    st.integers(2, 9),
)
def test_a_grid_stays_within_its_range(
    a: float, b: float, log: bool, whole: bool, points: int
) -> None:
    low, high = sorted((math.ceil(a), math.ceil(b)) if whole else (a, b))
    if low < high:
        made = Dimension(KNOWN["size"], (), low, high, None, log, whole)
        grid = made.grid(points)
        assert (grid[0], grid[-1]) == (low, high)
        assert all(low <= value <= high for value in grid)
        assert grid == sorted(set(grid))
        distribution = made.distribution()
        assert all(distribution._contains(distribution.to_internal_repr(v)) for v in grid)


def test_every_end_and_every_choice_is_in_some_corner() -> None:
    space = dimensions(["rate=0..1", "text=a,b,c"], KNOWN)
    found = corners(space)
    assert {each["plain.rate"] for each in found} == {0, 1}
    assert [each["text"] for each in found] == ["a", "b", "c"]


@settings(deadline=None, max_examples=60)
@given(
    st.floats(allow_nan=False, allow_infinity=False),
    st.none() | st.integers(),
    st.booleans(),
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1),
)
@example(-1.5, -3, False, "--size")
@example(0.0, None, True, "-x=1")
def test_a_verb_gets_the_values_that_were_meant(
    rate: float, steps: int | None, on: bool, text: str
) -> None:
    values = {"loop.rate": rate, "plain.big_steps": steps, "loop.on": on, "text": text}
    space = tuple(Dimension(KNOWN[name]) for name in values)
    command = Command("verb", {"source": "m", "log": "l"}, (), space)
    words = command.words(values, 5, Path("run"))
    read = tyro.cli(Verb, args=words)
    assert (read.loop.rate, read.plain.big_steps, read.loop.on) == (rate, steps, on)
    assert (read.text, read.seed, read.folder) == (text, 5, Path("run"))


def test_places_are_filled_by_name_by_the_search_or_in_order() -> None:
    words = ["m", "--size", "4", "--log", "file"]
    assert open_places(words, KNOWN, ()) == ({"source": "m", "log": "file"}, ["--size", "4"])
    searched = dimensions(["source=a,b"], KNOWN)
    places, rest = open_places(["file", "--size=4"], KNOWN, searched)
    assert (places, rest) == ({"source": None, "log": "file"}, ["--size=4"])
    command = Command("verb", places, tuple(rest), tuple(searched))
    assert command.words({"source": "b"}, 0, Path("r"))[:3] == ["b", "file", "--size=4"]


@pytest.mark.parametrize(
    ("word", "search"),
    [("--size", "size=1..2"), ("--size=3", "size=1..2"), ("--loop.no-on", "loop.on=true,false")],
)
def test_a_setting_is_not_both_given_and_searched(word: str, search: str) -> None:
    with pytest.raises(SettingsError, match="both given and searched"):
        open_places(["m", "l", word], KNOWN, dimensions([search], KNOWN))
    with pytest.raises(SettingsError, match="both given and searched"):
        open_places(["--log", "l"], KNOWN, dimensions(["log=a,b"], KNOWN))


def test_words_of_a_component_are_joined_with_those_that_stand_fixed() -> None:
    made = of_words(KNOWN["options"], "k")
    command = Command(
        "verb",
        {"source": "m", "log": "l"},
        tuple(without(["--options", "a=1", "b=2", "--size", "4"], {"options"})),
        (Dimension(made, low=1, high=2),),
        {"options": ("a=1", "b=2")},
    )
    read = tyro.cli(Verb, args=command.words({"options.k": 0.5}, 0, Path("r")))
    assert (read.options, read.size) == (("a=1", "b=2", "k=0.5"), 4)


def test_the_command_is_quoted_for_a_shell() -> None:
    command = Command("verb", {"source": "my model", "log": "日志 $x"}, (), ())
    shown = command.shown({}, 0, Path("a b"))
    assert shown == "speaq verb 'my model' '日志 $x' --seed 0 --folder 'a b'"
