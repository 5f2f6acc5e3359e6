"""A model in several processes: the first runs the engine, the others follow what its model does.

All run the same operations at the same time, each with its part of the weights and of the cache; see `model.shard`.
The followers are processes of their own that end with the first. If one of them dies, the first gets an `EngineError`
in the middle of what it does together with the others.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist

from mistralet.config import KVType
from mistralet.errors import EngineError, UsageError
from mistralet.model import ForwardBatch, KVCache, MistralSmall, Shard

_PATIENCE = 5.0  # seconds that a process gets to end by itself
_LONGEST_START = timedelta(minutes=10)  # loading a model that must come from the disk


def new_cache(model: MistralSmall, kv_type: KVType, blocks: int) -> KVCache:
    """A cache for a model; every process of its group makes one."""
    model.shard.lead("cache", str(kv_type), blocks)
    return KVCache(model.part, kv_type, model.norm.weight.device, blocks)


@torch.inference_mode()
def follow(model: MistralSmall) -> None:
    """Do what the first process does, until it ends.

    Raises:
        EngineError: it has died.
    """
    device = model.norm.weight.device
    cache: KVCache | None = None
    while True:
        kind, facts, tensors = model.shard.told(device)
        match kind:
            case "cache":
                kv_type, blocks = facts
                cache = KVCache(model.part, KVType(kv_type), device, blocks)
            case "forward":
                assert cache is not None
                model(ForwardBatch.of_lists(facts[0], tensors), cache)
            case "score":
                model.score(tensors[0])
            case "encode_images":
                model.encode_images(tensors)
            case "copy_block":
                assert cache is not None
                cache.copy_block(*facts)
            case _:  # "end"
                return


@contextmanager
def joined_group(rank: int, size: int, port: int, device: torch.device) -> Iterator[Shard]:
    """Be one of a group on this machine, meeting at a port of it.

    Raises:
        EngineError: the others do not come.
        UsageError: this process is one of a group already.
    """
    if dist.is_initialized():
        raise UsageError("A process can have a part of one model at a time; close the other engine first.")
    backend = "nccl" if device.type == "cuda" else "gloo"
    if device.type == "cuda":
        torch.cuda.set_device(device)  # or all processes would talk through the first GPU
    try:
        dist.init_process_group(
            backend, init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=size, timeout=_LONGEST_START
        )
    except (RuntimeError, ValueError) as error:
        raise EngineError("The processes of the tensor-parallel group did not find each other; start again.") from error
    try:
        yield Shard(rank, size)
    finally:
        with suppress(RuntimeError):  # of a group of which somebody died
            dist.destroy_process_group()


class Followers:
    """The processes of a group beside this one. They end when this one does."""

    def __init__(self, facts: dict[str, Any], size: int) -> None:
        """
        Args:
            facts: see `mistralet.engine.follower`; rank, size and port are added.
            size: of the whole group.
        """
        self.port = _free_port()
        self._processes = [
            # Its input ends when this process does, however it ends.
            subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "mistralet.engine.follower",
                    json.dumps(facts | {"rank": rank, "size": size, "port": self.port}),
                ],
                stdin=subprocess.PIPE,
                start_new_session=True,
            )
            for rank in range(1, size)
        ]

    def close(self) -> None:
        """End them."""
        for process in self._processes:
            assert process.stdin is not None
            process.stdin.close()
        for process in self._processes:
            try:
                process.wait(timeout=_PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def end_with_parent() -> None:
    """End this process when its input does: then the one that started it has ended."""

    def watch() -> None:
        while os.read(0, 1):  # not through a file object, whose lock would be held when this process ends by itself
            pass
        os._exit(0)

    threading.Thread(target=watch, daemon=True).start()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
