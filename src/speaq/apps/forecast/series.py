"""Tables of numbers over time as series: long and wide, with gaps filled and said so.

    unique_id,ds,y             item_id,timestamp,target       long: a row a value
    date,HUFL,HULL,...,OT      wide: a row a time, a column a series

The first column with a name of times, else the first column if it begins with a date, is the
clock; a table without one is counted in rows.
"""

import csv
import io
import itertools
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from speaq.core.errors import DataError
from speaq.text.files.readers import read_rows

Values = NDArray[np.float64]
LONG = (("unique_id", "ds", "y"), ("item_id", "timestamp", "target"))
"""Name, time and value of the long layouts, as Nixtla and GluonTS write them."""
_TIMES = ("ds", "timestamp", "date", "datetime", "time", "日期", "时间")
_MISSING = {"", "na", "nan", "null", "none", "n/a", "-"}
MOST_FILLED = 0.2
"""Share of a series that may be made up between what was measured."""
_FORMATS = ("%Y/%m/%d %H:%M:%S", "%Y/%m/%d %H:%M", "%Y/%m/%d", "%Y年%m月%d日", "%Y年%m月", "%Y-%m")
Row = tuple[int, Mapping[str, Any]]


@dataclass(frozen=True)
class Series:
    """One series at even steps."""

    name: str
    values: Values
    """(N,) finite numbers, the latest last."""
    times: tuple[datetime, ...] = ()
    """Of each; empty where steps are only counted."""
    filled: int = 0
    """How many values were made up between their neighbours."""

    def ahead(self, steps: int) -> list[str]:
        """The next times as text; +1, +2, ... where steps are only counted."""
        if len(self.times) < 2:
            return [f"+{step}" for step in range(1, steps + 1)]
        step, last = _step(self.times), len(self.times)
        return [_text(step.time(last + number)) for number in range(steps)]

    def clock(self) -> list[str]:
        """The times of the values as text."""
        return [_text(each) for each in self.times] or [str(n) for n in range(len(self.values))]


def read_series(source: Path | str, columns: Sequence[str] = ()) -> list[Series]:
    """The series of a file, in the order in which they are met.

    Args:
        source: a .csv, .tsv, .jsonl, .json or .parquet.
        columns: of a wide table, which to take; none: all with numbers.

    Raises:
        DataError: what is not a table of numbers over time; names row and field.
    """
    return _series(list(read_rows(source)), str(source), columns)


def parse_series(text: str, columns: Sequence[str] = ()) -> list[Series]:
    """As `read_series`, of CSV text.

    Raises:
        DataError: likewise.
    """
    try:
        lines = csv.DictReader(io.StringIO(text.strip()), strict=True)
        rows: list[Row] = [(lines.line_num, record) for record in lines]
    except csv.Error as error:
        raise DataError(
            f"this is not a table ({error}).", f"不是有效的表格（{error}）。", field="csv"
        ) from error
    for row, record in rows:
        if None in record or None in record.values():
            raise DataError(
                "the row has not as many values as the header.",
                "该行的值与表头的列数不符。",
                field="csv",
                row=row,
            )
    return _series(rows, "csv", columns)


def of_numbers(name: str, numbers: Sequence[float | None]) -> Series:
    """A series of plain numbers, None where nothing was measured.

    Raises:
        DataError: none, infinite ones, or too few.
    """
    values = np.array([math.nan if each is None else each for each in numbers], dtype=np.float64)
    if np.isinf(values).any():
        raise DataError("a value is infinite.", "数值为无穷大。", field=name)
    return _filled(name, values, (), "series")


def _series(rows: list[Row], file: str, columns: Sequence[str]) -> list[Series]:
    if not rows:
        raise DataError(
            "expected a header and rows of numbers under it.",
            "应有表头以及其下的数值行。",
            file=file,
        )
    names = list(rows[0][1])
    for layout in LONG:
        if set(layout) <= set(names):
            return _long(rows, file, layout)
    return _wide(rows, file, names, columns)


