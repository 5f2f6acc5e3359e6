"""Readers: a file of each kind to pages. They run in a process of their own (`program.py`), for files are strangers'.

Every reader has `pages(data, limits)`; those of kinds that have places also `words(data, number)` and `picture(data,
number, side)`. They raise `UnreadableError`, of a single page that is damaged `DamagedPageError`; `pages` then goes on,
and says of such a page why it is `unread`.
"""
