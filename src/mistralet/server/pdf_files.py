"""PDF files in a conversation: each becomes the text of its pages and, for a model with vision, their pictures."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from mistralet.chat.data_url import decoded_size
from mistralet.server.errors import ApiError
from mistralet.server.pdf_pages import Page, PdfError, read_pdf
from mistralet.server.service import Service

Part = dict[str, Any]


async def with_pages(service: Service, messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Messages in OpenAI's JSON with the pages of files in place of the files. Raises `ApiError` for a bad one."""
    if not any(_is_file(part) for message in messages for part in _parts(message)):
        return messages
    told = []
    pages_left = service.settings.max_pages
    for index, message in enumerate(messages):
        parts: list[Any] = []
        for number, part in enumerate(_parts(message)):
            if _is_file(part):
                pages = await _pages(service, part, f"messages[{index}].content[{number}]", pages_left)
                pages_left -= sum(each["type"] == "text" for each in pages)
                parts += pages
            else:
                parts.append(part)
        told.append(message | {"content": parts} if parts else message)
    return told


def file_part(name: object, data: object) -> Part:
    """A file in OpenAI's JSON."""
    return {"type": "file", "file": {"filename": name, "file_data": data}}


def _parts(message: dict[str, Any]) -> list[Any]:
    content = message.get("content")
    return content if isinstance(content, list) else []


def _is_file(part: object) -> bool:
    return isinstance(part, dict) and part.get("type") == "file"


async def _pages(service: Service, part: Part, place: str, max_pages: int) -> list[Part]:
    file = part.get("file")
    name = file.get("filename") if isinstance(file, dict) else None
    shown = name[:100] if isinstance(name, str) and name else "the file"
    data = _data(file, place, service.settings.max_file_bytes)
    vision = service.engine.info.config.vision
    side = None if vision is None else vision.image_size
    try:
        async with service.readers:
            pages = await read_pdf(data, max_pages, side)
        if vision is None and not any(page.text for page in pages):
            raise PdfError("holds pictures of text only, and this model reads no pictures; send the text itself")
    except PdfError as error:
        raise ApiError(400, f"{shown[:1].upper()}{shown[1:]} {error}.", place) from error
    parts: list[Part] = []
    for number, page in enumerate(pages, start=1):
        text = page.text or _instead(page, vision is not None)
        parts.append({"type": "text", "text": f"[{shown}, page {number} of {len(pages)}]\n{text}\n"})
        if page.picture is not None:
            parts.append({"type": "image_url", "image_url": {"url": page.picture}})
    return parts


def _instead(page: Page, reads_pictures: bool) -> str:
    """What a model is told of a page without text."""
    if page.is_damaged:
        return "[This page is damaged and could not be read.]"
    return "" if reads_pictures else "[This page is a picture, which this model does not read.]"


def _data(file: object, place: str, max_bytes: int) -> bytes:
    given = file.get("file_data") if isinstance(file, dict) else None
    if not isinstance(given, str) or not given:
        raise ApiError(400, f"{place} has no file_data; send the PDF file in it, as a data: URL.", place)
    head, comma, encoded = given.partition(",")
    if not comma:
        head, encoded = "data:application/pdf;base64", given
    if head.lower() != "data:application/pdf;base64":
        raise ApiError(400, f"{place} is no PDF file as data:application/pdf;base64,...; send one.", place)
    if decoded_size(encoded) > max_bytes:
        raise ApiError(400, f"{place} has more than {max_bytes} bytes; send a smaller file.", place)
    try:
        return base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ApiError(400, f"The base64 of {place} is damaged; encode the file again.", place) from error
