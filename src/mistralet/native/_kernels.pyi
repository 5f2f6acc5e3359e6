# What native/module.cpp offers. Pointers are addresses of contiguous memory; nothing is checked there.

class Matrix:
    def __init__(self, ggml_type: int, data: int, rows: int) -> None: ...

class LayerCache:
    def __init__(
        self, kv_type: int, keys: int, values: int, key_scales: int, value_scales: int, kv_heads: int, head_dim: int
    ) -> None: ...

class Batch:
    def __init__(self, slots: int, tokens: int, causal: bool) -> None: ...
    def add(self, first_token: int, tokens: int, context: int, blocks: int) -> None: ...

def instruction_sets() -> list[str]: ...
def configure(threads: int, instruction_set: str) -> None: ...
def populate(address: int, nbytes: int) -> None: ...
def packed_bytes(ggml_type: int, rows: int, columns: int) -> int: ...
def pack(ggml_type: int, source: int, rows: int, columns: int, target: int) -> None: ...
def linear(
    matrices: list[Matrix],
    outs: list[int],
    x: int,
    tokens: int,
    columns: int,
    norm_weight: int,
    eps: float,
) -> None: ...
def rotate_and_store(
    query: int, key: int, value: int, rotations: int, heads: int, cache: LayerCache, batch: Batch
) -> None: ...
def attend(query: int, heads: int, scale: float, cache: LayerCache, batch: Batch, out: int) -> None: ...
def attention_block(
    x: int,
    columns: int,
    norm_weight: int,
    eps: float,
    query: Matrix,
    key: Matrix,
    value: Matrix,
    output: Matrix,
    rotations: int,
    scale: float,
    cache: LayerCache,
    batch: Batch,
) -> None: ...
def feed_forward_block(
    x: int, tokens: int, columns: int, norm_weight: int, eps: float, gate: Matrix, up: Matrix, down: Matrix
) -> None: ...
def sample(scores: int, vocab: int, rows: bytes, alternatives: int) -> list[tuple[int, int, float]]: ...
