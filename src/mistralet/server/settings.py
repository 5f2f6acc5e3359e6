"""`Settings`: everything that may be chosen about a server, and every bound it holds its callers to."""

# ruff: noqa: RUF009 - `_setting` is `dataclasses.field`
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from mistralet.config import KVType, Rounding
from mistralet.errors import UsageError


def _setting(default: Any, about: str, *, least: float | None = None) -> Any:
    return field(default=default, metadata={"about": about, "least": least})


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What a server is told; `settings_sources.read_settings` fills it from flags, environment and a file.

    Raises:
        UsageError: a value is out of range, or two contradict each other.
    """

    model: str | None = _setting(None, "a folder, .gguf file, alias or repository id; none: 'tiny'")
    served_name: str | None = _setting(None, "what clients call the model; none: its name here")

    host: str = _setting("127.0.0.1", "address to listen at")
    port: int = _setting(8000, "0 takes one that is free", least=0)
    tls_certificate: Path | None = _setting(None, "PEM file; with it the server speaks HTTPS")
    tls_key: Path | None = _setting(None, "PEM file with the certificate's private key")
    cors_origins: tuple[str, ...] = _setting((), "web pages of these origins may call; '*' is all")

    api_keys: tuple[str, ...] = _setting((), "callers must show one of these")
    api_key_file: Path | None = _setting(None, "more keys, one a line")
    open_to_all: bool = _setting(False, "allow an address other machines reach without any key")

    max_body_bytes: int = _setting(64 << 20, "of a request", least=1)
    max_messages: int = _setting(4096, "of a conversation", least=1)
    max_images: int = _setting(16, "of a request", least=0)
    max_image_bytes: int = _setting(20 << 20, "of one image", least=1)
    max_image_pixels: int = _setting(40_000_000, "of one image", least=1)
    upright_images: bool = _setting(False, "turn photographs as the camera noted; the model's reference does not")
    max_pages: int = _setting(100, "of the PDF files of a request", least=0)
    max_file_bytes: int = _setting(20 << 20, "of one PDF file", least=1)
    max_tools: int = _setting(128, "of a request", least=0)
    max_schema_bytes: int = _setting(64 << 10, "of a schema, regex, grammar or list of choices", least=1)
    max_schema_depth: int = _setting(64, "of objects and lists in each other", least=1)
    max_n: int = _setting(16, "answers to one request", least=1)
    max_prompts: int = _setting(64, "prompts or inputs of one request", least=1)
    max_logprobs: int = _setting(20, "alternatives told with each token", least=0)
    max_tokens: int | None = _setting(None, "longest answer, and that of requests that name none", least=1)
    max_stop: int = _setting(16, "stop strings", least=0)
    max_stop_chars: int = _setting(256, "of one stop string", least=1)
    max_logit_bias: int = _setting(1024, "tokens with a bias", least=0)

    max_requests: int = _setting(256, "that run or wait at once; the next get 429", least=1)
    requests_per_minute: int = _setting(0, "of one key, or of one address where there are no keys; 0: any", least=0)
    refuse_unknown_fields: bool = _setting(False, "refuse requests with fields that mean nothing here")

    fetch_images: bool = _setting(True, "get images from public http and https addresses")
    fetch_seconds: float = _setting(10.0, "that getting one image may take", least=0.1)
    file_folders: tuple[Path, ...] = _setting((), "requests may name image files in these folders")

    otlp_endpoint: str | None = _setting(None, "address of an OpenTelemetry collector that gets traces; none: none")
    log_prompts: bool = _setting(False, "write prompts and answers into the log")
    grace_seconds: float = _setting(30.0, "that requests get to end when the server is told to", least=0)

    quantization: Rounding | None = _setting(None, "round float weights while they are loaded, to fp8 or int4")
    device: str = _setting("auto", "where the model runs: a GPU that holds it, else the CPU; or cpu, or cuda")
    tensor_parallel: int = _setting(1, "processes, each on a GPU of its own, that have the model together", least=1)
    kv_type: KVType | None = _setting(None, "how keys and values of past tokens are stored; none: 16 bits")
    kv_tokens: int | None = _setting(None, "that the cache holds in all; none: by the memory there is", least=1)
    max_sequences: int = _setting(64, "answers that are written at once", least=1)
    draft: str | None = _setting(None, "a small model of the same vocabulary that guesses tokens ahead")
    library_bytes: int | None = _setting(None, "of disk for long prompts, kept between starts; none: none", least=1)

    def __post_init__(self) -> None:
        for each in fields(self):
            value, least = getattr(self, each.name), each.metadata["least"]
            # Written so that a NaN is refused.
            if least is not None and value is not None and not value >= least:
                raise UsageError(f"The setting {each.name} is {value}, but must be at least {least}.")
        if self.port > 65535:
            raise UsageError(f"The setting port is {self.port}, but must be at most 65535.")
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise UsageError("HTTPS takes both, tls_certificate and tls_key; give the other one, too.")
        if not (self.is_local or self.has_keys or self.open_to_all):
            raise UsageError(
                f"Other machines can reach {self.host}, and no key is asked for; give --api-key-file, or --open-to-all."
            )

    @property
    def has_keys(self) -> bool:
        """Whether callers must show a key."""
        return bool(self.api_keys) or self.api_key_file is not None

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach the server."""
        return self.host in ("localhost", "::1") or self.host.startswith("127.")


ABOUT: Mapping[str, str] = {each.name: each.metadata["about"] for each in fields(Settings)}
