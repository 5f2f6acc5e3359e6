"""How fast the largest picture is encoded: mistralet beside transformers, in turn, and beside the processor's limit.

Both encode the same picture of 1540 x 1540 pixels (12,100 patches, 3,025 tokens) with the same random weights in the
exact shape of Mistral Small 3.1 and 3.2, each in its own process. transformers runs in its fastest setting on this
machine: all are tried first on one layer and a smaller picture. With fewer layers than 24 the whole model's time is
worked out from the arithmetic, and marked so.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import asdict, replace
from pathlib import Path
from typing import IO

import psutil

from bench.report import Row, Section
from bench.runner_vision import Setting, VisionJob, shape_of
from bench.work import picture_operations
from mistralet.errors import UsageError

_SIDE = 1540
_TRIAL_SIDE = 770  # pixels of the picture that settings are compared on
_WHOLE = 24  # layers
_SETTINGS = [
    Setting("transformers", dtype, attention) for dtype in ("float32", "bfloat16") for attention in ("sdpa", "eager")
]


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


def run(threads: int, rounds: int, quick: bool, layers: int | None) -> Section:
    """Measure.

    Args:
        quick: one layer, one round, and transformers in float32 with sdpa, untried.
        layers: of the encoder; all of them for None, or if it has fewer.

    Raises:
        UsageError: a program cannot run here.
    """
    layers, rounds = (1, 1) if quick else (min(layers or _WHOLE, _WHOLE), rounds)
    trials = {} if quick else try_settings(threads)
    setting = max(trials, key=lambda tried: trials[tried], default=_SETTINGS[0])
    with tempfile.TemporaryDirectory() as folder:
        limit = fma_limit(Path(folder), threads)
        files = [Path(folder) / name for name in ("ours", "peer", "reference")]
        jobs = [
            VisionJob(setting, threads, layers, _SIDE, str(file))
            for setting, file in zip((Setting("mistralet"), setting), files, strict=False)
        ]
        seconds, memory = _in_turn(jobs, rounds)
        reference = files[1]
        if setting.dtype != "float32":
            reference = files[2]
            with Encoder(replace(jobs[1], setting=_SETTINGS[0], features=str(reference))) as encoder:
                encoder.seconds()
                encoder.peak_memory()
        cosines = [_cosine(file, reference) for file in files[:2]]
    work, whole = gigaflop(layers, _SIDE), gigaflop(_WHOLE, _SIDE)
    rows = [Row(f"time, {layers} layer{'s' if layers > 1 else ''}", "s", seconds[0], seconds[1], lower_is_better=True)]
    if layers < _WHOLE:
        scaled = [[second * whole / work for second in of_program] for of_program in seconds]
        rows.append(Row(f"time, all {_WHOLE} layers (scaled)", "s", scaled[0], scaled[1], lower_is_better=True))
    speeds = [[work / second for second in of_program] for of_program in seconds]
    return Section(
        f"A picture of {_SIDE} x {_SIDE} through vision encoder and projector (bfloat16 weights)",
        [
            *rows,
            Row(f"arithmetic ({work / 1000:.2f} TFLOP)", "GFLOP/s", speeds[0], speeds[1], limit),
            Row("peak memory", "GB", [memory[0] / 1e9], [memory[1] / 1e9], lower_is_better=True),
        ],
        peer="transformers",
        notes=[
            f"{rounds} round{'s' if rounds > 1 else ''}, in turn, {threads} threads each; transformers in "
            + _name(setting)
            + (", untried against its other settings." if quick else ", its fastest setting here.")
            + "".join(f" {_name(tried)}: {speed:.0f} GFLOP/s." for tried, speed in trials.items()),
            "mistralet rounds the weights to 8 bits, as it does by default.",
            f"The machine's limit is {limit:.0f} GFLOP/s of float32 multiply-adds, measured in this run.",
            f"Least cosine of a feature row to float32: {cosines[0]:.6f} (mistralet), {cosines[1]:.6f} (transformers).",
        ],
        raw={"layers": layers, "seconds": seconds, "peak_memory": memory, "cosines": cosines},
    )


def try_settings(threads: int) -> dict[Setting, float]:
    """transformers' settings on one layer of a smaller picture, in GFLOP/s; where the large one fits, too."""
    speeds = {}
    for setting in _SETTINGS:
        if _needed(setting) < psutil.virtual_memory().available:
            with Encoder(VisionJob(setting, threads, 1, _TRIAL_SIDE)) as encoder:
                speeds[setting] = gigaflop(1, _TRIAL_SIDE) / encoder.seconds()
    if not speeds:
        raise UsageError("There is too little free memory for transformers; close other programs.")
    return speeds


def gigaflop(layers: int, side: int) -> float:
    """Arithmetic of encoder and projector for a picture, in 10^9 operations."""
    return picture_operations(shape_of(layers), side) / 1e9


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
