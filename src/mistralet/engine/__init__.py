"""Runs a model: loading, the cache of past tokens, sampling."""

from mistralet.engine.constraint import Constraint
from mistralet.engine.engine import Engine
from mistralet.engine.load import LoadedModel, load
from mistralet.engine.options import EngineOptions
from mistralet.engine.repetition import RepetitionParams
from mistralet.engine.request import Completion, Request, RequestStats, StepOutput
from mistralet.engine.sampling import SamplingParams

__all__ = [
    "Completion",
    "Constraint",
    "Engine",
    "EngineOptions",
    "LoadedModel",
    "RepetitionParams",
    "Request",
    "RequestStats",
    "SamplingParams",
    "StepOutput",
    "load",
]
