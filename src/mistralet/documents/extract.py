"""`extract`: the fields that a schema names, each with the place that states it and how sure the model was."""

from __future__ import annotations

import json
import math
import time
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import jsonschema

from mistralet.chat import ChatModel, ChatRequest, Message, Part, Reply, ScoredToken, ScoredTokens, TextPart
from mistralet.documents.document import Document, Page
from mistralet.documents.events import FlowEvent, Planned, Progress
from mistralet.documents.json_leaves import Leaf, Scalar, dotted, leaves, leaves_of
from mistralet.documents.locating import locate
from mistralet.documents.quotes import Citation
from mistralet.documents.reading import count_of, page_parts, parts_that_fit, readable
from mistralet.engine.sampling import SamplingParams
from mistralet.errors import DocumentError

Steps = tuple[str | int, ...]  # names and numbers that lead to a value

_INSTRUCTIONS = (
    "You fill in a form from a document, as JSON. Write values exactly as the document states them, dates as "
    "YYYY-MM-DD and numbers without thousands separators where the form wants dates and numbers. "
    "Leave out, or set to null, what the document does not state; never guess."
)


@dataclass(frozen=True)
class Field:
    """A value of the form."""

    path: str  # such as items[0].price
    value: Scalar
    found: bool  # the document states it
    citation: Citation | None
    # The geometric mean of the probabilities of the value's tokens; None where the model does not tell them
    confidence: float | None


@dataclass(frozen=True)
class Extraction:
    """What a document says of a schema's fields."""

    document: str
    value: Any  # fits the schema
    fields: tuple[Field, ...]
    plan: str
    seconds: float


async def extract(
    model: ChatModel, document: Document, schema: dict[str, Any], max_tokens: int = 1000
) -> AsyncGenerator[FlowEvent | Extraction, None]:
    """Fill in a form; the `Extraction` comes last.

    A document beyond the model's context is read in parts, and what these say is put together.

    Raises:
        ConstraintError: an answer cannot be held to the schema.
        DocumentError: the form is longer than `max_tokens`, or the document cannot be read by this model.
    """
    begun = time.perf_counter()
    told = json.dumps(schema, ensure_ascii=False)
    parts = await parts_that_fit(model, document, told, max_tokens)
    count = count_of(readable([document]))
    plan = f"{count}: read at once." if len(parts) == 1 else f"{count}: read in {len(parts)} parts."
    yield Planned(plan)
    forms: list[_Form] = []
    for number, pages in enumerate(parts):
        yield Progress("Reading parts", number, len(parts))
        forms.append(await _filled(model, document, pages, schema, told, max_tokens))
    yield Progress("Reading parts", len(parts), len(parts))
    whole = _merged(forms, schema)
    seconds = time.perf_counter() - begun
    yield Extraction(document.name, whole.value, tuple(whole.fields.values()), plan, seconds)


@dataclass(frozen=True)
class _Form:
    """What some pages say."""

    value: Any
    fields: dict[Steps, Field]


async def _filled(
    model: ChatModel, document: Document, pages: Sequence[Page], schema: dict[str, Any], told: str, max_tokens: int
) -> _Form:
    end = f"Form, as a JSON schema: {told}"
    parts: list[Part] = page_parts([(document, page) for page in pages])
    last = parts.pop()
    parts += [TextPart(last.text + end)] if isinstance(last, TextPart) else [last, TextPart(end)]
    request = ChatRequest([Message("system", _INSTRUCTIONS), Message("user", tuple(parts))], answer_schema=schema)
    params = SamplingParams(temperature=0, max_tokens=max_tokens, logprobs=0)
    reply = Reply()
    tokens: list[ScoredToken] = []
    async for event in model.stream(request, params):
        reply.add(event)
        if isinstance(event, ScoredTokens):
            tokens += event.tokens
    value = _checked(reply, schema, document.name, max_tokens)
    part = replace(document, pages=pages)
    about = _descriptions(schema)
    fields = {leaf.path: _field(part, leaf, reply.text, tokens, about) for leaf in leaves(reply.text)}
    return _Form(value, fields)


