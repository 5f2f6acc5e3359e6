"""How much of a model survives each weight format's arithmetic, here and in llama.cpp.

For every format, a file of the stand-in's real weights is made. Three read the same text with it: PyTorch in float32 on
the dequantised weights, which is exact; mistralet as users run it; llama.cpp, in a Python that has llama-cpp-python:

    python -m bench.quality --peer-python PATH/bin/python

The exit code is 1 if mistralet is worse than llama.cpp in some format by more than noise.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from rich.console import Console
from rich.table import Table
from torch import Tensor

from bench.quality_figures import NEGLIGIBLE, NOISE, Excess, Reading, excess, perplexity, reading
from bench.quality_formats import FLOAT_FORMATS
from bench.quality_model import FloatModel, float_model, widen, write_gguf
from mistralet import __version__
from mistralet.checkpoint import Checkpoint, open_checkpoint
from mistralet.config import KVType
from mistralet.engine.load import load_tokenizer, load_weights
from mistralet.errors import MistraletError, UsageError
from mistralet.files import write_atomically
from mistralet.hub.tiny import tiny_path
from mistralet.machine import available_cpus
from mistralet.model import ForwardBatch, KVCache, MistralSmall
from mistralet.ops import blocks_for
from mistralet.quant import FORMATS
from mistralet.tokenizer import encode_raw

ROOT = Path(__file__).parent.parent
TEXT = ROOT / "tests" / "text" / "varied.txt"
# Rows of a cache's type instead of a weight format: the weights are float32 then.
KV_ROWS = {f"KV {kv_type}".upper(): kv_type for kv_type in (KVType.FLOAT16, KVType.INT8, KVType.INT4, KVType.FP8)}
ALL_FORMATS = (*FORMATS, *FLOAT_FORMATS, *KV_ROWS)
# The quick form, which the tests repeat: the first layers, the commonest tokens, the text without all others.
QUICK_LAYERS, QUICK_VOCABULARY, QUICK_TOKENS = 2, 4096, 384
_WIDTH = 108  # characters that the table takes
_CHUNK = 512  # tokens that go through the model together

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@dataclass(frozen=True)
class Subject:
    """What is measured: a model in floats, and a text for it."""

    model: FloatModel
    ids: list[int]


@dataclass(frozen=True)
class FormatQuality:
    """The readings of one text with one file."""

    exact_perplexity: float
    mistralet: Reading
    llama_cpp: Reading | None = None  # not asked

    @property
    def excess(self) -> Excess | None:
        """How much more mistralet diverges than llama.cpp."""
        return None if self.llama_cpp is None else excess(self.mistralet.divergences, self.llama_cpp.divergences)


def subject(tiny: Path, quick: bool = False) -> Subject:
    """The stand-in's weights, widened for every format, and the text; `quick`: a slice of both."""
    checkpoint = open_checkpoint(tiny)
    tokenizer = load_tokenizer(checkpoint)
    ids = encode_raw(tokenizer, TEXT.read_text(encoding="utf-8"))
    if not quick:
        return Subject(widen(float_model(checkpoint)), ids)
    model = widen(float_model(checkpoint, QUICK_LAYERS, QUICK_VOCABULARY))
    return Subject(model, [token for token in ids if token < QUICK_VOCABULARY][:QUICK_TOKENS])


def measure(subject: Subject, weight_format: str, folder: Path, peer: Path | None = None) -> FormatQuality:
    """Write the model's file in a format to `folder` (and remove it again), and read the text with it."""
    kv_type = KV_ROWS.get(weight_format)
    path = folder / f"{weight_format}.gguf"
    try:
        write_gguf(subject.model, path, "F32" if kv_type else weight_format)
        checkpoint = open_checkpoint(path)
        exact = exact_scores(checkpoint, subject.ids)
        ours = reading(exact, mistralet_scores(checkpoint, subject.ids, kv_type or KVType.FLOAT16), subject.ids)
        theirs = (
            None if peer is None or kv_type else reading(exact, llama_cpp_scores(peer, path, subject.ids), subject.ids)
        )
    finally:
        path.unlink(missing_ok=True)
    return FormatQuality(perplexity(exact, subject.ids), ours, theirs)


