"""What office files have in common: archives of XML, which may be bombs."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from typing import Any

from mistralet.documents.readers.unreadable import UnreadableError

_MOST_BYTES = 300 << 20  # of an archive's members, unpacked
_MOST_MEMBERS = 10_000


def opened(data: bytes, open_file: Callable[[io.BytesIO], Any]) -> Any:
    """What a library makes of an archive, which is no bomb.

    Raises:
        UnreadableError: it is one, or is damaged.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = archive.infolist()
        if len(members) > _MOST_MEMBERS or sum(member.file_size for member in members) > _MOST_BYTES:
            raise UnreadableError(f"unpacks to more than {_MOST_BYTES >> 20} MB; give a smaller file")
        return open_file(io.BytesIO(data))
    except (UnreadableError, MemoryError):
        raise
    except Exception as error:  # the libraries raise whatever they stumble over
        raise UnreadableError("cannot be read: it is cut short or damaged; save it again") from error
