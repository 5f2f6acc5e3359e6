"""`current_time` and `days_between`: what a model cannot know, and what it counts wrong."""

from __future__ import annotations

import difflib
import zoneinfo
from datetime import UTC, date, datetime, tzinfo

from mistralet.agents.builtin.specs import require_nothing
from mistralet.agents.function_tool import function_tool
from mistralet.agents.tool import AgentTool
from mistralet.errors import ToolError


def time_tools(rest: str) -> list[AgentTool]:
    """The tools `current_time` and `days_between`; their specification is `time` alone."""
    require_nothing("time", rest)
    return [function_tool(current_time), function_tool(days_between)]


def current_time(time_zone: str | None = None) -> dict[str, str | int]:
    """Tell the date, the time, the weekday and the ISO week of now.

    Args:
        time_zone: a name such as Europe/Paris or UTC; left out, that of this computer.
    """
    now = _now().astimezone(_zone(time_zone))
    week = now.isocalendar()
    return {
        "date": now.date().isoformat(),
        "time": now.strftime("%H:%M:%S"),
        "weekday": f"{now:%A}",
        "iso_week": f"{week.year}-W{week.week:02}",
        "time_zone": time_zone or str(now.tzname()),
        "utc_offset": f"{now:%z}",
    }


def days_between(first: date, last: date) -> dict[str, str | int]:
    """Count the days from one date to another.

    Args:
        first: as 2024-12-31.
        last: as 2024-12-31; the count is negative if it is before the first.
    """
    days = (last - first).days
    weeks, rest = divmod(abs(days), 7)
    return {
        "days": days,
        "weeks_and_days": f"{weeks} weeks and {rest} days",
        "first_weekday": f"{first:%A}",
        "last_weekday": f"{last:%A}",
    }


def _now() -> datetime:
    return datetime.now(UTC)


def _zone(name: str | None) -> tzinfo | None:
    if name is None:
        return None
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ToolError(f"There is no time zone '{name[:50]}'{_likely(name)}") from error


def _likely(name: str) -> str:
    """`; did you mean Europe/Paris?` for `paris`."""
    zones = sorted(zoneinfo.available_timezones())
    by_last = {zone.rpartition("/")[2].lower(): zone for zone in zones} | {zone.lower(): zone for zone in zones}
    near = difflib.get_close_matches(name[:50].lower().replace(" ", "_"), by_last, n=3)
    likely = dict.fromkeys(by_last[key] for key in near)
    return f"; did you mean {' or '.join(likely)}?" if likely else "; name it as in Europe/Paris."
