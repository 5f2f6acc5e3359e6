"""mistralet: Mistral Small 3 on your own machine.

The rooms, from the ground up: `config`; `quant`, `ops`; `model`, `checkpoint`, `tokenizer`; `engine`, `chat`; `cli`.
"""

__version__ = "0.1.0"
