"""Images that a conversation names by a link: fetched from public addresses, or read from folders that are allowed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from mistralet.errors import MistraletError
from mistralet.server.errors import ApiError, sentence
from mistralet.server.fields import check_count
from mistralet.server.service import Service
from mistralet.server.settings import Settings
from mistralet.web import WebRules, fetch

# Some servers do not know what their files hold.
_KINDS = ("image/*", "application/octet-stream", "binary/octet-stream")


async def linked_images(service: Service, messages: list[dict[str, Any]]) -> dict[str, bytes]:
    """The files of the images that messages in OpenAI's JSON name by a link, by link; not those in data: URLs.

    Raises:
        ApiError: there are too many, or one cannot be had.
    """
    settings = service.settings
    links = dict(_links(messages))
    check_count("messages", list(links), settings.max_images, "images")
    files = await asyncio.gather(*(_read(service, link, place) for link, place in links.items()))
    return dict(zip(links, files, strict=True))


def _links(messages: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    """Each link, and where it stands. What is not of the right shape is for `messages_from_json` to refuse."""
    for index, message in enumerate(messages):
        content = message.get("content")
        for number, part in enumerate(content if isinstance(content, list) else []):
            link = part.get("image_url") if isinstance(part, dict) else None
            url = link.get("url") if isinstance(link, dict) else link
            if isinstance(url, str) and url[:5].lower() != "data:":
                yield url, f"messages[{index}].content[{number}].image_url"


async def _read(service: Service, link: str, place: str) -> bytes:
    settings = service.settings
    try:
        if link[:7].lower() == "http://" or link[:8].lower() == "https://":
            if not settings.fetch_images:
                raise ApiError(400, "This server gets no images from elsewhere; send a data: URL.", place)
            rules = WebRules(content_types=_KINDS, longest=settings.max_image_bytes, seconds=settings.fetch_seconds)
            return (await fetch(link, rules)).body
        return await service.in_thread(lambda: _file(link, place, settings))
    except MistraletError as error:
        raise ApiError(400, sentence(str(error)), place) from error


def _file(link: str, place: str, settings: Settings) -> bytes:
    refusal = ApiError(
        400, "The image is no data:, http: or https: URL, and no file that this server may read; send its data.", place
    )
    try:
        path = Path(unquote(urlsplit(link).path) if link[:7].lower() == "file://" else link).resolve()
        # Resolved on both sides, so that neither '..' nor a symbolic link leads out of a folder.
        if not any(path.is_relative_to(folder.resolve()) for folder in settings.file_folders) or not path.is_file():
            raise refusal
        with path.open("rb") as file:
            return file.read(settings.max_image_bytes + 1)
    except (OSError, ValueError, RuntimeError) as error:  # not ours to read, not a path at all, or links in a circle
        raise refusal from error
