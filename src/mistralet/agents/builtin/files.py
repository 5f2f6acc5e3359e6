"""`list_files`, `read_file`, `search_files` and, where allowed, `write_file`, within one folder."""

from __future__ import annotations

import fnmatch
import json
import os
import time
from collections.abc import Iterator
from pathlib import PurePath

from mistralet.agents.builtin.folder import Folder, kind_of
from mistralet.agents.builtin.specs import split_write
from mistralet.agents.function_tool import function_tool
from mistralet.agents.tool import AgentTool
from mistralet.errors import ToolError

_LARGEST = 20_000_000  # bytes of a file that is read or searched
_LONGEST = 20_000  # characters that are given of a file
_LONGEST_WRITTEN = 1_000_000  # characters
_MOST_NAMES = 200  # that are listed
_MOST_MATCHES = 100
_MOST_SEARCHED = 50_000  # files
_SECONDS = 20.0  # that a search takes at most
_BEGINNINGS = {
    b"\x89PNG": "a PNG image",
    b"\xff\xd8\xff": "a JPEG image",
    b"GIF8": "a GIF image",
    b"%PDF": "a PDF document",
    b"PK\x03\x04": "a ZIP archive or an office document",
    b"\x1f\x8b": "a gzip archive",
    b"SQLite format 3\x00": "an SQLite database",
    b"\x7fELF": "a program",
    b"GGUF": "model weights",
}


def files_tools(rest: str) -> list[AgentTool]:
    """The tools for `files:FOLDER`, which read, and `files:FOLDER:write`, which write too when a person agrees.

    Raises:
        ToolError: no folder is named, or it does not exist.
    """
    path, may_write = split_write(rest)
    if not path:
        raise ToolError("The tool 'files' needs a folder: files:FOLDER, or files:FOLDER:write.")
    folder = Folder(path)

    def list_files(path: str = ".") -> str:
        """List the files and folders in a folder.

        Args:
            path: the folder, from the top folder on.
        """
        return _list(folder, path)

    def read_file(path: str, first_line: int = 1, last_line: int | None = None) -> str:
        """Read a text file, or some of its lines.

        Args:
            path: the file, from the top folder on.
            first_line: counted from 1.
            last_line: left out, the last one.
        """
        return _read(folder, path, first_line, last_line)

    def search_files(name: str = "*", text: str | None = None) -> str:
        """Find files by name, or lines in files by text, in the folder and all below it.

        Args:
            name: a pattern such as *.py or docs/*.md, in which * is anything.
            text: what a line must hold, capital letters or not; left out, files are found by name alone.
        """
        return _search(folder, name, text)

    def write_file(path: str, content: str) -> str:
        """Write a text file; one that was there is replaced.

        Args:
            path: the file, from the top folder on.
            content: all that the file is to hold.
        """
        if len(content) > _LONGEST_WRITTEN:
            raise ToolError(f"The content has {len(content):,} characters; at most {_LONGEST_WRITTEN:,} are written.")
        data = content.encode("utf-8", errors="replace")
        folder.write(path, data)
        return f"Wrote {len(data):,} bytes to {path}."

    tools = [function_tool(list_files), function_tool(read_file), function_tool(search_files)]
    return tools + [function_tool(write_file, needs_consent=True)] * may_write


def _list(folder: Folder, path: str) -> str:
    place = folder.resolve(path)
    try:
        with os.scandir(folder.root / place) as entries:
            lines = sorted(map(_entry_line, entries))
    except OSError as error:
        raise ToolError(f"'{path}' cannot be listed: {error.strerror}.") from error
    left_out = [f"[{len(lines) - _MOST_NAMES:,} more are left out.]"] if len(lines) > _MOST_NAMES else []
    return "\n".join((lines or ["[The folder is empty.]"])[:_MOST_NAMES] + left_out)


