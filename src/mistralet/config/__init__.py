"""What a model is made of, read from any of the three file formats into one frozen `ModelConfig`."""

from mistralet.config.gguf import config_from_gguf
from mistralet.config.hf import config_from_hf
from mistralet.config.kv_type import KVType
from mistralet.config.model import ModelConfig, VisionConfig
from mistralet.config.native import config_from_native
from mistralet.config.quantization import Quantization, Rounding, quantization_of
from mistralet.config.shapes import count_parameters, is_layer_matrix, part_of, tensor_shapes

__all__ = [
    "KVType",
    "ModelConfig",
    "Quantization",
    "Rounding",
    "VisionConfig",
    "config_from_gguf",
    "config_from_hf",
    "config_from_native",
    "count_parameters",
    "is_layer_matrix",
    "part_of",
    "quantization_of",
    "tensor_shapes",
]
