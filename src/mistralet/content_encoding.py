"""Decompression of what a web server sends, in pieces of bounded size (RFC 9110, section 8.4.1)."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence

_MOST_ENCODINGS = 2  # one upon the other
_PIECE = 1 << 20  # bytes


class Decoder:
    """What was compressed with gzip or deflate, as it comes."""

    def __init__(self, is_gzip: bool) -> None:
        self._is_gzip = is_gzip
        self._stream: zlib._Decompress | None = None  # from the first byte to the end of what is compressed

    @property
    def is_at_end(self) -> bool:
        """Whether nothing is missing; nothing at all is complete."""
        return self._stream is None

    def decompress(self, data: bytes) -> Iterator[bytes]:
        """Pieces of what was compressed.

        Raises:
            ValueError: it is damaged.
        """
        try:
            while data:
                self._stream = self._stream or self._begin(data)
                if piece := self._stream.decompress(data, _PIECE):
                    yield piece
                data = self._stream.unconsumed_tail
                if self._stream.eof:  # a second gzip file may follow (RFC 1952, section 2.2)
                    data, self._stream = self._stream.unused_data, None
        except zlib.error as error:
            raise ValueError("damaged") from error

    def _begin(self, data: bytes) -> zlib._Decompress:
        if self._is_gzip:
            return zlib.decompressobj(16 + zlib.MAX_WBITS)
        # Some servers leave the frame of deflate out, which begins with its method, 8 (RFC 1950, section 2.2).
        return zlib.decompressobj(zlib.MAX_WBITS if data[0] & 0x0F == 8 else -zlib.MAX_WBITS)


def decoders_of(content_encoding: str) -> list[Decoder]:
    """What undoes the encodings that a header names, in the order in which it must be done.

    Raises:
        ValueError: one is neither gzip nor deflate, or there are too many.
    """
    names = [name.strip().lower() for name in content_encoding.split(",")]
    names = [name for name in names if name not in ("", "identity")]
    if len(names) > _MOST_ENCODINGS or not {"gzip", "x-gzip", "deflate"}.issuperset(names):
        raise ValueError(f"encodings that are not known: {content_encoding[:100]}")
    return [Decoder(name != "deflate") for name in reversed(names)]


def decompressed(data: bytes, decoders: Sequence[Decoder]) -> Iterator[bytes]:
    """Pieces of what comes, undone by all decoders."""
    if not decoders:
        yield data
        return
    for piece in decoders[0].decompress(data):
        yield from decompressed(piece, decoders[1:])
