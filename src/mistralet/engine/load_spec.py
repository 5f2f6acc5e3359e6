"""`LoadSpec`: what another process needs to know to make an engine."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from mistralet.engine.engine import Engine
from mistralet.engine.load import load
from mistralet.engine.options import EngineOptions
from mistralet.engine.packed_file import Progress


@dataclass(frozen=True)
class LoadSpec:
    """A model, and how it is to run. Called, it loads the model."""

    path: Path
    device: str = "cpu"
    options: EngineOptions = field(default_factory=EngineOptions)
    name: str = ""  # see `Engine`

    def __call__(self, progress: Progress | None = None) -> Engine:
        """Load the model into a new engine.

        Raises:
            ConfigError, CheckpointError, TokenizerError: see `load`.
        """
        loaded = load(self.path, self.device, progress)
        return Engine(loaded.model, loaded.tokenizer, self.options, self.name)
