"""The fields that several endpoints take, under the names OpenAI, vLLM and llama.cpp give them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import fields as fields_of
from typing import Any, Literal, cast

from pydantic import BaseModel, ConfigDict, Field

from mistralet.engine import Constraint, RepetitionParams, SamplingParams
from mistralet.errors import MistraletError, UsageError
from mistralet.server.errors import ApiError, sentence
from mistralet.server.settings import Settings


class Body(BaseModel):
    """A request's body. Fields that are not listed are kept, for a setting says whether they are refused."""

    model_config = ConfigDict(extra="allow", allow_inf_nan=False, protected_namespaces=())

    def refuse_unknown(self, settings: Settings) -> None:
        """Raises `ApiError` if there are fields that mean nothing here, and the settings refuse such."""
        if settings.refuse_unknown_fields and self.model_extra:
            name = sorted(self.model_extra)[0]
            raise ApiError(400, f"The field '{name}' means nothing here; leave it out.", name, "unknown_parameter")


class ModelBody(Body):
    """The body of a request to a model, which it may name."""

    model: str | None = None


class StreamOptions(Body):
    """What a stream tells besides the answer."""

    include_usage: bool | None = None


class StructuredOutputs(Body):
    """vLLM's name for what an answer must fit; one of these."""

    json_: dict[str, Any] | str | bool | None = Field(default=None, alias="json")
    regex: str | None = None
    choice: list[str] | None = None
    grammar: str | None = None
    json_object: bool | None = None


class RepetitionDetection(Body):
    """vLLM's rule against endless answers; see docs/repetition.md."""

    max_pattern_size: int = 0
    min_pattern_size: int = 0
    min_count: int = 0


class SamplingFields(ModelBody):
    """How an answer is to be written; all optional, null is as good as nothing."""

    stream: bool | None = None
    stream_options: StreamOptions | None = None
    user: str | None = None

    n: int | None = None
    seed: int | None = None
    max_tokens: int | None = None
    min_tokens: int | None = None
    stop: str | list[str] | None = None
    stop_token_ids: list[int] | None = None
    ignore_eos: bool | None = None

    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    min_p: float | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    repetition_penalty: float | None = None
    logit_bias: dict[str, float] | None = None
    dry_multiplier: float | None = None
    dry_base: float | None = None
    dry_allowed_length: int | None = None
    dry_penalty_last_n: int | None = None
    dry_sequence_breakers: list[str | int] | None = None
    prompt_logprobs: int | None = None

    response_format: dict[str, Any] | None = None
    structured_outputs: StructuredOutputs | None = None
    guided_json: dict[str, Any] | str | bool | None = None
    guided_regex: str | None = None
    guided_choice: list[str] | None = None
    guided_grammar: str | None = None

    repetition_detection: RepetitionDetection | None = None
    repetition_policy: Literal["off", "stop", "steer"] | None = None
    priority: int | None = None

    @property
    def wants_usage(self) -> bool:
        """Whether a stream is to end with a chunk that tells the tokens."""
        return bool(self.stream_options and self.stream_options.include_usage)


# Fields that have the names and the meanings they have in `SamplingParams`.
_SAME = {each.name for each in fields_of(SamplingParams)} & SamplingFields.model_fields.keys() - {"stop", "logit_bias"}


def sampling_params(
    body: SamplingFields, settings: Settings, max_tokens: int | None, logprobs: int | None
) -> SamplingParams:
    """What a body says of sampling.

    Args:
        max_tokens: of an answer, by whichever name the endpoint has for it; None: what the settings say.
        logprobs: alternatives to tell with each token; None for no logprobs.

    Raises:
        ApiError: a value is out of its range, or of the server's bounds.
    """
    given: dict[str, Any] = {name: getattr(body, name) for name in _SAME if getattr(body, name) is not None}
    stop = [body.stop] if isinstance(body.stop, str) else body.stop or []
    _bound("n", body.n or 0, settings.max_n)
    _bound("stop", len(stop), settings.max_stop, "strings")
    _bound("stop", max(map(len, stop), default=0), settings.max_stop_chars, "characters")
    _bound("logprobs", logprobs or 0, settings.max_logprobs)
    _bound("prompt_logprobs", body.prompt_logprobs or 0, settings.max_logprobs)
    _bound("logit_bias", len(body.logit_bias or ()), settings.max_logit_bias, "tokens")
    if settings.max_tokens is not None:
        _bound("max_tokens", max_tokens or 0, settings.max_tokens)
    if body.top_k == -1:  # vLLM's way to say all
        given["top_k"] = 0
    if body.dry_penalty_last_n is not None:  # llama.cpp's, where -1 is all
        given["dry_range"] = max(0, body.dry_penalty_last_n)
    given |= {
        "stop": stop,
        "logit_bias": {_token_id(key): bias for key, bias in (body.logit_bias or {}).items()},
        "max_tokens": settings.max_tokens if max_tokens is None else max_tokens,
        "logprobs": logprobs,
    }
    try:
        return SamplingParams(**given)
    except UsageError as error:
        raise ApiError(400, str(error), _named(given, str(error)), "invalid_value") from error


def _named(given: Iterable[str], message: str) -> str | None:
    """The field that a message is about."""
    words = set(re.findall(r"\w+", message))
    about_length = "max_tokens" if "tokens" in words else None
    return next((name for name in given if name in words), about_length)


def repetition_params(body: SamplingFields) -> RepetitionParams:
    """What a body says of endless answers. Raises `UsageError` if it contradicts itself."""
    rule = body.repetition_detection or RepetitionDetection()
    policy = {} if body.repetition_policy is None else {"policy": body.repetition_policy}
    return RepetitionParams(
        max_pattern_size=rule.max_pattern_size,
        min_pattern_size=rule.min_pattern_size,
        min_count=rule.min_count,
        **policy,
    )


