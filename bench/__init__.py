"""How fast mistralet is: beside other programs on the same files, and beside what the machine can do.

Run from the repository root: `python -m bench.cpu --help`.
"""
