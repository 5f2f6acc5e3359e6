"""`QuantizedParts`: the quantised matrices among the tensors of a Hugging Face checkpoint."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mistralet.checkpoint.base import StoredTensor
from mistralet.checkpoint.safetensors_file import FileTensor, TensorReader
from mistralet.checkpoint.scaled import IGNORED_SUFFIXES, SCHEMES, SUFFIXES, Scheme
from mistralet.config import ModelConfig, Quantization, tensor_shapes
from mistralet.errors import CheckpointError

if TYPE_CHECKING:
    from mistralet.quant import ScaledTensor


@dataclass(frozen=True)
class QuantizedParts:
    """Quantised matrices, and the tensors that make each up."""

    tensors: dict[str, StoredTensor]  # by canonical name; a matrix with all its parts is one tensor
    names: frozenset[str]  # of all parts, as they are stored
    _parts: dict[str, dict[str, FileTensor]]  # by canonical name and suffix
    _schemes: dict[str, Scheme]  # by canonical name
    _quantization: Quantization | None

    @classmethod
    def among(
        cls,
        headers: Mapping[str, FileTensor],
        quantization: Quantization | None,
        config: ModelConfig,
        canonical_name: Callable[[str], str | None],
    ) -> QuantizedParts:
        """Those among the tensors of a checkpoint; none if it is not quantised."""
        found = cls({}, frozenset(), {}, {}, quantization)
        if quantization is None:
            return found
        expected = tensor_shapes(config)
        names: set[str] = set()
        for module, parts in _by_module(headers).items():
            names |= {parts[suffix].name for suffix in IGNORED_SUFFIXES if suffix in parts}
            name = canonical_name(f"{module}.weight")
            scheme = next((each for each in SCHEMES[quantization.method] if each.fits(parts)), None)
            if scheme is None or name is None or name not in expected or name in found.tensors:
                continue
            codes = parts[scheme.codes]
            found.tensors[name] = StoredTensor(
                name,
                codes.name,
                codes.file,
                scheme.shape(parts, expected[name]),
                scheme.name,
                sum(part.nbytes for part in parts.values()),
            )
            found._parts[name] = parts
            found._schemes[name] = scheme
            names |= {part.name for part in parts.values()}
        return cls(found.tensors, frozenset(names), found._parts, found._schemes, quantization)

    def read(self, tensor: StoredTensor, reader: TensorReader) -> ScaledTensor:
        """One matrix.

        Raises:
            CheckpointError: its parts contradict each other.
        """
        assert self._quantization is not None
        parts = {suffix: reader.read(part.file, part.name) for suffix, part in self._parts[tensor.name].items()}
        try:
            return self._schemes[tensor.name].assemble(parts, tensor.shape, self._quantization)
        except (ValueError, RuntimeError, KeyError, TypeError, IndexError) as error:
            raise CheckpointError(
                f"{tensor.file}: the parts of '{tensor.stored_name}' do not fit each other; download the model again"
            ) from error


def _by_module(headers: Mapping[str, FileTensor]) -> dict[str, dict[str, FileTensor]]:
    """Tensors by the module they are of, and by what their names end in."""
    modules: dict[str, dict[str, FileTensor]] = defaultdict(dict)
    for name, header in headers.items():
        suffix = next((each for each in SUFFIXES if name.endswith(each)), None)
        if suffix is not None:
            modules[name.removesuffix(suffix)][suffix] = header
    return modules
