"""Tables become series; what cannot be one is refused in a sentence."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from speaq.apps.forecast.series import notes, parse_series, read_series
from speaq.core.errors import DataError


def table(*rows: str) -> str:
    return "\n".join(rows)


def test_long_tables_of_both_layouts_are_the_same_series():
    rows = [f"a,2024-01-0{day},{day}" for day in range(1, 6)]
    [nixtla] = parse_series(table("unique_id,ds,y", *rows))
    [gluonts] = parse_series(table("item_id,timestamp,target", *rows))
    assert nixtla.values.tolist() == gluonts.values.tolist() == [1, 2, 3, 4, 5]
    assert nixtla.ahead(2) == ["2024-01-06", "2024-01-07"]


def test_a_wide_table_is_a_series_a_column(tmp_path: Path):
    file = tmp_path / "wide.csv"
    file.write_text("date,甲,OT\n2024/1/1 0:00,1,4\n2024/1/1 1:00,2,5\n", encoding="gbk")
    first, second = read_series(file)
    assert (first.name, first.values.tolist()) == ("甲", [1, 2])
    assert second.ahead(1) == ["2024-01-01 02:00:00"]
    assert [each.name for each in read_series(file, ["OT"])] == ["OT"]


def test_rows_may_come_in_any_order():
    [found] = parse_series(table("date,v", "2024-01-03,3", "2024-01-01,1", "2024-01-02,2"))
    assert found.values.tolist() == [1, 2, 3]


def test_months_end_where_months_end():
    rows = ["2024-01-31,1", "2024-02-29,2", "2024-03-31,3", "2024-04-30,4"]
    [found] = parse_series(table("date,v", *rows))
    assert found.filled == 0
    assert found.ahead(2) == ["2024-05-31", "2024-06-30"]


def test_gaps_are_filled_by_straight_lines_and_said():
    rows = [f"2024-01-{day:02},{day}" for day in range(1, 11) if day != 4]
    [found] = parse_series(table("date,v", *rows, "2024-01-11,"))
    assert found.values.tolist() == list(range(1, 11))
    assert found.filled == 1
    [(en, zh)] = notes([found])
    assert "1 missing" in en and "1 个缺失" in zh


def test_a_constant_series_is_said_to_be_one():
    [(en, zh)] = notes(parse_series(table("v", *["7"] * 5)))
    assert "never changes" in en and "从不变化" in zh


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (["date,v", "soon,1"], "row 2, field 'date': expected a date"),
        (["date,v", "2024-02-30,1"], "expected a date"),
        (["date,v", "2024-01-01,1", "2024-01-01,2"], "two values for 2024-01-01"),
        (["date,v", "2024-01-01,one"], "field 'v': expected a number, found 'one'"),
        (["date,v", "2024-01-01,inf"], "infinite"),
        (["date,v", "2024-01-01,", "2024-01-02,"], "holds no number"),
        (["date,v", "2024-01-01,1", "2024-01-02,2", "2099-01-03,3"], "more than can be filled"),
        (
            ["date,v", *(f"2024-01-0{d},1" for d in range(1, 5)), "2024-01-05 07:00,1"],
            "between two of them",
        ),
        (["date", "2024-01-01"], "expected a column of numbers"),
        (["a,b", "1"], "as many values"),
        (["a"], "expected a header and rows"),
    ],
)
def test_what_is_no_series_is_refused(rows, said):
    with pytest.raises(DataError) as refused:
        parse_series(table(*rows))
    assert said in refused.value.en
    assert any("\u4e00" <= letter <= "\u9fff" for letter in refused.value.zh)


def test_a_column_that_is_not_there_is_named():
    with pytest.raises(DataError, match="no series 'w'"):
        parse_series(table("v", "1"), ["w"])


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=30), st.sampled_from([1, 3, 24 * 60]))
def test_an_even_clock_changes_no_number(values, minutes):
    start = np.datetime64("2023-12-30T22:00")
    rows = [
        f"{start + np.timedelta64(minutes * n, 'm')},{value!r}" for n, value in enumerate(values)
    ]
    [found] = parse_series(table("date,v", *rows))
    assert found.values.tolist() == values
    assert found.filled == 0
    following = str(start + np.timedelta64(minutes * len(values), "m")).replace("T", " ")
    assert found.ahead(1)[0].startswith(following.removesuffix(" 00:00"))


def test_a_first_column_that_begins_with_a_date_is_the_clock_whatever_its_name():
    rows = ["Tag,Umsatz", *(f"2024-03-{day:02},{day}" for day in range(1, 6))]
    [series] = parse_series("\n".join(rows))
    assert (series.name, series.ahead(1)) == ("Umsatz", ["2024-03-06"])
    # A number is none, even where it could be read as one.
    assert [each.name for each in parse_series("a,b\n20240301,1\n20240302,2")] == ["a", "b"]
