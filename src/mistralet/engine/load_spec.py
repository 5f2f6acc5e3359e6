"""`LoadSpec`: what another process needs to know to make an engine."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import torch

from mistralet.checkpoint import open_checkpoint
from mistralet.config import Rounding
from mistralet.engine.device import AUTO, choose_device
from mistralet.engine.engine import Engine
from mistralet.engine.kv_library import KVLibrary
from mistralet.engine.load import load
from mistralet.engine.options import EngineOptions
from mistralet.engine.packed_file import Progress
from mistralet.engine.tensor_parallel import Followers, joined_group
from mistralet.errors import UsageError
from mistralet.model.shard import shard_config


@dataclass(frozen=True)
class LoadSpec:
    """A model, and how it is to run. Called, it loads the model."""

    path: Path
    device: str = AUTO  # see `choose_device`
    options: EngineOptions = field(default_factory=EngineOptions)
    draft: Path | None = None  # a model that guesses tokens ahead
    rounding: Rounding | None = None  # what float matrices are rounded to while they are loaded
    tensor_parallel: int = 1  # processes that have the model together
    library_bytes: int | None = None  # that long prompts may take on disk; None: they are not kept there

    def __call__(self, progress: Progress | None = None) -> Engine:
        """Load the model into a new engine.

        Raises:
            ConfigError, CheckpointError, TokenizerError: see `load`.
            UsageError: the draft model does not go with the model, or the model cannot be split so.
            EngineError: the other processes of a group do not come.
        """
        if self.tensor_parallel > 1:
            return self._in_a_group(progress)
        loaded = load(self.path, self.device, progress, rounding=self.rounding)
        return Engine(
            loaded.model,
            loaded.tokenizer,
            self.options,
            name=loaded.identity,
            draft_model=load(self.draft, str(loaded.device)).model if self.draft else None,
            library=KVLibrary(max_bytes=self.library_bytes, model=self.path.name) if self.library_bytes else None,
        )

    def _in_a_group(self, progress: Progress | None) -> Engine:
        if self.draft or self.library_bytes:
            what = "a draft model" if self.draft else "prompts on disk"
            raise UsageError(f"A model in several processes goes without {what}; leave out one of both.")
        # Before anything is started: what cannot be split is refused at once.
        checkpoint = open_checkpoint(self.path)
        shard_config(checkpoint.config, self.tensor_parallel)
        kind = choose_device(self.device, checkpoint, self.rounding, self.tensor_parallel).type
        facts = {"path": str(self.path), "device": kind, "rounding": self.rounding}
        with ExitStack() as stack:
            followers = Followers(facts, self.tensor_parallel)
            stack.callback(followers.close)
            device = torch.device("cuda:0" if kind == "cuda" else "cpu")
            torch.set_num_threads(max(1, torch.get_num_threads() // self.tensor_parallel))
            shard = stack.enter_context(joined_group(0, self.tensor_parallel, followers.port, device))
            loaded = load(self.path, str(device), progress, rounding=self.rounding, shard=shard)
            engine = Engine(loaded.model, loaded.tokenizer, self.options, name=loaded.identity)
            engine.helpers = stack.pop_all()
            return engine