def exact_scores(checkpoint: Checkpoint, ids: list[int]) -> Tensor:
    """Scores after each token, float32 `[tokens, vocab_size]`: PyTorch, all in float32."""
    model = load_weights(checkpoint, torch.device("cpu"), torch.float32, use_native=False)
    return next_token_scores(model, ids, KVType.FLOAT32)


def mistralet_scores(checkpoint: Checkpoint, ids: list[int], kv_type: KVType = KVType.FLOAT16) -> Tensor:
    """Scores after each token, float32 `[tokens, vocab_size]`: the model as users run it."""
    return next_token_scores(load_weights(checkpoint, torch.device("cpu")), ids, kv_type)


def next_token_scores(model: MistralSmall, ids: list[int], kv_type: KVType) -> Tensor:
    """Scores after each token of one sequence, float32 `[tokens, vocab_size]`."""
    cache = KVCache(model.config, kv_type, torch.device("cpu"), blocks_for(len(ids)))
    with torch.inference_mode():
        chunks = [(start, ids[start : start + _CHUNK]) for start in range(0, len(ids), _CHUNK)]
        batches = (ForwardBatch.alone(chunk, start) for start, chunk in chunks)
        return torch.cat([model.logits(model(batch, cache)) for batch in batches])


def llama_cpp_scores(peer: Path, path: Path, ids: list[int]) -> Tensor:
    """Scores after each token, float32 `[tokens, vocab_size]`: llama.cpp, run by the Python `peer`.

    Raises:
        UsageError: it cannot be run there.
    """
    import numpy as np

    scores = path.with_suffix(".npy")
    try:
        job = {"model": str(path), "ids": ids, "threads": available_cpus(), "scores": str(scores)}
        ask_peer(peer, "-m", "bench.quality_llama_cpp", line=json.dumps(job))
        return torch.from_numpy(np.load(scores))
    finally:
        scores.unlink(missing_ok=True)


def llama_cpp_version(peer: Path) -> str:
    """The version of llama-cpp-python that the Python `peer` has. Raises `UsageError` if it has none."""
    return ask_peer(peer, "-c", "import llama_cpp; print(llama_cpp.__version__)").strip()


def ask_peer(peer: Path, *arguments: str, line: str = "") -> str:
    """What the Python `peer` prints, run with `arguments` and one line to read. Raises `UsageError` if it fails."""
    try:
        result = subprocess.run(
            [peer, *arguments], input=f"{line}\n", capture_output=True, text=True, check=False, cwd=ROOT
        )
    except OSError as error:
        raise UsageError(f"{peer}: cannot be run ({error.strerror}); name a Python with --peer-python.") from error
    if result.returncode != 0:
        reason = (result.stderr.strip().splitlines() or [f"exit code {result.returncode}"])[-1].rstrip(".")
        raise UsageError(
            f"{peer}: llama.cpp failed there ({reason}); install llama-cpp-python there, or leave out --peer-python."
        )
    return result.stdout


@app.command()
def main(
    peer_python: Annotated[
        Path | None, typer.Option(help="A Python that has llama-cpp-python; without it only mistralet is measured.")
    ] = None,
    formats: Annotated[str, typer.Option(help="Formats to measure, with commas between them.")] = ",".join(ALL_FORMATS),
    quick: Annotated[bool, typer.Option("--quick", help="Two layers and part of the text, in a minute.")] = False,
    json_path: Annotated[Path | None, typer.Option("--json", help="Write every figure to this file, too.")] = None,
) -> None:
    """What each weight format's arithmetic costs in quality, in mistralet and in llama.cpp."""
    try:
        chosen = _parse_formats(formats)
        peer_name = None if peer_python is None else f"llama-cpp-python {llama_cpp_version(peer_python)}"
        measured = subject(tiny_path(), quick)
        results = dict(_measure_each(measured, chosen, peer_python))
        if json_path is not None:
            _write_json(json_path, measured, results, peer_name)
    except MistraletError as error:
        typer.echo(f"bench.quality: {error}", err=True)
        raise typer.Exit(2) from error
    shown = table(measured, results, peer_name)
    # A narrow window wraps lines; cut figures would say nothing.
    Console(width=max(Console().width, _WIDTH), highlight=False).print(shown)
    if any(result.excess is not None and not result.excess.is_noise for result in results.values()):
        raise typer.Exit(1)


