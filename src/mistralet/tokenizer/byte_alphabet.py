"""The 256 characters in which a GGUF writes the bytes of its tokens (the alphabet of GPT-2's byte-level BPE)."""

from __future__ import annotations

from mistralet.errors import TokenizerError


def _byte_of_character() -> dict[str, int]:
    """Visible Latin-1 characters stand for their own byte, the others are moved to U+0100 and on, in order."""
    visible = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    moved = [byte for byte in range(256) if byte not in visible]
    return {chr(byte): byte for byte in visible} | {chr(256 + index): byte for index, byte in enumerate(moved)}


_BYTE_OF_CHARACTER = _byte_of_character()


def bytes_of_token(token: str, source: str) -> bytes:
    """The bytes that a token written in the alphabet stands for.

    Raises:
        TokenizerError: `token` has a character outside the alphabet; `source` names the file.
    """
    try:
        return bytes(map(_BYTE_OF_CHARACTER.__getitem__, token))
    except KeyError as error:
        raise TokenizerError(
            f"{source}: the token {token!r} is not written in the byte alphabet of its vocabulary; "
            "the file is damaged, download it again"
        ) from error
