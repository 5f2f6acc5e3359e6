"""Models on disk: where they are, what they hold, and one reader per format, all giving the same canonical names."""

from mistralet.checkpoint.base import Checkpoint, Problem, StoredTensor, check, find_problems
from mistralet.checkpoint.locate import open_checkpoint

__all__ = ["Checkpoint", "Problem", "StoredTensor", "check", "find_problems", "open_checkpoint"]