def _long(rows: list[Row], file: str, layout: tuple[str, str, str]) -> list[Series]:
    name, time, value = layout
    points: dict[str, list[tuple[int, datetime, float]]] = {}
    for row, record in rows:
        moment = _time(record[time], file, row, time)
        number = _number(record[value], file, row, value)
        points.setdefault(str(record[name]), []).append((row, moment, number))
    return [_even(key, found, file, time) for key, found in points.items()]


def _wide(rows: list[Row], file: str, names: list[str], columns: Sequence[str]) -> list[Series]:
    clock = next((each for each in names if each.lower() in _TIMES), None)
    if clock is None and _is_date(rows[0][1][names[0]]):
        clock = names[0]
    unknown = [each for each in columns if each not in names or each == clock]
    if unknown:
        raise DataError(
            f"there is no series '{unknown[0]}' (columns: {', '.join(names)}).",
            f"没有序列“{unknown[0]}”（现有的列：{'、'.join(names)}）。",
            file=file,
        )
    chosen = list(columns) or [each for each in names if each != clock]
    if not chosen:
        raise DataError(
            "expected a column of numbers beside the times.",
            "除时间外还应有一列数值。",
            file=file,
        )
    moments = [_time(record[clock], file, row, clock) for row, record in rows] if clock else []
    found = []
    for column in chosen:
        numbers = [_number(record[column], file, row, column) for row, record in rows]
        if clock is None:
            found.append(_filled(column, np.array(numbers), (), file))
            continue
        lines = [row for row, _ in rows]
        found.append(_even(column, list(zip(lines, moments, numbers, strict=True)), file, clock))
    return found


def _number(value: Any, file: str, row: int, field: str) -> float:
    """A number; nan where nothing was measured."""
    if value is None or (isinstance(value, str) and value.strip().lower() in _MISSING):
        return math.nan
    try:
        number = float(value)
    except (TypeError, ValueError) as error:
        raise DataError(
            f"expected a number, found {str(value)[:40]!r}.",
            f"应为数值，却是 {str(value)[:40]!r}。",
            file=file,
            row=row,
            field=field,
        ) from error
    if math.isinf(number):
        raise DataError("a value is infinite.", "数值为无穷大。", file=file, row=row, field=field)
    return number


def _date(value: Any) -> datetime | None:
    """A moment; None if it is not written as one."""
    if isinstance(value, datetime):
        return value.replace(tzinfo=None)
    text = str(value).strip()
    try:
        return datetime.fromisoformat(text).replace(tzinfo=None)
    except ValueError:
        pass
    for form in _FORMATS:
        try:
            return datetime.strptime(text, form)
        except ValueError:
            continue
    return None


def _is_date(value: Any) -> bool:
    """Whether a column without a telling name holds dates: 20240301 may as well be a number."""
    try:
        float(value)
    except (TypeError, ValueError):
        return _date(value) is not None
    return False


def _time(value: Any, file: str, row: int, field: str) -> datetime:
    moment = _date(value)
    if moment is not None:
        return moment
    text = str(value).strip()
    raise DataError(
        f"expected a date such as 2024-03-01 or 2024-03-01 12:00, found {text[:40]!r}.",
        f"应为 2024-03-01 或 2024-03-01 12:00 这样的日期，却是 {text[:40]!r}。",
        file=file,
        row=row,
        field=field,
    )


def _even(name: str, points: list[tuple[int, datetime, float]], file: str, clock: str) -> Series:
    """A series at even steps: sorted by time, a value at each step, missing ones filled."""
    points = sorted(points, key=lambda each: each[1])
    for (_, before, _), (row, moment, _) in itertools.pairwise(points):
        if moment == before:
            raise DataError(
                f"'{name}' has two values for {_text(moment)}.",
                f"“{name}”在 {_text(moment)} 有两个值。",
                file=file,
                row=row,
                field=clock,
            )
    times = tuple(moment for _, moment, _ in points)
    values = np.array([number for _, _, number in points])
    if len(times) < 2:
        return _filled(name, values, times, file)
    step = _step(times)
    places = [step.number(moment) for moment in times]
    off = [each for each, at in zip(times, places, strict=True) if step.time(at) != each]
    if off:
        raise DataError(
            f"'{name}' does not go in even steps: {_text(off[0])} is between two of them.",
            f"“{name}”的时间间隔不均匀：{_text(off[0])} 落在两个时间点之间。",
            file=file,
            field=clock,
        )
    size = places[-1] + 1
    _require_few(name, size - len(places), size, file)
    even = np.full(size, math.nan)
    even[places] = values
    return _filled(name, even, tuple(step.time(at) for at in range(size)), file)


