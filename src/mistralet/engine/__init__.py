"""Runs a model: loading, requests and their answers, the cache of past tokens."""

from mistralet.engine.async_engine import AsyncEngine
from mistralet.engine.constraint import Constraint
from mistralet.engine.engine import Engine
from mistralet.engine.kv_library import KVLibrary
from mistralet.engine.load import LoadedModel, load
from mistralet.engine.load_spec import LoadSpec
from mistralet.engine.messages import EngineInfo
from mistralet.engine.options import EngineOptions
from mistralet.engine.progress import progress_bar
from mistralet.engine.repetition import RepetitionParams
from mistralet.engine.request import Completion, Request, RequestStats, StepOutput
from mistralet.engine.sampling import SamplingParams

__all__ = [
    "AsyncEngine",
    "Completion",
    "Constraint",
    "Engine",
    "EngineInfo",
    "EngineOptions",
    "KVLibrary",
    "LoadSpec",
    "LoadedModel",
    "RepetitionParams",
    "Request",
    "RequestStats",
    "SamplingParams",
    "StepOutput",
    "load",
    "progress_bar",
]
