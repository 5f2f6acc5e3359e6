"""`current_time` and `days_between`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from mistralet.agents.builtin import clock
from mistralet.errors import ToolError
from support.tool_calls import call


@pytest.fixture(autouse=True)
def _stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "_now", lambda: datetime(2024, 12, 30, 23, 30, 5, tzinfo=UTC))


@pytest.mark.parametrize(
    ("zone", "expected"),
    [
        ("UTC", ("2024-12-30", "23:30:05", "Monday", "2025-W01", "+0000")),
        ("Europe/Paris", ("2024-12-31", "00:30:05", "Tuesday", "2025-W01", "+0100")),
        ("America/New_York", ("2024-12-30", "18:30:05", "Monday", "2025-W01", "-0500")),
        ("Asia/Kathmandu", ("2024-12-31", "05:15:05", "Tuesday", "2025-W01", "+0545")),
    ],
)
def test_now_in_a_zone(zone: str, expected: tuple[str, ...]) -> None:
    told = call("time", "current_time", time_zone=zone)
    assert tuple(told[key] for key in ("date", "time", "weekday", "iso_week", "utc_offset")) == expected
    assert told["time_zone"] == zone


def test_without_a_zone_it_is_that_of_this_computer() -> None:
    local = datetime(2024, 12, 30, 23, 30, 5, tzinfo=UTC).astimezone()
    assert call("time", "current_time")["utc_offset"] == f"{local:%z}"


@pytest.mark.parametrize(
    ("zone", "said"),
    [
        ("paris", "did you mean Europe/Paris"),
        ("New York", "did you mean America/New_York?"),
        ("../../etc/passwd", "name it as in Europe/Paris"),
        ("/etc/passwd", "no time zone"),
        ("", "no time zone"),
        ("a\0b", "no time zone"),
        ("x" * 10_000, "no time zone"),
    ],
)
def test_a_zone_that_is_not_known(zone: str, said: str) -> None:
    with pytest.raises(ToolError, match=said.replace("?", r"\?")) as caught:
        call("time", "current_time", time_zone=zone)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    ("first", "last", "days", "weeks"),
    [
        ("2024-02-28", "2024-03-01", 2, "0 weeks and 2 days"),
        ("2023-02-28", "2023-03-01", 1, "0 weeks and 1 days"),
        ("2024-01-01", "2025-01-01", 366, "52 weeks and 2 days"),
        ("2024-01-15", "2024-01-01", -14, "2 weeks and 0 days"),
    ],
)
def test_days_between(first: str, last: str, days: int, weeks: str) -> None:
    told = call("time", "days_between", first=first, last=last)
    assert (told["days"], told["weeks_and_days"]) == (days, weeks)


@pytest.mark.parametrize("wrong", ["2024-02-30", "yesterday", "", 10**30])
def test_no_date(wrong: Any) -> None:
    with pytest.raises(ToolError, match="first"):
        call("time", "days_between", first=wrong, last="2024-01-01")