def answer_schema(body: SamplingFields, settings: Settings) -> dict[str, Any] | bool | None:
    """The JSON schema that a body wants its answer to fit, by whichever name. Raises `ApiError` if it is no schema."""
    structured = body.structured_outputs or StructuredOutputs.model_construct()
    schemas = [
        (name, _parsed(name, schema, settings))
        for name, schema in (
            ("response_format", _schema_of_format(body.response_format)),
            ("structured_outputs.json", structured.json_),
            ("structured_outputs.json_object", {"type": "object"} if structured.json_object else None),
            ("guided_json", body.guided_json),
        )
        if schema is not None
    ]
    for name, schema in schemas:
        check_schema(name, schema, settings)
    others = [name for name, value in _other_constraints(body) if value is not None]
    names = [name for name, _ in schemas] + others
    if len(names) > 1:
        raise ApiError(400, f"Both '{names[0]}' and '{names[1]}' say what the answer must fit; give one.", names[1])
    return schemas[0][1] if schemas else None


def other_constraint(body: SamplingFields, settings: Settings) -> Constraint | None:
    """The regex, grammar or choice that a body wants its answer to fit."""
    for name, value in _other_constraints(body):
        if value is not None:
            size = sum(map(len, value))  # of a text, or of the texts of a list
            _bound(name, size, settings.max_schema_bytes, "characters")
            make = {"regex": Constraint.regex, "choice": Constraint.choice, "grammar": Constraint.lark}
            try:
                return make[name.split("guided_")[-1].split(".")[-1]](value)
            except MistraletError as error:
                raise ApiError(400, sentence(str(error)), name) from error
    return None


def check_schema(name: str, schema: object, settings: Settings) -> None:
    """Raises `ApiError` if a schema is larger or deeper than the settings allow."""
    size, deepest = 0, 0
    waiting: list[tuple[object, int]] = [(schema, 1)]
    while waiting:
        value, depth = waiting.pop()
        deepest = max(deepest, depth)
        if isinstance(value, dict):
            size += sum(len(key) + 6 for key in value)
            waiting += [(part, depth + 1) for part in value.values()]
        elif isinstance(value, list):
            size += 2 * len(value)
            waiting += [(part, depth + 1) for part in value]
        else:
            size += len(value) if isinstance(value, str) else 8
    _bound(name, size, settings.max_schema_bytes, "bytes")
    _bound(name, deepest - 1, settings.max_schema_depth, "levels")


def one_or_several(
    name: str, given: str | list[str] | list[int] | list[list[int]], settings: Settings
) -> Sequence[str | list[int]]:
    """The prompts in a field that may hold one, a text or token ids, or a list of such.

    Raises:
        ApiError: there is none, or there are more than the settings allow.
    """
    is_one = isinstance(given, str) or (given and isinstance(given[0], int))
    prompts = cast("Sequence[str | list[int]]", [given] if is_one else given)
    if not prompts:
        raise ApiError(400, f"The field '{name}' is empty; give a text or token ids.", name)
    check_count(name, prompts, settings.max_prompts, f"{name}s")
    return prompts


def check_count(name: str, items: Sequence[object], most: int, what: str) -> None:
    """Raises `ApiError` if there are more than `most` items in the field `name`."""
    _bound(name, len(items), most, what)


def _bound(name: str, value: int, most: int, what: str = "") -> None:
    if value > most:
        has = f"has {value} {what}, more than the {most}" if what else f"is {value}, more than the {most}"
        raise ApiError(400, f"The field '{name}' {has} that this server allows; ask for less.", name, "too_large")


def _other_constraints(body: SamplingFields) -> list[tuple[str, Any]]:
    structured = body.structured_outputs or StructuredOutputs.model_construct()
    return [
        ("structured_outputs.regex", structured.regex),
        ("structured_outputs.choice", structured.choice),
        ("structured_outputs.grammar", structured.grammar),
        ("guided_regex", body.guided_regex),
        ("guided_choice", body.guided_choice),
        ("guided_grammar", body.guided_grammar),
    ]


def _schema_of_format(response_format: dict[str, Any] | None) -> Any:
    if response_format is None:
        return None
    match response_format:
        case {"type": "text"}:
            return None
        case {"type": "json_object"}:
            return {"type": "object"}
        case {"type": "json_schema", "json_schema": {"schema": dict() | bool() as schema}}:
            return schema
        case {"type": "json_schema"}:
            problem = "has no schema; give it as response_format.json_schema.schema"
            raise ApiError(400, f"The response_format {problem}.", "response_format.json_schema.schema")
    raise ApiError(
        400,
        "The response_format is not known; its type is 'text', 'json_object' or 'json_schema'.",
        "response_format.type",
    )


def _parsed(name: str, schema: Any, settings: Settings) -> Any:
    """A schema, which vLLM also takes as text."""
    if not isinstance(schema, str):
        return schema
    _bound(name, len(schema), settings.max_schema_bytes, "bytes")
    try:
        return json.loads(schema)
    except (ValueError, RecursionError) as error:
        raise ApiError(
            400, f"The field '{name}' is a text, but not that of a JSON schema; correct it.", name
        ) from error


def _token_id(key: str) -> int:
    if not (key.isascii() and key.isdecimal() and len(key) < 10):
        shown = key[:20]
        raise ApiError(400, f"The logit_bias names {shown!r}, which is no token id; give whole numbers.", "logit_bias")
    return int(key)
