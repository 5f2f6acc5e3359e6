"""Damage on a page of a PDF file that PDFium passes over in silence: it shows nothing there, as on an empty page."""

from __future__ import annotations

import base64
import ctypes
import re
import time
import zlib
from collections.abc import Callable, Iterable
from contextlib import closing
from typing import Any

_DEPTH = 3  # of forms in forms in which pictures are looked for
_DECODED_AT_ONCE = b"JPXDecode"  # a filter that PDFium undoes even to tell what is in it: a quarter of a second a page
_MOST = 1 << 20  # bytes of a page that are looked at; its content stands before its fonts and pictures
_SECONDS = 5.0  # that all pages of a file may take: some bring pictures that PDFium packs before it writes a page
_HEAD = 4096  # bytes of a content in which noise is found
_CONTENTS = re.compile(rb"/Contents[ \[]*((?:\d+ 0 R ?)+)")  # as PDFium writes it
_FILTERS = re.compile(rb"/Filter ?(\[[^\]]*\]|/\w+)")
_NOISE = re.compile(rb"[^\t\n\f\r -~]")


def has_damaged_picture(page: Any) -> bool:
    """Whether a page has pictures, and none of them can be decoded."""
    from pypdfium2 import raw

    there = False
    for picture in page.get_objects(filter=[raw.FPDF_PAGEOBJ_IMAGE], max_depth=_DEPTH):
        there = True
        if not _is_damaged(page, picture):
            return False
    return there


def damaged_contents(document: Any, numbers: Iterable[int]) -> list[int]:
    """Those of some pages, by their numbers, on which PDFium found nothing, though their content says something."""
    end = time.monotonic() + _SECONDS
    return [number for number in numbers if time.monotonic() < end and _has_damaged_content(document, number)]


def _has_damaged_content(document: Any, number: int) -> bool:
    import pypdfium2
    from pypdfium2 import raw

    try:
        with closing(document[number - 1]) as page:
            if raw.FPDFPage_CountObjects(page):
                return False
        file = _written(document, number)
    except pypdfium2.PdfiumError:
        return True
    streams = _contents(file)
    if None in streams:
        return len(file) < _MOST  # else it stands behind what was looked at
    return any(_is_noise(*stream) for stream in streams if stream is not None)


def _is_damaged(page: Any, picture: Any) -> bool:
    from pypdfium2 import raw

    filters = [_filter(picture, place) for place in range(raw.FPDFImageObj_GetImageFilterCount(picture))]
    if _DECODED_AT_ONCE in filters:
        return False
    facts = raw.FPDF_IMAGEOBJ_METADATA()
    return not raw.FPDFImageObj_GetImageMetadata(picture, page, ctypes.byref(facts)) or not facts.bits_per_pixel


def _filter(picture: Any, place: int) -> bytes:
    from pypdfium2 import raw

    name = ctypes.create_string_buffer(32)
    raw.FPDFImageObj_GetImageFilter(picture, place, name, len(name))
    return name.value


def _written(document: Any, number: int) -> bytes:
    """The beginning of a file with that page alone, as PDFium writes it: it shows no content as it stands otherwise."""
    import pypdfium2
    from pypdfium2 import raw

    written = bytearray()

    def write(_: Any, data: Any, size: int) -> bool:
        written.extend(ctypes.string_at(data, size))
        return len(written) < _MOST

    with closing(pypdfium2.PdfDocument.new()) as alone:
        alone.import_pages(document, [number - 1])
        way = raw.FPDF_FILEWRITE(version=1, WriteBlock=dict(raw.FPDF_FILEWRITE._fields_)["WriteBlock"](write))
        raw.FPDF_SaveAsCopy(alone, ctypes.byref(way), raw.FPDF_NO_INCREMENTAL)
    return bytes(written)


def _contents(file: bytes) -> list[tuple[bytes, bytes] | None]:
    """What a page consists of: what is told of each stream, and its bytes; None for an object that is no stream."""
    found = _CONTENTS.search(file)
    streams: list[tuple[bytes, bytes] | None] = []
    for number in re.findall(rb"(\d+) 0 R", found[1] if found else b""):
        stream = re.search(
            rb"\n%b 0 obj\r\n<<((?:(?!endobj).)*?)>>stream\r\n(.*?)\r\nendstream" % number, file, re.DOTALL
        )
        streams.append(stream and (stream[1], stream[2]))
    return streams


def _is_noise(head: bytes, data: bytes) -> bool:
    """Whether a stream does not unpack, or is no content of a page: that is ASCII but for its texts."""
    filters = _FILTERS.search(head)
    for name in re.findall(rb"/(\w+)", filters[1] if filters else b""):
        unpack = _UNPACK.get(name)
        if unpack is None:
            return False
        try:
            data = unpack(data)
        except (ValueError, zlib.error):
            return True
    return bool(_NOISE.search(data[:_HEAD]))


def _from_ascii(data: bytes) -> bytes:
    return base64.a85decode(data.partition(b"~>")[0][:_HEAD])


def _inflated(data: bytes) -> bytes:
    return zlib.decompressobj().decompress(data, _HEAD)


_UNPACK: dict[bytes, Callable[[bytes], bytes]] = {b"ASCII85Decode": _from_ascii, b"FlateDecode": _inflated}