@dataclass(frozen=True)
class _Step:
    """From one time to the next."""

    first: datetime
    apart: timedelta
    months: int
    """Where steps are months or years, which are of unlike length; else 0."""

    def time(self, number: int) -> datetime:
        """The time so many steps after the first."""
        if self.months:
            return _later(self.first, self.months * number)
        return self.first + self.apart * number

    def number(self, time: datetime) -> int:
        """How many steps a time is after the first, rounded down."""
        if self.months:
            return _between(self.first, time) // self.months
        return (time - self.first) // self.apart


def _step(times: Sequence[datetime]) -> _Step:
    """The usual step of sorted times."""
    apart = Counter(b - a for a, b in itertools.pairwise(times))
    usual = apart.most_common(1)[0][0]
    return _Step(times[0], usual, _months(times) if usual >= timedelta(days=28) else 0)


def _months(times: Sequence[datetime]) -> int:
    """The step in months, if every time is the same day of a month (or the last of it)."""
    gaps = Counter(_between(a, b) for a, b in itertools.pairwise(times))
    step = min(gaps)
    first = times[0]
    even = step > 0 and all(
        _between(first, each) % step == 0 and _later(first, _between(first, each)) == each
        for each in times
    )
    return step if even else 0


def _between(first: datetime, later: datetime) -> int:
    return (later.year - first.year) * 12 + later.month - first.month


def _later(first: datetime, months: int) -> datetime:
    """So many months later; the last day of a month stays the last day."""
    year, month = divmod(first.month - 1 + months, 12)
    turned = first.replace(year=first.year + year, month=month + 1, day=1)
    ends = _month_end(first) == first.day
    last = _month_end(turned)
    return turned.replace(day=last if ends else min(first.day, last))


def _month_end(moment: datetime) -> int:
    return ((moment.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)).day


def _filled(name: str, values: Values, times: tuple[datetime, ...], file: str) -> Series:
    """Straight lines over gaps, if there are few."""
    gaps = np.isnan(values)
    if gaps.all():
        raise DataError(f"'{name}' holds no number.", f"“{name}”中没有数值。", file=file)
    first, last = np.flatnonzero(~gaps)[[0, -1]]
    values, gaps, times = values[first : last + 1], gaps[first : last + 1], times[first : last + 1]
    count = int(gaps.sum())
    _require_few(name, count, len(values), file)
    places = np.arange(len(values))
    whole = np.interp(places, places[~gaps], values[~gaps])
    return Series(name, whole, times, count)


def _require_few(name: str, count: int, size: int, file: str) -> None:
    if count > MOST_FILLED * size:
        raise DataError(
            f"'{name}' lacks {count} of {size} values, more than can be filled in "
            f"({MOST_FILLED:.0%}); name a coarser step or another file.",
            f"“{name}”的 {size} 个值中缺失 {count} 个，超过可补全的比例"
            f"（{MOST_FILLED:.0%}）；请改用更粗的步长或其他文件。",
            file=file,
        )


def _text(moment: datetime) -> str:
    """A date alone at midnight."""
    text = moment.isoformat(sep=" ")
    return text.removesuffix(" 00:00:00")


def notes(series: Iterable[Series]) -> list[tuple[str, str]]:
    """What was mended or is odd, in English and Chinese."""
    found = []
    for each in series:
        if each.filled:
            found.append(
                (
                    f"'{each.name}': {each.filled} missing values were filled by straight lines.",
                    f"“{each.name}”：{each.filled} 个缺失值以直线插补。",
                )
            )
        if np.ptp(each.values) == 0:
            found.append(
                (
                    f"'{each.name}' never changes; its forecast is its value, with no band.",
                    f"“{each.name}”从不变化；预测即为该值，区间宽度为零。",
                )
            )
    return found