def _parse_formats(text: str) -> list[str]:
    names = [name.strip().upper() for name in text.split(",") if name.strip()]
    for name in names:
        if name not in ALL_FORMATS:
            raise UsageError(f"'{name}' is no format to measure; take some of {', '.join(ALL_FORMATS)}.")
    return names


def _measure_each(measured: Subject, formats: list[str], peer: Path | None) -> Iterator[tuple[str, FormatQuality]]:
    console = Console(stderr=True)
    with tempfile.TemporaryDirectory(prefix="mistralet-quality-") as folder, console.status("") as status:
        for index, weight_format in enumerate(formats):
            status.update(f"Measuring {weight_format} ({index + 1} of {len(formats)})…")
            yield weight_format, measure(measured, weight_format, Path(folder), peer)


def table(measured: Subject, results: dict[str, FormatQuality], peer_name: str | None) -> Table:
    """The figures, one format a line; theirs, llama.cpp's, stay empty where it was not asked."""
    config = measured.model.config
    programs = " and ".join(filter(None, [f"mistralet {__version__}", peer_name]))
    shown = Table(
        title=f"{programs}; {config.num_hidden_layers} layers of the stand-in, {len(measured.ids)} tokens",
        caption="KL: mean divergence from exact arithmetic on the same file, in thousandths of a nat. Excess: that of "
        f"mistralet over llama.cpp's, with its standard error; up to {NOISE:g} of these, or {_millinats(NEGLIGIBLE)}, "
        "is noise. Perplexity: of the text. Top-1: how often the likeliest token is the exact one.",
        box=None,
        padding=(0, 2, 0, 0),
    )
    shown.add_column("\nformat", no_wrap=True)
    for heading in _HEADINGS:
        shown.add_column(heading, justify="right", no_wrap=True)
    for weight_format, result in results.items():
        shown.add_row(weight_format, *_row(result))
    return shown


_HEADINGS = (
    "KL\nours",
    "\ntheirs",
    "\nexcess",
    "perplexity\nexact",
    "\nours",
    "\ntheirs",
    "top-1\nours",
    "\ntheirs",
    "no worse?\n",
)


def _row(result: FormatQuality) -> list[str]:
    ours, theirs, difference = result.mistralet, result.llama_cpp, result.excess
    return [
        _millinats(ours.divergence),
        "" if theirs is None else _millinats(theirs.divergence),
        "" if difference is None else f"{1e3 * difference.mean:+.3f} ± {1e3 * difference.standard_error:.3f}",
        f"{result.exact_perplexity:.3f}",
        f"{ours.perplexity:.3f}",
        "" if theirs is None else f"{theirs.perplexity:.3f}",
        f"{ours.top_1:.1%}",
        "" if theirs is None else f"{theirs.top_1:.1%}",
        "" if difference is None else "yes" if difference.is_noise else "no",
    ]


def _millinats(divergence: float) -> str:
    return f"{1e3 * divergence:.3f}"


def _write_json(path: Path, measured: Subject, results: dict[str, FormatQuality], peer_name: str | None) -> None:
    config = measured.model.config
    record = {
        "made_with": [f"mistralet {__version__}", *filter(None, [peer_name])],
        "layers": config.num_hidden_layers,
        "vocabulary": config.vocab_size,
        "tokens": len(measured.ids),
        "formats": {name: _as_json(result) for name, result in results.items()},
    }
    try:
        write_atomically(path, (json.dumps(record, separators=(",", ":")).replace('},"', '},\n"') + "\n").encode())
    except OSError as error:
        raise UsageError(f"{path}: cannot be written ({error.strerror}); name another file with --json.") from error


def _as_json(result: FormatQuality) -> dict[str, Any]:
    fields = asdict(result)
    for program in ("mistralet", "llama_cpp"):
        if fields[program] is not None:
            fields[program]["divergences"] = [float(f"{value:.3g}") for value in fields[program]["divergences"]]
    return fields


if __name__ == "__main__":
    app()
