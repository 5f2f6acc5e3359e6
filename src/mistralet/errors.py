"""The errors a user can cause. Each message is one sentence that names the thing and the remedy."""

from __future__ import annotations


class MistraletError(Exception):
    """Base of every error shown to a user as a plain sentence (exit code 2, no traceback)."""


class ConfigError(MistraletError):
    """A model's configuration file lacks a key, or holds a value that is unknown or contradicts another."""


class CheckpointError(MistraletError):
    """Weights are damaged, incomplete, of an unsupported type, or do not fit the configuration."""


class ModelNotFoundError(MistraletError):
    """A model name is no path, no alias and no repository, or cannot be downloaded."""


class TokenizerError(MistraletError):
    """A tokenizer is missing, damaged or of an unknown kind."""


class PromptError(MistraletError):
    """A prompt or conversation is empty, out of order, or longer than the model's context."""


class ImageError(MistraletError):
    """An image cannot be read, is too large, or was given to a model without vision."""


class EngineError(MistraletError):
    """A request cannot go on: no token can be chosen for it, or the process of the model died, failed or was closed."""


class UsageError(MistraletError):
    """A command was called with a value it cannot take."""


class ConstraintError(MistraletError):
    """A schema, regex, grammar or list of choices for the answer is invalid, impossible, or too large to hold to."""


class ToolError(MistraletError):
    """A tool's description is invalid, two tools have one name, or what a tool needs cannot be opened."""


class DocumentError(MistraletError):
    """A document cannot be opened or is too large, or a file of results is not that of this work."""


class PageError(DocumentError):
    """A page of a document is damaged; others of it may be read."""


class TranscriptError(MistraletError):
    """A file of an agent's runs is locked, damaged or another program's, or does not hold the run asked for."""


class WebError(MistraletError):
    """Something on the web may not be fetched, does not answer, or is not what was asked for."""
