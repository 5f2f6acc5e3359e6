"""The program that reads pictures with RapidOCR: gets PNG files and answers with JSON (see `LimitedProgram`)."""

from __future__ import annotations

import io
import json
import os
from functools import cache
from typing import Any

from mistralet.limited_program import answer_with

# Each thread takes memory, and more than these are hardly faster for one page.
_THREADS = min(os.cpu_count() or 1, 8)


def answer(picture: bytes) -> bytes:
    """The lines of a picture, each with the left, top, right and bottom edge of its place in pixels, and its text."""
    told: dict[str, Any]
    try:
        told = {"lines": _lines(picture)}
    except ModuleNotFoundError as error:
        told = {"missing": error.name}
    except Exception as error:  # libraries raise whatever they stumble over
        told = {"failed": repr(error)}
    return json.dumps(told).encode()


def _lines(picture: bytes) -> list[tuple[float, float, float, float, str]]:
    read = _reader()
    import numpy as np
    from PIL import Image

    found = read(np.asarray(Image.open(io.BytesIO(picture)).convert("RGB"))[:, :, ::-1])  # blue, green, red
    if found.boxes is None:
        return []
    lines = []
    for corners, text in zip(found.boxes.tolist(), found.txts, strict=True):
        across, down = [corner[0] for corner in corners], [corner[1] for corner in corners]
        lines.append((min(across), min(down), max(across), max(down), text))
    return lines


@cache
def _reader() -> Any:
    # These take memory for each processor of the machine otherwise; they are told before they are imported.
    os.environ |= dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "OPENCV_FOR_THREADS_NUM"), str(_THREADS))
    from rapidocr import RapidOCR

    threads = {"intra_op_num_threads": _THREADS, "inter_op_num_threads": 1}
    options = {f"EngineConfig.onnxruntime.{name}": count for name, count in threads.items()}
    return RapidOCR(params={"Global.log_level": "critical", **options})


if __name__ == "__main__":
    answer_with(answer, _THREADS)