def _entry_line(entry: os.DirEntry[str]) -> str:
    info = entry.stat(follow_symlinks=False)
    kind, name = kind_of(info.st_mode), _on_one_line(entry.name)
    return {"a folder": f"{name}/", "a file": f"{name} ({info.st_size:,} bytes)"}.get(kind, f"{name} ({kind})")


def _on_one_line(name: str) -> str:
    """A name or path, as a JSON string if it holds line breaks or other things that are not seen."""
    return name if name.isprintable() else json.dumps(name)


def _read(folder: Folder, path: str, first: int, last: int | None) -> str:
    lines = _text_of(folder, path).splitlines()
    if first < 1 or (last is not None and last < first):
        raise ToolError("The lines must be counted from 1, and the last one must not be before the first.")
    if lines and first > len(lines):
        raise ToolError(f"'{path}' has {len(lines):,} lines.")
    wanted = lines[first - 1 : last]
    shown, used = [], 0
    for line in wanted:
        if used + len(line) > _LONGEST:
            break
        shown.append(line)
        used += len(line) + 1
    if not shown and wanted:  # one line that is too long: its beginning
        shown = [wanted[0][:_LONGEST] + f" [the line has {len(wanted[0]):,} characters]"]
    end = first + len(shown) - 1
    note = [] if len(shown) == len(lines) else [f"[Lines {first:,} to {end:,} of {len(lines):,}.]"]
    return "\n".join(shown + note) or "[The file is empty.]"


def _text_of(folder: Folder, path: str) -> str:
    with folder.opened(path) as descriptor, open(descriptor, "rb", closefd=False) as file:
        data = file.read(_LARGEST + 1)
    if len(data) > _LARGEST:
        raise ToolError(f"'{path}' is larger than {_LARGEST:,} bytes and is not read.")
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16", errors="replace")
    if kind := _binary_kind(data[:8192]):
        raise ToolError(f"'{path}' is {kind} and cannot be read as text.")
    return data.decode("utf-8-sig", errors="replace")


def _binary_kind(beginning: bytes) -> str | None:
    for bytes_, kind in _BEGINNINGS.items():
        if beginning.startswith(bytes_):
            return kind
    return "binary" if 0 in beginning else None


def _search(folder: Folder, name: str, text: str | None) -> str:
    if len(name) > 200 or (text is not None and not 0 < len(text) <= 1000):
        raise ToolError("A name has at most 200 characters, and a text 1 to 1,000.")
    found: list[str] = []
    for path in _files_below(folder, name, time.monotonic() + _SECONDS):
        if path is None:
            found.append("[Not all was searched: it takes too long. Search for a narrower name.]")
            break
        found += [_on_one_line(path)] if text is None else _matching_lines(folder, path, text.lower())
        if len(found) > _MOST_MATCHES:
            return "\n".join([*found[:_MOST_MATCHES], "[There are more; only the first are shown.]"])
    return "\n".join(found) or "[Nothing is found.]"


def _files_below(folder: Folder, pattern: str, until: float) -> Iterator[str | None]:
    """Paths of files, links not followed, in an order that stays the same; None when it goes on for too long."""
    seen = 0
    patterns = {pattern, pattern.replace("**/", "")}
    for parent, folders, names in os.walk(folder.root):
        folders.sort()
        for name in sorted(names):
            seen += 1
            if seen > _MOST_SEARCHED or time.monotonic() > until:
                yield None
                return
            path = (PurePath(parent) / name).relative_to(folder.root).as_posix()
            if any(fnmatch.fnmatchcase(path if "/" in wanted else name, wanted) for wanted in patterns):
                yield path


def _matching_lines(folder: Folder, path: str, text: str) -> list[str]:
    try:
        lines = _text_of(folder, path).splitlines()
    except ToolError:  # binary, too large, a link that leads out, or gone meanwhile
        return []
    hits = ((number, line) for number, line in enumerate(lines, 1) if text in line.lower())
    return [f"{_on_one_line(path)}:{number}: {line.strip()[:300]}" for number, line in hits][: _MOST_MATCHES + 1]
