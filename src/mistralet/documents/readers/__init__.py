"""Readers: a file of each kind to pages. They run in a process of their own (`program.py`), for files are strangers'.

Every reader has `pages(data, limits)`; those of kinds that have places also `words(data, number)` and `picture(data,
number, side)`. They raise `UnreadableError`.
"""
