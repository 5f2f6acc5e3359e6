"""How much of the processors others took while something was measured: what makes a figure worth less."""

from __future__ import annotations

import time

import psutil


class Neighbours:
    """Counts from when it is made."""

    def __init__(self) -> None:
        self._begun, self._others = time.perf_counter(), _others()

    def share(self) -> float:
        """The part of all processors that programs other than this one and those it started took, 0 to 1.

        What a host takes from a virtual machine counts, too.
        """
        seconds = time.perf_counter() - self._begun
        return min(1.0, max(0.0, _others() - self._others) / (seconds * (psutil.cpu_count() or 1)))


def _others() -> float:
    """Seconds of all processors since the machine's start that others were busy."""
    everything = psutil.cpu_times()._asdict()
    busy = sum(seconds for name, seconds in everything.items() if name not in {"idle", "iowait", "guest", "guest_nice"})
    own = psutil.Process().cpu_times()._asdict()  # with that of programs it started, once they have ended
    return float(busy - sum(own.get(name, 0.0) for name in ("user", "system", "children_user", "children_system")))
