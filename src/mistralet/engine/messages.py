"""What the two processes of an `AsyncEngine` say to each other, and how it is written down."""

from __future__ import annotations

import copyreg
import io
import pickle
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from torch import Tensor

from mistralet.config import ModelConfig
from mistralet.engine.events import Event
from mistralet.engine.request import Request, StepOutput
from mistralet.errors import MistraletError


@dataclass(frozen=True)
class EngineInfo:
    """What runs in the worker."""

    config: ModelConfig
    context: int  # tokens of prompt and answer together, at most
    kv_tokens: int  # that the cache holds, of all requests
    pid: int


@dataclass(frozen=True)
class Cancel:
    """To the worker: end this request. To run one, the `Request` itself is sent."""

    request_id: str


@dataclass(frozen=True)
class Loading:
    """The model is being loaded."""

    done: int  # bytes
    total: int


@dataclass(frozen=True)
class Loaded:
    """The model is there, and requests are taken."""

    info: EngineInfo


@dataclass(frozen=True)
class NotLoaded:
    """The model cannot be loaded; the worker ends."""

    error: MistraletError


@dataclass(frozen=True)
class Refused:
    """A request cannot run."""

    request_id: str
    error: MistraletError


@dataclass(frozen=True)
class Happened:
    """All that was to tell of a step, or of what was done between two."""

    outputs: Sequence[StepOutput]
    events: Sequence[Event]
    failure: str | None  # what went wrong in the step; it ended all requests that had been begun


ToWorker: TypeAlias = Request | Cancel
FromWorker: TypeAlias = Loading | Loaded | NotLoaded | Refused | Happened


def dump(message: ToWorker | FromWorker) -> memoryview:
    """A message as bytes."""
    buffer = io.BytesIO()
    _Pickler(buffer, pickle.HIGHEST_PROTOCOL).dump(message)
    return buffer.getbuffer()


def load(data: bytes) -> Any:
    """The message that `dump` made bytes of."""
    return pickle.loads(data)


def _as_array(tensor: Tensor) -> tuple[Callable[..., Tensor], tuple[Any]]:
    return torch.from_numpy, (tensor.numpy(),)


class _Pickler(pickle.Pickler):
    # Pictures are copied as they lie. torch's own way would send a file descriptor, which dies with its process.
    dispatch_table = copyreg.dispatch_table | {Tensor: _as_array}
