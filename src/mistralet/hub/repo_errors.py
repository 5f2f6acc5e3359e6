"""Hugging Face's errors as plain sentences."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from mistralet.errors import MistraletError, ModelNotFoundError

_REFUSED = "Hugging Face refuses access to {repo}; run 'hf auth login' with a token that may read it."
_STATUS_SENTENCES = {401: _REFUSED, 403: _REFUSED, 429: "Hugging Face asks to slow down; try again in some minutes."}


@contextmanager
def plain_errors(repo: str) -> Iterator[None]:
    """Turn what goes wrong with a repository into a `ModelNotFoundError` that says what to do."""
    try:
        yield
    except MistraletError:
        raise
    except Exception as error:
        sentence = _sentence(error)
        if sentence is None:
            raise
        raise ModelNotFoundError(sentence.format(repo=repo, error=_first_line(error))) from error


def _sentence(error: Exception) -> str | None:
    from huggingface_hub import errors as hub

    # These only report that an earlier error left nothing to return.
    if isinstance(error, (hub.LocalEntryNotFoundError, hub.DryRunError)) and isinstance(error.__cause__, Exception):
        error = error.__cause__
    if _is_disk_full(error):
        return "The disk is full, so {repo} is not whole; make room, or set HF_HOME to a folder on a larger disk."
    # The first that fits counts, so special cases stand before the general ones they derive from.
    sentences: tuple[tuple[type[Exception], str], ...] = (
        (
            hub.OfflineModeIsEnabled,
            "{repo} is not on this machine, and HF_HUB_OFFLINE forbids to download it; unset it.",
        ),
        (
            hub.GatedRepoError,
            "{repo} is gated; accept its licence on its page at Hugging Face, run 'hf auth login', and try again.",
        ),
        (
            hub.RepositoryNotFoundError,
            "There is no repository {repo} on Hugging Face, or it is private; check the name, or run 'hf auth login'.",
        ),
        (hub.HFValidationError, "{repo} cannot be the name of a repository; check the spelling."),
        (hub.HfHubHTTPError, _status_sentence(error)),
        (
            hub.HTTPError,  # type: ignore[attr-defined]  # the HTTP library's own base, under whichever name it goes
            "Hugging Face cannot be reached for {repo}; check the connection, and HF_ENDPOINT if it is set.",
        ),
        # Reading and writing of files, and the library's native downloader, which knows no error of its own.
        (OSError, "{repo} cannot be stored: {error}."),
        (RuntimeError, "The download of {repo} broke off ({error}); try again, files that are whole are kept."),
    )
    return next((sentence for kind, sentence in sentences if isinstance(error, kind)), None)


def _status_sentence(error: Exception) -> str:
    status = getattr(getattr(error, "response", None), "status_code", 0)
    return _STATUS_SENTENCES.get(status, f"Hugging Face answers with status {status} for {{repo}}; try again later.")


def _is_disk_full(error: Exception) -> bool:
    # The native downloader tells it in words only.
    return getattr(error, "errno", None) == errno.ENOSPC or "No space left on device" in str(error)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
