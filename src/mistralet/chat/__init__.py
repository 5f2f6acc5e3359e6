"""Conversations with pictures in, token ids and image tensors out."""

from mistralet.chat.format import ChatFormat, chat_format
from mistralet.chat.messages import ImagePart, Message, Part, Role, TextPart

__all__ = [
    "ChatFormat",
    "ImagePart",
    "Message",
    "Part",
    "Role",
    "TextPart",
    "chat_format",
]
