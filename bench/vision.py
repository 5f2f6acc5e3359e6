"""How fast the largest picture is encoded: mistralet beside transformers, in turn, and beside the processor's limit.

Both encode the same picture of 1540 x 1540 pixels (12,100 patches, 3,025 tokens) with the same random weights in the
exact shape of Mistral Small 3.1 and 3.2, each in its own process. transformers runs in its fastest setting on this
machine: all are tried first on one layer and a smaller picture. With fewer layers than 24 the whole model's time is
worked out from the arithmetic, and marked so.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median
from typing import IO

import psutil

from bench.runner_vision import Setting, VisionJob, shape_of
from mistralet.errors import MistraletError, UsageError
from mistralet.machine import available_cpus

_SIDE = 1540
_TRIAL_SIDE = 770  # pixels of the picture that settings are compared on
_WHOLE = 24  # layers
_SETTINGS = [
    Setting("transformers", dtype, attention) for dtype in ("float32", "bfloat16") for attention in ("sdpa", "eager")
]


@dataclass(frozen=True)
class VisionRow:
    """One figure of mistralet's and of transformers'; a sample for each round."""

    name: str
    unit: str
    ours: Sequence[float]
    peer: Sequence[float] = ()
    limit: float | None = None  # in the same unit
    lower_is_better: bool = False


class Encoder:
    """A program in its own process, ready to encode."""

    def __init__(self, job: VisionJob) -> None:
        command = [sys.executable, "-m", "bench.runner_vision"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._say(json.dumps(asdict(job)))
        self._hear()

    def __enter__(self) -> Encoder:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def seconds(self) -> float:
        """Of one picture."""
        self._say("")
        return float(self._hear())

    def peak_memory(self) -> int:
        """Bytes; the process ends."""
        self._pipe(self._process.stdin).close()
        self._process.stdin = None
        return int(self._hear())

    def _say(self, line: str) -> None:
        stream = self._pipe(self._process.stdin)
        stream.write(line + "\n")
        stream.flush()

    def _hear(self) -> str:
        line = self._pipe(self._process.stdout).readline()
        if not line:
            raise UsageError("A program has ended before its measurement; what it wrote above says why.")
        return line.strip()

    @staticmethod
    def _pipe(stream: IO[str] | None) -> IO[str]:
        assert stream is not None
        return stream


def run(threads: int, rounds: int, quick: bool, layers: int = _WHOLE) -> list[VisionRow]:
    """Measure.

    Args:
        quick: one layer, one round, and transformers in float32 with sdpa, untried.

    Raises:
        UsageError: a program cannot run here.
    """
    if not 1 <= layers <= _WHOLE:
        raise UsageError(f"The number of layers is {layers}, but must be from 1 to {_WHOLE}.")
    if quick:
        layers, rounds = 1, 1
    trials = [] if quick else try_settings(threads)
    fastest = max(trials, key=lambda row: row.peer[0]).name if trials else _name(_SETTINGS[0])
    setting = next(setting for setting in _SETTINGS if _name(setting) == fastest)
    with tempfile.TemporaryDirectory() as folder:
        limit = fma_limit(Path(folder), threads)
        files = [Path(folder) / name for name in ("ours", "peer", "reference")]
        jobs = [
            VisionJob(setting, threads, layers, _SIDE, str(file))
            for setting, file in zip((Setting("mistralet"), setting), files, strict=False)
        ]
        seconds, memory = _in_turn(jobs, rounds)
        if setting.dtype != "float32":
            with Encoder(replace(jobs[1], setting=_SETTINGS[0], features=str(files[2]))) as encoder:
                encoder.seconds()
                encoder.peak_memory()
        reference = files[2] if setting.dtype != "float32" else files[1]
        cosines = [_cosine(file, reference) for file in files[:2]]
    ours, peer = seconds
    work, whole = gigaflop(layers, _SIDE), gigaflop(_WHOLE, _SIDE)
    title = f"{_SIDE} x {_SIDE} pixels, {layers} layer{'s' if layers > 1 else ''}"
    rows = [VisionRow(title, "s", ours, peer, lower_is_better=True)]
    if layers < _WHOLE:
        scale = whole / work
        whole_ours, whole_peer = ([second * scale for second in of_program] for of_program in seconds)
        rows.append(
            VisionRow(f"all {_WHOLE} layers, scaled from {layers}", "s", whole_ours, whole_peer, lower_is_better=True)
        )
    our_speed, peer_speed = ([work / second for second in of_program] for of_program in seconds)
    return [
        *rows,
        VisionRow(f"arithmetic ({work / 1000:.2f} TFLOP)", "GFLOP/s", our_speed, peer_speed, limit),
        VisionRow("peak memory", "GB", [memory[0] / 1e9], [memory[1] / 1e9], lower_is_better=True),
        VisionRow("least cosine to float32 reference", "", [cosines[0]], [cosines[1]]),
        VisionRow(f"transformers' fastest setting: {fastest}", "", []),
        *trials,
    ]


def try_settings(threads: int) -> list[VisionRow]:
    """transformers' settings on one layer of a smaller picture; those that the large one has no memory for left out."""
    rows = []
    for setting in _SETTINGS:
        if _needed(setting) < psutil.virtual_memory().available:
            with Encoder(VisionJob(setting, threads, 1, _TRIAL_SIDE)) as encoder:
                seconds = encoder.seconds()
            rows.append(VisionRow(_name(setting), "GFLOP/s", [], [gigaflop(1, _TRIAL_SIDE) / seconds]))
    if not rows:
        raise UsageError("There is too little free memory for transformers; close other programs.")
    return rows


