"""mistralet: Mistral Small 3 on your own machine.

Its rooms, upwards: `config`; `quant`, `ops`; `model`, `checkpoint`, `tokenizer`, `hub`; `engine`, `chat`; `cli`.
"""

import os

__version__ = "0.1.0"

# Before torch is imported: its idle threads would spin on the processors that the native kernels' threads need, which
# cost a third of the speed of reading a prompt.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
