"""A device to measure on: what its memory and units do at most, what room it has, and how work on it is timed."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import TypeVar

import torch

from mistralet.machine import format_bytes, free_ram

Measured = TypeVar("Measured")

_RESERVE = 2 << 30  # bytes: activations, copies of a layer's keys and values, what libraries work with


@dataclass(frozen=True)
class Card:
    """A device, and what was measured of it."""

    device: torch.device
    bandwidth: float  # bytes a second
    rate: float  # operations a second in bfloat16 matrices

    @classmethod
    def measured(cls, device: torch.device) -> Card:
        """The device with its limits, which takes a second."""
        return cls(device, copy_bandwidth(device), matrix_rate(device))

    def facts(self) -> dict[str, str]:
        """In words."""
        name = "cpu"
        if self.device.type == "cuda":
            name = torch.cuda.get_device_name(self.device)
            name += f", {format_bytes(torch.cuda.mem_get_info(self.device)[1])}"
        return {
            "device": name,
            "PyTorch": torch.__version__,
            "limits": f"copying {self.bandwidth / 1e9:,.0f} GB/s, bfloat16 matrices {self.rate / 1e12:,.1f} TFLOP/s, "
            "measured in this run",
        }

    def if_it_fits(self, what: str, nbytes: int, measure: Callable[[], Measured]) -> Measured | str:
        """What `measure` gives; where it takes more memory than there is, a sentence that says so.

        Args:
            what: the sentence's subject.
            nbytes: that are known to be needed. What is not known may still turn out to be too much.
        """
        free = room(self.device)
        if nbytes > free:
            return f"{what}: left out; it takes {format_bytes(nbytes)}, and there is room for {format_bytes(free)}."
        try:
            return measure()
        except torch.OutOfMemoryError:
            pass
        # Not within `except`: the error holds what was allocated.
        return f"{what}: left out; the memory ran out on the way, with room for {format_bytes(free)} at its beginning."


def room(device: torch.device) -> int:
    """Bytes that weights and cache can still take."""
    gc.collect()
    if device.type != "cuda":
        return max(0, free_ram() - _RESERVE)
    torch.cuda.empty_cache()
    free: int = torch.cuda.mem_get_info(device)[0]
    return max(0, free - _RESERVE)


def copy_bandwidth(device: torch.device, nbytes: int = 1 << 30) -> float:
    """Bytes read and written in a second by a copy within the device; reading alone can be as fast."""
    source = torch.ones(nbytes // 4 if device.type == "cuda" else nbytes // 64, device=device)
    target = torch.empty_like(source)
    return 2 * source.nbytes / median(seconds(lambda: target.copy_(source), device, 10))


def matrix_rate(device: torch.device) -> float:
    """Operations in a second of a bfloat16 product of square matrices; a multiplication and an addition are two."""
    size = 8192 if device.type == "cuda" else 512
    a, b = (torch.randn(size, size, device=device, dtype=torch.bfloat16) for _ in range(2))
    return 2 * size**3 / median(seconds(lambda: a @ b, device, 10))


def seconds(
    work: Callable[[], object], device: torch.device, times: int, warm_up: Callable[[], object] | None = None
) -> list[float]:
    """How long some work takes, so many times.

    Args:
        warm_up: comes first and is not counted; none: the work itself, once.
    """

    def wait() -> None:
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    (warm_up or work)()
    samples = []
    for _ in range(times):
        wait()
        begun = time.perf_counter()
        work()
        wait()
        samples.append(time.perf_counter() - begun)
    return samples
