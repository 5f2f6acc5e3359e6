"""Which token comes next, and where the text ends."""

from mistralet.engine.sampling.dry import sequence_breakers
from mistralet.engine.sampling.params import SamplingParams
from mistralet.engine.sampling.reference import distribution
from mistralet.engine.sampling.row import SamplerRow
from mistralet.engine.sampling.sampled import Sampled
from mistralet.engine.sampling.sampler import Sampler
from mistralet.engine.sampling.stop_strings import StopStrings

__all__ = [
    "Sampled",
    "Sampler",
    "SamplerRow",
    "SamplingParams",
    "StopStrings",
    "distribution",
    "sequence_breakers",
]
