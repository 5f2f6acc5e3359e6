"""E-mails: who wrote what to whom and when, and the names of what is attached; attachments are opened on their own."""

from __future__ import annotations

import email
import email.policy
from email.message import EmailMessage, Message

from mistralet.documents.document import Page
from mistralet.documents.readers.html import html_pages
from mistralet.documents.readers.text import paged
from mistralet.documents.readers.unreadable import Limits, UnreadableError

_HEADERS = ("From", "To", "Cc", "Date", "Subject")
_MOST_PARTS = 1000
_SEPARATORS = str.maketrans("/\\", "__")


def pages(data: bytes, limits: Limits) -> list[Page]:
    """See `readers`."""
    message = _message(data)
    head = "\n".join(f"{name}: {' '.join(str(message[name]).split())}" for name in _HEADERS if message[name])
    texts = _body(message, limits)
    attached = [_name(part, number) for number, part in enumerate(message.iter_attachments(), 1)]
    if attached:
        head += f"\nAttachments: {', '.join(attached)}"
    texts[0] = f"{head}\n\n{texts[0]}".strip()
    limits.check(len(texts), sum(map(len, texts)))
    return [Page(number, text, label="e-mail") for number, text in enumerate(texts, 1)]


def _message(data: bytes) -> EmailMessage:
    """The message, however badly it is put together. Raises `UnreadableError` if there are too many parts."""
    try:
        message = email.message_from_bytes(data, policy=email.policy.default)
        count = sum(1 for _ in message.walk())
    except RecursionError as error:
        raise UnreadableError("is nested too deep; save the attachments one by one") from error
    if count > _MOST_PARTS:
        raise UnreadableError(f"has more than {_MOST_PARTS:,} parts; save the attachments one by one")
    assert isinstance(message, EmailMessage)
    return message


def attachments(data: bytes) -> list[tuple[str, bytes]]:
    """Name and content of what is attached."""
    found = []
    for number, part in enumerate(_message(data).iter_attachments(), 1):
        name = _name(part, number)
        if part.get_content_type() == "message/rfc822":
            inner = part.get_content()
            found.append((name, inner.as_bytes() if isinstance(inner, EmailMessage) else b""))
        else:
            payload = part.get_payload(decode=True)
            found.append((name, payload if isinstance(payload, bytes) else b""))
    return found


def _name(part: Message, number: int) -> str:
    name = " ".join((part.get_filename() or f"attachment-{number}").translate(_SEPARATORS).split())
    is_mail = part.get_content_type() == "message/rfc822" and not name.lower().endswith(".eml")
    return f"{name}.eml" if is_mail else name


def _body(message: EmailMessage, limits: Limits) -> list[str]:
    body = message.get_body(preferencelist=("plain", "html"))
    if body is None:
        return [""]
    try:
        text = body.get_content()
    except (LookupError, UnicodeError):  # an encoding that nobody knows
        payload = body.get_payload(decode=True)
        text = payload.decode("utf-8", "replace") if isinstance(payload, bytes) else ""
    if not isinstance(text, str):
        return [""]
    limits.check(0, len(text))
    text = text.replace("\r\n", "\n")
    if body.get_content_subtype() == "html":
        return [page.text for page in html_pages(text, limits)]
    return paged(text)
