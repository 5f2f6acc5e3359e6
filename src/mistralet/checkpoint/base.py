"""`Checkpoint`: the weights of one model, under canonical names, whatever format they are stored in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from mistralet.config import ModelConfig, tensor_shapes
from mistralet.errors import CheckpointError

if TYPE_CHECKING:
    from torch import Tensor

    from mistralet.quant import QuantizedTensor, ScaledTensor

FLOAT_DTYPES = ("F32", "F16", "BF16")
SCALED_DTYPES = ("FP8", "INT8", "INT", "INT4 (GPTQ)", "INT4 (AWQ)", "NF4")  # names of `scaled.Scheme`


@dataclass(frozen=True)
class StoredTensor:
    """One tensor of a checkpoint."""

    name: str  # canonical
    stored_name: str  # in the file
    file: Path
    shape: tuple[int, ...]
    dtype: str  # "BF16", "Q4_K", ...
    nbytes: int


@dataclass(frozen=True)
class Checkpoint:
    """A model on disk: its configuration and where its tensors lie. Nothing but headers was read."""

    path: Path
    format: Literal["native", "huggingface", "gguf"]
    config: ModelConfig
    tensors: dict[str, StoredTensor]  # by canonical name
    unexpected: tuple[str, ...]  # stored names that have no place in this architecture
    read_stored: Callable[[StoredTensor], Tensor | QuantizedTensor | ScaledTensor] = field(repr=False)
    metadata: dict[str, Any] = field(default_factory=dict, repr=False)  # of a GGUF file, else empty

    def read(self, name: str) -> Tensor | QuantizedTensor | ScaledTensor:
        """The tensor `name`, as it lies: matrices `[out_features, in_features]`, memory-mapped where possible.

        Rows of query and key matrices are in the interleaved rotary order, whatever the file's own order.
        """
        return self.read_stored(self.tensors[name])

    @property
    def nbytes(self) -> int:
        """Bytes of all tensors that have a place in the model."""
        return sum(tensor.nbytes for tensor in self.tensors.values())


@dataclass(frozen=True)
class Problem:
    """One way in which a checkpoint does not fit its configuration."""

    kind: Literal["missing", "unexpected", "wrong shape", "wrong type"]
    tensor: str
    detail: str = ""


def find_problems(checkpoint: Checkpoint) -> list[Problem]:
    """Everything that keeps a checkpoint from being the model its configuration describes; empty if it is sound."""
    expected = tensor_shapes(checkpoint.config)
    problems = [Problem("missing", name) for name in expected if name not in checkpoint.tensors]
    problems += [Problem("unexpected", name) for name in checkpoint.unexpected]
    for name, tensor in checkpoint.tensors.items():
        if name not in expected:
            problems.append(Problem("unexpected", tensor.stored_name))
        elif tensor.shape != expected[name]:
            detail = f"is {list(tensor.shape)}, but the configuration says {list(expected[name])}"
            problems.append(Problem("wrong shape", tensor.stored_name, detail))
        elif not _type_fits(checkpoint, tensor):
            detail = f"is stored as {tensor.dtype}, but must be one of {', '.join(FLOAT_DTYPES)}"
            problems.append(Problem("wrong type", tensor.stored_name, detail))
    return problems


def check(checkpoint: Checkpoint) -> None:
    """Raise `CheckpointError` unless every tensor of the model is there, and no other, with the right shape."""
    problems = find_problems(checkpoint)
    if not problems:
        return
    first = problems[0]
    count = len(problems) - 1
    others = f" (and {count} more problem{'s' if count > 1 else ''})" if count else ""
    what = f"the tensor '{first.tensor}' {first.detail or 'is ' + first.kind}"
    raise CheckpointError(
        f"{checkpoint.path}: {what}{others}; 'mistralet inspect' lists them, download the model again"
    )


def _type_fits(checkpoint: Checkpoint, tensor: StoredTensor) -> bool:
    if tensor.dtype in FLOAT_DTYPES:
        return True
    # Norms and the patch convolution are never quantised.
    is_quantized = checkpoint.format == "gguf" or tensor.dtype in SCALED_DTYPES
    return is_quantized and len(tensor.shape) == 2
