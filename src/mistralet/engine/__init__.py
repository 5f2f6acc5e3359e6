"""Runs a model: loading, the cache of past tokens, sampling."""

from mistralet.engine.engine import Engine, Generation, GenerationStats
from mistralet.engine.load import LoadedModel, load
from mistralet.engine.sampling import SamplingParams

__all__ = ["Engine", "Generation", "GenerationStats", "LoadedModel", "SamplingParams", "load"]
