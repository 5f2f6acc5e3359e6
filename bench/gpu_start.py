"""Start-up: from a checkpoint on disk to a model on the device, beside reading the bytes of the same file."""

from __future__ import annotations

import time
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


def start_chapter(path: Path, card: Card) -> Chapter:
    """Measure with the file out of memory, and with the file in memory."""
    nbytes = path.stat().st_size
    figures, notes = [], [_NOTE]
    for where, prepare in (("on disk", forget), ("in memory", read_through)):
        shares = []
        took = []
        for work in (partial(load_on, path, card.device), partial(read_through, path)):
            prepare(path)
            shares.append(share_in_memory(path))
            begun = time.perf_counter()
            work()
            took.append(time.perf_counter() - begun)
        ours, plain = (nbytes / 1e9 / each for each in took)
        figures.append(Figure(Row(f"file {where} ({took[0]:.2f} s)", "GB/s", [ours], [plain]), "reading the file"))
        told = " and ".join("?" if share is None else f"{share:.0%}" for share in shares)
        notes.append(f"File {where}: of it {told} were in memory before it was loaded, and before it was read.")
    if card.device.type != "cuda":
        notes.append("On this device weights stay mapped and are not read here, so these figures say nothing.")
    return Chapter(f"Loading {path.name}, {nbytes / 1e9:.2f} GB, once each", figures, notes)


_NOTE = (
    "Until all weights are on the device, the check of the file included; without Python's start, imports, tokenizer, "
    "cache and the compilation of kernels. The file is in Q4_K_M, whose codes and scales are rearranged on the way."
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
