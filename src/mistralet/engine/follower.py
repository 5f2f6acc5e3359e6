"""`python -m mistralet.engine.follower`: one of the processes that have a model together, but not the first."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

import torch

from mistralet.config import Rounding
from mistralet.engine.load import load
from mistralet.engine.tensor_parallel import end_with_parent, follow, joined_group
from mistralet.errors import EngineError


def main(facts: str) -> None:
    """Join a group, load a part of the model and follow; ends when the first process does.

    Args:
        facts: in JSON, what `LoadSpec` says of the model, and "rank", "size" and "port".
    """
    end_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the first process decides
    told = json.loads(facts)
    rank, size = told["rank"], told["size"]
    torch.set_num_threads(max(1, torch.get_num_threads() // size))
    device = torch.device(f"cuda:{rank}" if told["device"] == "cuda" else told["device"])
    rounding = Rounding(told["rounding"]) if told["rounding"] else None
    with joined_group(rank, size, told["port"], device) as shard:
        model = load(Path(told["path"]), str(device), rounding=rounding, shard=shard).model
        try:
            follow(model)
        except EngineError:
            os._exit(1)  # the others are gone, and with them everybody who could be told


if __name__ == "__main__":
    main(sys.argv[1])