def gigaflop(layers: int, side: int) -> float:
    """Arithmetic of encoder and projector for a picture, in 10^9 operations: matrix products and attention."""
    config = shape_of(layers)
    vision = config.vision
    assert vision is not None
    patches, size = (side // vision.patch_size) ** 2, vision.hidden_size
    layer = 2 * patches * (4 * size**2 + 3 * size * vision.intermediate_size) + 4 * patches**2 * size
    convolution = 2 * patches * size * vision.num_channels * vision.patch_size**2
    text = config.hidden_size
    projector = 2 * patches // 4 * (4 * size * size + size * text + text * text)
    return (layers * layer + convolution + projector) / 1e9


def fma_limit(folder: Path, threads: int) -> float:
    """10^9 float32 operations per second that the processor does at most, measured by fma_limit.cpp.

    Raises:
        UsageError: it cannot be compiled.
    """
    source, program = Path(__file__).with_name("fma_limit.cpp"), folder / "fma_limit"
    options = ["-std=c++17", "-O3", "-march=native", "-ffp-contract=fast", "-pthread"]
    try:
        subprocess.run(["c++", *options, source, "-o", program], check=True, capture_output=True)
        return float(subprocess.run([program, str(threads)], check=True, capture_output=True, text=True).stdout)
    except (OSError, subprocess.CalledProcessError) as error:
        raise UsageError(f"The processor's limit cannot be measured ({error}); install a C++ compiler.") from error


def _in_turn(jobs: list[VisionJob], rounds: int) -> tuple[list[list[float]], list[int]]:
    """Seconds of each round and peak memory, by job."""
    with ExitStack() as stack:
        encoders = [stack.enter_context(Encoder(job)) for job in jobs]
        rounds_seconds = [[encoder.seconds() for encoder in encoders] for _ in range(rounds)]
        return [list(seconds) for seconds in zip(*rounds_seconds, strict=True)], [
            encoder.peak_memory() for encoder in encoders
        ]


def _needed(setting: Setting) -> int:
    """Bytes that the large picture takes at least."""
    patches, number = (_SIDE // 14) ** 2, 4 if setting.dtype == "float32" else 2
    if setting.attention == "sdpa":
        return 4 << 30
    return 16 * patches**2 * (2 * number + 4)  # scores, with the mask added, and their softmax in float32


def _name(setting: Setting) -> str:
    return f"{setting.dtype} with {setting.attention} attention"


def _cosine(file: Path, reference: Path) -> float:
    import torch

    rows, expected = torch.load(file).double(), torch.load(reference).double()
    return float(torch.cosine_similarity(rows, expected).min())


def main() -> None:
    """Measure and print the rows."""
    assert __doc__ is not None
    parser = argparse.ArgumentParser(prog="python -m bench.vision", description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=available_cpus())
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--layers", type=int, default=_WHOLE, help="of 24; the time of all is worked out")
    parser.add_argument("--quick", action="store_true", help="one layer, one round")
    arguments = parser.parse_args()
    try:
        rows = run(arguments.threads, arguments.rounds, arguments.quick, arguments.layers)
    except MistraletError as error:
        sys.exit(str(error))
    for row in rows:
        print(_line(row))


def _line(row: VisionRow) -> str:
    ours = f"{median(row.ours):.4g}" if row.ours else ""
    peer = f"{median(row.peer):.4g}" if row.peer else ""
    limit = f"{median(row.ours) / row.limit:.0%} of {row.limit:.0f}" if row.ours and row.limit else ""
    ratio = ""
    if row.ours and row.peer and row.unit:
        quotient = median(row.ours) / median(row.peer)
        ratio = f"{1 / quotient if row.lower_is_better else quotient:.2f}"
    return f"{row.name:<48}{row.unit:>8}{ours:>10}{peer:>10}{ratio:>7}  {limit}".rstrip()


if __name__ == "__main__":
    main()