def _checked(reply: Reply, schema: dict[str, Any], name: str, max_tokens: int) -> Any:
    if reply.finish.reason == "length":
        raise DocumentError(f"The form of {name} is longer than {max_tokens} tokens; allow more with --max-tokens.")
    try:
        value = json.loads(reply.text)
        jsonschema.validate(value, schema)
    except (ValueError, jsonschema.ValidationError) as error:
        reason = str(error).split("\n", 1)[0]
        raise DocumentError(
            f"The model's form of {name} does not fit the schema ({reason}); try another model."
        ) from error
    return value


def _field(document: Document, leaf: Leaf, text: str, tokens: Sequence[ScoredToken], about: dict[str, str]) -> Field:
    name = next((step for step in reversed(leaf.path) if isinstance(step, str)), "")
    words = f"{_spoken(name)} {about.get(name, '')}"
    citation = locate(document, leaf.value, words)
    return Field(dotted(leaf.path), leaf.value, citation is not None, citation, _confidence(leaf, text, tokens))


def _confidence(leaf: Leaf, text: str, tokens: Sequence[ScoredToken]) -> float | None:
    """The geometric mean of the probabilities of the tokens that a value is made of."""
    start, end = len(text[: leaf.start].encode()), len(text[: leaf.end].encode())
    if sum(len(token.data) for token in tokens) < end or start == end:
        return None
    scores = []
    place = 0
    for token in tokens:
        if place < end and place + len(token.data) > start:
            scores.append(token.logprob)
        place += len(token.data)
    return math.exp(sum(scores) / len(scores))


def _descriptions(schema: Any) -> dict[str, str]:
    """What a schema says of the fields of each name."""
    found: dict[str, str] = {}
    waiting = [schema]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            properties = part.get("properties")
            for name, inner in properties.items() if isinstance(properties, dict) else ():
                if isinstance(inner, dict):
                    found.setdefault(name, f"{inner.get('title', '')} {inner.get('description', '')}")
            waiting += part.values()
        elif isinstance(part, list):
            waiting += part
    return found


def _spoken(name: str) -> str:
    """A field's name as words: `netAmount_eur` is "net Amount eur"."""
    spaced = "".join(f" {letter}" if letter.isupper() else letter for letter in name)
    return spaced.replace("_", " ").replace("-", " ")


def _merged(forms: Sequence[_Form], schema: dict[str, Any]) -> _Form:
    """One form of several: of each field the value that is stated, and the surest of those; lists one after another."""
    if len(forms) == 1:
        return forms[0]
    fields: dict[Steps, Field] = {}
    value = _joined([(form.value, (), form) for form in forms], (), fields)
    if jsonschema.Draft202012Validator(schema).is_valid(value):
        return _Form(value, fields)
    return max(forms, key=lambda form: sum(field.found for field in form.fields.values()))  # put together, none fits


def _joined(values: Sequence[tuple[Any, Steps, _Form]], path: Steps, fields: dict[Steps, Field]) -> Any:
    """What several forms say at one place. Each comes with its path in its own form."""
    there = [each for each in values if each[0] is not None] or list(values)
    if all(isinstance(value, dict) for value, _, _ in there):
        names = dict.fromkeys(name for value, _, _ in there for name in value)
        return {
            name: _joined(
                [(value[name], (*own, name), form) for value, own, form in there if name in value],
                (*path, name),
                fields,
            )
            for name in names
        }
    if all(isinstance(value, list) for value, _, _ in there):
        joined: list[Any] = []
        for value, own, form in there:
            for place, item in enumerate(value):
                if item not in joined:
                    _keep(item, (*own, place), form, (*path, len(joined)), fields)
                    joined.append(item)
        return joined
    value, own, form = max(there, key=lambda each: _weight(each[2].fields.get(each[1])))
    _keep(value, own, form, path, fields)
    return value


def _keep(value: Any, own: Steps, form: _Form, path: Steps, fields: dict[Steps, Field]) -> None:
    for inner, _ in leaves_of(value):
        field = form.fields[own + inner]
        fields[path + inner] = replace(field, path=dotted(path + inner))


def _weight(field: Field | None) -> tuple[bool, float]:
    return (False, 0.0) if field is None else (field.found, field.confidence or 0.0)
