"""Kernels are run by Triton's interpreter, on the CPU."""

import os

os.environ["TRITON_INTERPRET"] = "1"  # before anything imports triton
