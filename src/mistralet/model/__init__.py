"""The architecture, written to be read: text decoder, vision encoder and projector of Mistral Small 3."""

from mistralet.model.batch import ForwardBatch, ImageRows
from mistralet.model.kv_cache import KVCache
from mistralet.model.mistral import MistralSmall
from mistralet.model.prompt import Prompt, PromptImage
from mistralet.model.shard import ALONE, Shard

__all__ = ["ALONE", "ForwardBatch", "ImageRows", "KVCache", "MistralSmall", "Prompt", "PromptImage", "Shard"]
