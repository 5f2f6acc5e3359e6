"""Compiles the Triton kernels for cards that are not there, as a program of its own: `gpu_compiler.py CAPABILITY`.

Each wrapper of the kernels is called once for each of its cases; its launches become compilations for that card.
Prints a line for each kernel: its name, the bytes of registers that did not fit, and its shared memory.
"""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
import triton
import triton.backends.nvidia
from triton.backends.compiler import GPUTarget
from triton.backends.driver import DriverBase
from triton.runtime.jit import JITFunction

from mistralet import ops
from mistralet.config import KVType, Rounding
from mistralet.ops import LayerCache, PagedBatch, Span
from mistralet.ops import triton as kernels
from mistralet.quant import Encoding, ScaledTensor, round_weight

CPU = torch.device("cpu")
COLUMNS = 5120
TOOLS = Path(triton.backends.nvidia.__file__).parent / "bin"


class AbsentCard(DriverBase):
    """What the compiler asks of a card."""

    def __init__(self, capability: int) -> None:
        self.capability = capability

    @classmethod
    def is_active(cls) -> bool:
        return True

    def get_current_target(self) -> GPUTarget:
        return GPUTarget("cuda", self.capability, 32)

    def get_current_device(self) -> int:
        return 0

    def get_current_stream(self, _device: int) -> int:
        return 0

    def get_active_torch_device(self) -> torch.device:
        return CPU

    def get_device_interface(self) -> Any:
        return torch

    def map_python_to_cpp_type(self, name: str) -> str:
        return name

    def get_benchmarker(self) -> Any:
        raise NotImplementedError

    def get_empty_cache_for_benchmark(self) -> Any:
        raise NotImplementedError


def compile_instead_of_running() -> None:
    run = JITFunction.run

    def compiled(self: Any, *args: Any, **kwargs: Any) -> Any:
        kernel = run(self, *args, **(kwargs | {"warmup": True}))
        with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
            file.write(kernel.asm["cubin"])
            file.flush()
            usage = subprocess.run(
                [TOOLS / "cuobjdump", "--dump-resource-usage", file.name], capture_output=True, text=True, check=True
            ).stdout
        spilled = re.search(r"STACK:(\d+)", usage)
        assert spilled, usage
        print(self.__name__, spilled[1], kernel.metadata.shared, flush=True)
        return kernel

    JITFunction.run = compiled


def bfloat16(*shape: int) -> torch.Tensor:
    return torch.zeros(shape, dtype=torch.bfloat16)


def products() -> None:
    some, dequantize = (
        getattr(importlib.import_module(f"mistralet.ops.triton.{name}"), name) for name in ("some_tokens", "dequantize")
    )
    weights = [round_weight(torch.randn(128, COLUMNS), rounding) for rounding in Rounding]
    packed = torch.zeros(128, COLUMNS // 2, dtype=torch.uint8)
    scales = torch.ones(128, COLUMNS // 32)
    weights += [
        ScaledTensor(Encoding.NF4, packed, scales[:, ::2].contiguous()),
        ScaledTensor(Encoding.INT4, packed, scales, scales),
        ScaledTensor(Encoding.INT8, torch.zeros(128, COLUMNS, dtype=torch.int8), scales),
    ]
    for weight in weights:
        for tokens in (1, 64):
            some(bfloat16(tokens, COLUMNS), weight, bfloat16(tokens, 128))
        dequantize(weight, torch.bfloat16)


def the_rest() -> None:
    importlib.import_module("mistralet.ops.triton.float8").round_tokens(bfloat16(2, COLUMNS))
    kernels.rms_norm(bfloat16(2, COLUMNS), bfloat16(COLUMNS), 1e-5)
    kernels.swiglu(bfloat16(2, COLUMNS), bfloat16(2, COLUMNS))
    tables = PagedBatch([Span(1, 100, torch.arange(4, dtype=torch.int32))]).tables_on(CPU)
    rotations = ops.rotary_table(tables.positions, 128, 1e9)
    for kv_type in (KVType.BFLOAT16, KVType.INT8, KVType.FP8):
        cache = LayerCache.empty(4, 8, 128, kv_type)
        query = kernels.rotate_and_store(
            bfloat16(1, 32, 128), bfloat16(1, 8, 128), bfloat16(1, 8, 128), rotations, cache, tables
        )
        # Lengths have 64 bits in steps that are recorded.
        for contexts in (tables.contexts, tables.contexts.long()):
            kernels.decode_attention(query, cache, replace(tables, contexts=contexts))


def main(capability: int) -> None:
    triton.runtime.driver.set_active(AbsentCard(capability))
    compile_instead_of_running()
    # As on a card, which these tensors are not on.
    some_tokens = importlib.import_module("mistralet.ops.triton.some_tokens")
    some_tokens._pairs = lambda _x, weight: some_tokens.Pairs.ASSEMBLY if weight.encoding is Encoding.INT4 else None
    if capability < 89:
        for name in ("codes", "decode_attention"):
            module = importlib.import_module(f"mistralet.ops.triton.{name}")
            module.float8_name = lambda _device: "fp8_by_bits"
    products()
    the_rest()


if __name__ == "__main__":
    main(int(sys.argv[1]))
