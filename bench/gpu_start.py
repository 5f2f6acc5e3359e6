"""Start-up: from checkpoints on disk to a model on the device, beside reading the bytes of the same files."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch

from bench.bars import Chapter, Figure
from bench.gpu_card import Card
from bench.page_cache import forget, read_through, share_in_memory
from bench.report import Row
from mistralet.checkpoint import check, open_checkpoint
from mistralet.engine.load import load_weights
from mistralet.model import MistralSmall


@dataclass(frozen=True)
class Stored:
    """A checkpoint on disk."""

    name: str
    path: Path
    file: Path  # that holds the weights


def start_chapter(checkpoints: Iterable[Stored], card: Card) -> Chapter:
    """Measure with each file out of memory, and in memory."""
    figures, notes = [], [_NOTE]
    for stored in checkpoints:
        nbytes = stored.file.stat().st_size
        for where, prepare in (("on disk", forget), ("in memory", read_through)):
            shares, took = [], []
            for work in (partial(load_on, stored.path, card.device), partial(read_through, stored.file)):
                prepare(stored.file)
                shares.append(share_in_memory(stored.file))
                begun = time.perf_counter()
                work()
                took.append(time.perf_counter() - begun)
            ours, plain = (nbytes / 1e9 / each for each in took)
            name = f"{stored.name}, {nbytes / 1e9:.2f} GB {where} ({took[0]:.2f} s)"
            figures.append(Figure(Row(name, "GB/s", [ours], [plain]), "reading the file"))
            told = " and ".join("?" if share is None else f"{share:.0%}" for share in shares)
            notes.append(f"{stored.name} {where}: {told} of the file were in memory before loading and before reading.")
    if card.device.type != "cuda":
        notes.append("On this device weights stay mapped and are not read here, so these figures say nothing.")
    return Chapter("Loading a slice", figures, notes)


_NOTE = (
    "Once each, until all weights are on the device, the check of the file included; without Python's start, imports, "
    "tokenizer, cache and the compilation of kernels. Codes and scales of Q4_K_M are rearranged on the way."
)


def load_on(path: Path, device: torch.device) -> MistralSmall:
    """The model of a file, all on the device."""
    checkpoint = open_checkpoint(path)
    check(checkpoint)
    # No packed copy: on a CPU it would be written to the user's cache.
    model = load_weights(checkpoint, device, use_native=False)
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return model
