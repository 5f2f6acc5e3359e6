"""`LoadSpec`: what another process needs to know to make an engine."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from mistralet.config import Rounding
from mistralet.engine.engine import Engine
from mistralet.engine.kv_library import KVLibrary
from mistralet.engine.load import load
from mistralet.engine.options import EngineOptions
from mistralet.engine.packed_file import Progress


@dataclass(frozen=True)
class LoadSpec:
    """A model, and how it is to run. Called, it loads the model."""

    path: Path
    device: str = "cpu"
    options: EngineOptions = field(default_factory=EngineOptions)
    draft: Path | None = None  # a model that guesses tokens ahead
    rounding: Rounding | None = None  # what float matrices are rounded to while they are loaded
    library_bytes: int | None = None  # that long prompts may take on disk; None: they are not kept there

    def __call__(self, progress: Progress | None = None) -> Engine:
        """Load the model into a new engine.

        Raises:
            ConfigError, CheckpointError, TokenizerError: see `load`.
            UsageError: the draft model does not go with the model.
        """
        loaded = load(self.path, self.device, progress, rounding=self.rounding)
        return Engine(
            loaded.model,
            loaded.tokenizer,
            self.options,
            name=loaded.identity,
            draft_model=load(self.draft, self.device).model if self.draft else None,
            library=KVLibrary(max_bytes=self.library_bytes, model=self.path.name) if self.library_bytes else None,
        )
