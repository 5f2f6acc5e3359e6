"""mistralet: Mistral Small 3 on your own machine.

Its rooms, upwards: `config`; `quant`, `ops`; `model`, `checkpoint`, `tokenizer`, `hub`; `engine`, `chat`; `cli`.
"""

__version__ = "0.1.0"
