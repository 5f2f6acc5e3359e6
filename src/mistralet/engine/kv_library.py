"""`KVLibrary`: keys and values of long prompts, kept on disk, so that nothing that begins alike is read again.

A prefix is kept in sections of `SECTION` tokens, a file for each. Its name is the digest of all tokens up to the
section's end (and of the model, see `contents`), so prefixes share their beginnings, and a longer one adds only what
is new. A file is a line of JSON that says what it holds, and the tensors of each layer. It is written in one step, and
what is read must have the checksum that the line says; anything else is as good as not there.

A file's time is when it was last used. Of a prefix the beginning counts as used last, so that the end goes first.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import mmap
import os
import time
from collections.abc import Sequence as ListOf
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Lock, Semaphore
from typing import Any

import platformdirs
import torch
from torch import Tensor

from mistralet.engine.contents import root_digest
from mistralet.engine.kv_names import KeptNames
from mistralet.files import require_room, write_atomically
from mistralet.model import KVCache
from mistralet.ops import BLOCK_SIZE

SECTION_BLOCKS = 4
SECTION = SECTION_BLOCKS * BLOCK_SIZE  # tokens
# Prompts shorter than this are read again as fast as they are found.
SHORTEST = 512  # tokens
DEFAULT_BYTES = 20 << 30
_VERSION = 2
_ALIGNMENT = 512
_APART = 1000  # nanoseconds, between the sections of a prefix
LONGEST_HEADER = 1 << 16  # bytes
# Sections that wait to be written, in memory; more are not kept.
_WAITING = 64

log = logging.getLogger(__name__)


class KVLibrary:
    """Sections in a folder, the least lately used of which go first when they take more than `max_bytes`.

    Those of a prefix that is kept under a name stay. Several processes may use one folder.
    """

    def __init__(self, folder: Path | None = None, max_bytes: int = DEFAULT_BYTES, model: str = "") -> None:
        """
        Args:
            folder: by default "kv" in the user's cache folder.
            model: what people call the model whose prompts it will keep.
        """
        self.model = model
        self.folder = folder or platformdirs.user_cache_path("mistralet") / "kv"
        self.max_bytes = max_bytes
        self.names = KeptNames(self.folder)
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="kv-library")
        self._waiting = Semaphore(_WAITING)
        self._pruning = Lock()
        self._complained = False

    def length(self, digests: ListOf[bytes], start: int) -> int:
        """Tokens that are kept of a prefix, from the beginning without a gap; `start` if that is no more.

        Args:
            digests: of the prefixes that end with each block (see `contents.prefix_digests`).
            start: tokens that are there already, whose sections are not looked for.
        """
        section = start // SECTION
        while (section + 1) * SECTION_BLOCKS <= len(digests) and self._path(_key(digests, section)).exists():
            section += 1
        return max(start, section * SECTION)

    def load(self, digests: ListOf[bytes], start: int, end: int, cache: KVCache, blocks: ListOf[int]) -> int:
        """Copy sections into a cache.

        Args:
            start: tokens that are there already.
            end: tokens to have afterwards, of whole sections.
            blocks: where the prefix lies in the cache, from its first token on.

        Returns:
            Tokens that are there now: fewer than `end` if a section was damaged or gone.
        """
        done = start
        now = time.time_ns()
        for section in range(start // SECTION, end // SECTION):
            tensors = self._read(self._path(_key(digests, section)), cache)
            if tensors is None:
                break
            _set_used(self._path(_key(digests, section)), now - section * _APART)
            first = max(section * SECTION_BLOCKS, done // BLOCK_SIZE)
            targets = blocks[first : (section + 1) * SECTION_BLOCKS]
            for target, stored in zip(_tensors(cache), tensors, strict=True):
                target[list(targets)] = stored[SECTION_BLOCKS - len(targets) :].to(target.device)
            done = (section + 1) * SECTION
        return done

    def save(self, digests: ListOf[bytes], cache: KVCache, blocks: ListOf[int], name: str | None = None) -> None:
        """Keep what is new of a prefix; it is copied now and written by another thread.

        Args:
            blocks: where the prefix lies in the cache.
            name: to keep it under, until the name is given to another prefix or removed.
        """
        sections, now = len(digests) // SECTION_BLOCKS, time.time_ns()
        if name is not None:
            self.names.set(name, [_key(digests, section) for section in range(sections)])
        for section in range(sections):
            path = self._path(_key(digests, section))
            if path.exists():
                continue
            if not self._waiting.acquire(blocking=False):
                return
            places = list(blocks[section * SECTION_BLOCKS : (section + 1) * SECTION_BLOCKS])
            used = now - section * _APART
            self._writer.submit(self._write, path, [tensor[places] for tensor in _tensors(cache)], used)

    def flush(self) -> None:
        """Wait until everything is written."""
        self._writer.submit(lambda: None).result()

    def close(self) -> None:
        """Wait until everything is written, and end the thread."""
        self._writer.shutdown()

    @property
    def nbytes(self) -> int:
        """Bytes on the disk."""
        return sum(size for _, size, _ in self._files())

    def prune(self) -> None:
        """Remove the least lately used sections until no more than `max_bytes` are taken."""
        with self._pruning:
            files = sorted(self._files())
            taken, kept = sum(size for _, size, _ in files), self.names.keys()
            for _, size, path in files:
                if taken <= self.max_bytes:
                    return
                if path.stem not in kept:
                    path.unlink(missing_ok=True)
                    taken -= size

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}.kv"

    def _files(self) -> list[tuple[int, int, Path]]:
        """When each was last used, its size and path."""
        files = []
        for path in self.folder.glob("*.kv"):
            try:
                status = path.stat()
            except OSError:
                continue  # removed meanwhile
            files.append((status.st_mtime_ns, status.st_size, path))
        return files

    def _read(self, path: Path, cache: KVCache) -> list[Tensor] | None:
        """The tensors of a section, mapped; None if it is not what it should be, which is told and removed."""
        try:
            with path.open("rb") as file:
                line = file.readline(LONGEST_HEADER)
                # Private, so that torch takes it for memory of its own; nothing is ever written to it.
                data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
            header = json.loads(line)
            checksum = header.pop("sha256")
            header.pop("model")
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, AttributeError, TypeError):
            self._refuse(path)
            return None
        with memoryview(data)[len(line) :] as body:
            is_whole = len(body) == header.get("bytes") and hashlib.sha256(body).hexdigest() == checksum
        if header != _header(path.stem, cache) or not is_whole:
            self._refuse(path)
            return None
        tensors, place = [], len(line)
        for tensor in _tensors(cache):
            count = SECTION_BLOCKS * tensor[0].numel()
            stored = torch.frombuffer(data, dtype=tensor.dtype, count=count, offset=place)
            tensors.append(stored.view(SECTION_BLOCKS, *tensor.shape[1:]))
            place += stored.nbytes
        return tensors

    def _refuse(self, path: Path) -> None:
        log.warning("%s is damaged or not a section of this cache; it is removed, and the text is read again.", path)
        path.unlink(missing_ok=True)

    def _write(self, path: Path, tensors: list[Tensor], used: int) -> None:
        try:
            body = b"".join(tensor.cpu().contiguous().view(torch.uint8).numpy().tobytes() for tensor in tensors)
            facts = _header_of(path.stem, tensors, len(body))
            header = json.dumps(facts | {"model": self.model, "sha256": hashlib.sha256(body).hexdigest()})
            self.folder.mkdir(parents=True, exist_ok=True)
            require_room(self.folder, len(body))
            # Spaces, so that the tensors begin where they can be used as they lie.
            write_atomically(path, header.ljust(-(-len(header) // _ALIGNMENT) * _ALIGNMENT - 1).encode() + b"\n" + body)
            _set_used(path, used)
            self.prune()
        except OSError as error:
            if not self._complained:
                log.warning("%s: prompts cannot be kept (%s); answers go on without.", self.folder, error.strerror)
            self._complained = True
        finally:
            self._waiting.release()


def library_root(identity: str, cache: KVCache) -> bytes:
    """The digest that all prefixes of a model in a cache of this kind begin with."""
    kinds = [f"{tensor.dtype}{tuple(tensor.shape[1:])}" for tensor in cache.layers[0].tensors]
    return root_digest(f"{_VERSION} {identity} {len(cache.layers)} {' '.join(kinds)}")


def _key(digests: ListOf[bytes], section: int) -> str:
    return digests[(section + 1) * SECTION_BLOCKS - 1].hex()


def _set_used(path: Path, time_ns: int) -> None:
    with contextlib.suppress(OSError):  # removed meanwhile
        os.utime(path, ns=(time_ns, time_ns))


def _tensors(cache: KVCache) -> list[Tensor]:
    return [tensor for layer in cache.layers for tensor in layer.tensors]


def _header(key: str, cache: KVCache) -> dict[str, Any]:
    tensors = _tensors(cache)
    return _header_of(key, tensors, SECTION_BLOCKS * sum(tensor[0].nbytes for tensor in tensors))


def _header_of(key: str, tensors: list[Tensor], nbytes: int) -> dict[str, Any]:
    kinds = sorted({str(tensor.dtype) for tensor in tensors})
    return {
        "version": _VERSION,
        "key": key,
        "tokens": SECTION,
        "tensors": len(tensors),
        "types": kinds,
        "bytes": nbytes,
    }
