"""About seventy requests that cannot be answered, and what their callers are told."""

# ruff: noqa: E501 - a message stands whole
from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import Any

from support.pictures import as_bytes, noise

COMPLETION, CHAT = "/v1/completions", "/v1/chat/completions"
RESPONSE, MESSAGE, EMBEDDING = "/v1/responses", "/v1/messages", "/v1/embeddings"
USER = [{"role": "user", "content": "hello"}]


@dataclass(frozen=True)
class Bad:
    """A request, and its refusal."""

    name: str
    path: str
    body: Any
    status: int = 400
    message: str = ""
    param: str | None = None
    code: str | None = None
    method: str = "POST"
    raw: bytes | None = None  # in place of the body as JSON
    headers: dict[str, str] = field(default_factory=dict)


def image(url: str) -> list[dict[str, Any]]:
    return [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]}]


def data_url(data: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(data).decode()}"


def completion(**fields: Any) -> dict[str, Any]:
    return {"prompt": "hello", **fields}


def chat(**fields: Any) -> dict[str, Any]:
    return {"messages": USER, **fields}


def tool(**fields: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": "f", **fields}}


def nested(depth: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(depth):
        schema = {"type": "object", "properties": {"a": schema}}
    return schema


BAD = [
    # Not even a request
    Bad(
        "no such address",
        "/v1/nothing",
        {},
        status=404,
        message="There is nothing at this address; docs/server.md lists all.",
    ),
    Bad(
        "wrong method",
        CHAT,
        None,
        method="GET",
        status=405,
        message="This address does not take this method; use POST.",
    ),
    Bad(
        "wrong method for a model",
        "/v1/models",
        {},
        status=405,
        message="This address does not take this method; use GET.",
    ),
    Bad("no body", CHAT, None, raw=b"", message="The body is empty; send a JSON object."),
    Bad(
        "not JSON",
        CHAT,
        None,
        raw=b"{not json",
        message="The body is not JSON: Expecting property name enclosed in double quotes at character 1.",
    ),
    Bad(
        "no object",
        CHAT,
        [1, 2],
        message="The body is no JSON object; send one, with 'Content-Type: application/json'.",
    ),
    Bad(
        "a text", CHAT, "hello", message="The body is no JSON object; send one, with 'Content-Type: application/json'."
    ),
    Bad(
        "not UTF-8",
        CHAT,
        None,
        raw=b'{"messages": "\xff"}',
        message="The body cannot be read; send JSON in UTF-8, not nested too deeply.",
    ),
    Bad(
        "not said to be JSON",
        CHAT,
        None,
        raw=b"{}",
        headers={"Content-Type": "text/plain"},
        message="The body is no JSON object; send one, with 'Content-Type: application/json'.",
    ),
    Bad(
        "nested without end",
        CHAT,
        None,
        raw=b'{"messages":' + b"[" * 80_000 + b"]" * 80_000 + b"}",
        message="The body cannot be read; send JSON in UTF-8, not nested too deeply.",
    ),
    Bad(
        "not a number",
        CHAT,
        None,
        raw=b'{"messages": [{"role": "user", "content": "x"}], "temperature": NaN}',
        message="The field 'temperature' does not do: input should be a finite number.",
        param="temperature",
        code="invalid_value",
    ),
    Bad(
        "too large",
        CHAT,
        chat(user="x" * 200_000),
        status=413,
        message="The body has more than 190000 bytes; send less, or raise max_body_bytes.",
        code="request_too_large",
    ),
    Bad(
        "no messages",
        CHAT,
        {},
        message="The field 'messages' is missing; give it.",
        param="messages",
        code="missing_required_parameter",
    ),
    Bad(
        "no prompt",
        COMPLETION,
        {},
        message="The field 'prompt' is missing; give it.",
        param="prompt",
        code="missing_required_parameter",
    ),
    # A model
    Bad(
        "another model",
        CHAT,
        chat(model="gpt-4o"),
        status=404,
        message="There is no model 'gpt-4o' here; this server has 'tiny'.",
        param="model",
        code="model_not_found",
    ),
    Bad(
        "another model to look at",
        "/v1/models/gpt-4o",
        None,
        method="GET",
        status=404,
        message="There is no model 'gpt-4o' here; this server has 'tiny'.",
        param="model",
        code="model_not_found",
    ),
    # Sampling
    Bad(
        "temperature too high",
        CHAT,
        chat(temperature=101),
        message="The temperature is 101.0, but must lie between 0 and 100.",
        param="temperature",
        code="invalid_value",
    ),
    Bad(
        "temperature below 0",
        COMPLETION,
        completion(temperature=-0.1),
        message="The temperature is -0.1, but must lie between 0 and 100.",
        param="temperature",
        code="invalid_value",
    ),
    Bad(
        "temperature a text",
        CHAT,
        chat(temperature="hot"),
        message="The field 'temperature' does not do: input should be a valid number, unable to parse string as a number.",
        param="temperature",
        code="invalid_value",
    ),
    Bad(
        "top_p 0",
        CHAT,
        chat(top_p=0),
        message="The top_p is 0, but must be above 0; top_k 1 takes the likeliest token only.",
        param="top_p",
        code="invalid_value",
    ),
    Bad(
        "top_k negative",
        CHAT,
        chat(top_k=-2),
        message="The top_k is -2, but must be at least 0.",
        param="top_k",
        code="invalid_value",
    ),
    Bad(
        "min_p above 1",
        CHAT,
        chat(min_p=1.5),
        message="The min_p is 1.5, but must lie between 0 and 1.",
        param="min_p",
        code="invalid_value",
    ),
    Bad(
        "presence penalty",
        CHAT,
        chat(presence_penalty=3),
        message="The presence_penalty is 3.0, but must lie between -2 and 2.",
        param="presence_penalty",
        code="invalid_value",
    ),
    Bad(
        "no answers",
        CHAT,
        chat(n=0),
        message="The number of answers (n) is 0, but must lie between 1 and 128.",
        param="n",
        code="invalid_value",
    ),
    Bad(
        "too many answers",
        CHAT,
        chat(n=17),
        message="The field 'n' is 17, more than the 16 that this server allows; ask for less.",
        param="n",
        code="too_large",
    ),
    Bad(
        "n a fraction",
        CHAT,
        chat(n=1.5),
        message="The field 'n' does not do: input should be a valid integer, got a number with a fractional part.",
        param="n",
        code="invalid_value",
    ),
    Bad(
        "no tokens",
        CHAT,
        chat(max_tokens=0),
        message="The number of tokens to generate is 0, but must be at least 1.",
        param="max_tokens",
        code="invalid_value",
    ),
    Bad(
        "no completion tokens",
        CHAT,
        chat(max_completion_tokens=-1),
        message="The number of tokens to generate is -1, but must be at least 1.",
        param="max_tokens",
        code="invalid_value",
    ),
    Bad(
        "more tokens than allowed",
        CHAT,
        chat(max_tokens=301),
        message="The field 'max_tokens' is 301, more than the 300 that this server allows; ask for less.",
        param="max_tokens",
        code="too_large",
    ),
    Bad(
        "least above most",
        CHAT,
        chat(max_tokens=2, min_tokens=3),
        message="The least number of tokens to generate is 3, but must not be above the most, 2.",
        param="max_tokens",
        code="invalid_value",
    ),
    Bad(
        "a seed out of range",
        CHAT,
        chat(seed=-1),
        message="The seed is -1, but must be at least 0.",
        param="seed",
        code="invalid_value",
    ),
    Bad(
        "too many stop strings",
        CHAT,
        chat(stop=[str(i) for i in range(17)]),
        message="The field 'stop' has 17 strings, more than the 16 that this server allows; ask for less.",
        param="stop",
        code="too_large",
    ),
    Bad(
        "an empty stop string",
        CHAT,
        chat(stop=""),
        message="The list stop holds an empty text, but each must have at least one character.",
        param="stop",
        code="invalid_value",
    ),
    Bad(
        "a long stop string",
        CHAT,
        chat(stop="x" * 257),
        message="The field 'stop' has 257 characters, more than the 256 that this server allows; ask for less.",
        param="stop",
        code="too_large",
    ),
    Bad(
        "a stop string that is a number",
        CHAT,
        chat(stop=[1]),
        message="The field 'stop' does not do: input should be a valid string.",
        param="stop",
        code="invalid_value",
    ),
    Bad(
        "too many logprobs",
        CHAT,
        chat(logprobs=True, top_logprobs=21),
        message="The field 'logprobs' is 21, more than the 20 that this server allows; ask for less.",
        param="logprobs",
        code="too_large",
    ),
    Bad(
        "top_logprobs without logprobs",
        CHAT,
        chat(top_logprobs=2),
        message="top_logprobs is given without logprobs; set logprobs to true, too.",
        param="top_logprobs",
    ),
    Bad(
        "a bias for a word",
        CHAT,
        chat(logit_bias={"hello": 1}),
        message="The logit_bias names 'hello', which is no token id; give whole numbers.",
        param="logit_bias",
    ),
    Bad(
        "a bias too strong",
        CHAT,
        chat(logit_bias={"5": 101}),
        message="The logit_bias of token 5 is 101.0, but must lie between -100 and 100.",
        param="logit_bias",
        code="invalid_value",
    ),
    Bad(
        "too many biases",
        CHAT,
        chat(logit_bias={str(i): 1 for i in range(1025)}),
        message="The field 'logit_bias' has 1025 tokens, more than the 1024 that this server allows; ask for less.",
        param="logit_bias",
        code="too_large",
    ),
    Bad(
        "half a rule against repetition",
        CHAT,
        chat(repetition_detection={"min_count": 3}),
        message="min_count is set without max_pattern_size; set both.",
    ),
    Bad(
        "an unknown policy",
        CHAT,
        chat(repetition_policy="pray"),
        message="The field 'repetition_policy' does not do: input should be 'off', 'stop' or 'steer'.",
        param="repetition_policy",
        code="invalid_value",
    ),
    # What the answer must fit
    Bad(
        "an unknown format",
        CHAT,
        chat(response_format={"type": "yaml"}),
        message="The response_format is not known; its type is 'text', 'json_object' or 'json_schema'.",
        param="response_format.type",
    ),
    Bad(
        "a format without schema",
        CHAT,
        chat(response_format={"type": "json_schema", "json_schema": {"name": "x"}}),
        message="The response_format has no schema; give it as response_format.json_schema.schema.",
        param="response_format.json_schema.schema",
    ),
    Bad(
        "two constraints",
        CHAT,
        chat(guided_regex="a", guided_choice=["b"]),
        message="Both 'guided_regex' and 'guided_choice' say what the answer must fit; give one.",
        param="guided_choice",
    ),
    Bad(
        "a schema that is text but none",
        CHAT,
        chat(guided_json="{"),
        message="The field 'guided_json' is a text, but not that of a JSON schema; correct it.",
        param="guided_json",
    ),
    Bad(
        "a schema that nothing fits",
        COMPLETION,
        completion(guided_json=False),
        message="The JSON schema is false, which nothing fits; give the schema of what you want.",
    ),
    Bad(
        "a schema too deep",
        CHAT,
        chat(guided_json=nested(40)),
        message="The field 'guided_json' has 81 levels, more than the 64 that this server allows; ask for less.",
        param="guided_json",
        code="too_large",
    ),
    Bad(
        "a schema too large",
        CHAT,
        chat(guided_json={"enum": ["x" * 70_000]}),
        message="The field 'guided_json' has 70012 bytes, more than the 65536 that this server allows; ask for less.",
        param="guided_json",
        code="too_large",
    ),
    Bad(
        "a regex too large",
        CHAT,
        chat(guided_regex="x" * 70_000),
        message="The field 'guided_regex' has 70000 characters, more than the 65536 that this server allows; ask for less.",
        param="guided_regex",
        code="too_large",
    ),
    Bad(
        "no choice",
        COMPLETION,
        completion(guided_choice=[]),
        message="The choice has no texts to choose from; give a list with at least one.",
        param="guided_choice",
    ),
    # Conversations
    Bad(
        "an empty conversation", CHAT, {"messages": []}, message="The conversation is empty; add a message of the user."
    ),
    Bad(
        "an unknown role",
        CHAT,
        {"messages": [{"role": "wizard", "content": "x"}]},
        message="messages[0].role 'wizard' is not known; use system, developer, user, assistant, tool.",
        param="messages[0].role",
    ),
    Bad(
        "no role",
        CHAT,
        {"messages": [{"content": "x"}]},
        message="messages[0].role is missing; give a text.",
        param="messages[0].role",
    ),
    Bad(
        "a message that is a text",
        CHAT,
        {"messages": ["x"]},
        message="The field 'messages[0]' does not do: input should be a valid dictionary.",
        param="messages[0]",
        code="invalid_value",
    ),
    Bad(
        "content that is a number",
        CHAT,
        {"messages": [{"role": "user", "content": 5}]},
        message="messages[0].content is a number; give a text or a list of parts.",
        param="messages[0].content",
    ),
    Bad(
        "a part of an unknown kind",
        CHAT,
        {"messages": [{"role": "user", "content": [{"type": "video"}]}]},
        message="messages[0].content[0].type 'video' is not known; use text or image_url.",
        param="messages[0].content[0].type",
    ),
    Bad(
        "half a character",
        CHAT,
        None,
        raw=b'{"messages": [{"role": "user", "content": "\\ud800"}]}',
        message="messages[0] (user) holds half a character (a lone surrogate) at position 0; remove it.",
        param="messages[0]",
    ),
    Bad(
        "the assistant last",
        CHAT,
        {"messages": [*USER, {"role": "assistant", "content": "x"}]},
        message="messages[1] (assistant) is the last; end with a message of the user, or set its prefix to have it gone on with.",
        param="messages[1]",
    ),
    Bad(
        "too many messages",
        CHAT,
        {"messages": USER * 101},
        message="The field 'messages' has 101 messages, more than the 100 that this server allows; ask for less.",
        param="messages",
        code="too_large",
    ),
    Bad(
        "longer than the context",
        CHAT,
        {"messages": [{"role": "user", "content": "word " * 600}]},
        message="This model's maximum context length is 512 tokens, answer included, but the prompt has 631; shorten it.",
        code="context_length_exceeded",
    ),
    Bad(
        "a result without its call",
        CHAT,
        {"messages": [*USER, {"role": "tool", "content": "x", "tool_call_id": "a"}]},
        message="messages[1] (tool) follows the user; put results right after the assistant's message with their calls.",
        param="messages[1]",
    ),
    Bad(
        "both ways to go on",
        CHAT,
        chat(continue_final_message=True, add_generation_prompt=True),
        message="continue_final_message and add_generation_prompt exclude each other; set one.",
        param="continue_final_message",
    ),
    # Images
    Bad(
        "an image for a model without eyes",
        CHAT,
        {"messages": image(data_url(as_bytes(noise(8, 8))))},
        message="messages[0] holds a picture, but this model reads text only; leave it out.",
        param="messages[0]",
    ),
    Bad(
        "damaged base64",
        CHAT,
        {"messages": image("data:image/png;base64,%%%")},
        message="messages[0].content[0].image_url: the base64 of the data: URL is damaged (Only base64 data is allowed); encode the file again.",
        param="messages[0].content[0].image_url",
    ),
    Bad(
        "no image at all",
        CHAT,
        {"messages": image(data_url(b"hello"))},
        message="The image is of an unknown format; send a PNG, JPEG, WebP, GIF, BMP or TIFF.",
    ),
    Bad(
        "an image with too many pixels",
        CHAT,
        {"messages": image(data_url(as_bytes(noise(120, 100))))},
        message="Image 1 has 120 x 100 pixels, more than 10000; shrink it.",
        param="messages",
    ),
    Bad(
        "an image of too many bytes",
        CHAT,
        {"messages": image(data_url(b"\x89PNG" + b"x" * 60_000))},
        message="Image 1 has more than 50000 bytes; make it smaller.",
        param="messages",
    ),
    Bad(
        "too many images",
        CHAT,
        {"messages": image(data_url(as_bytes(noise(8, 8)))) * 5},
        message="The field 'messages' has 5 images, more than the 4 that this server allows; ask for less.",
        param="messages",
        code="too_large",
    ),
    Bad(
        "a file of this machine",
        CHAT,
        {"messages": image("file:///etc/passwd")},
        message="The image is no data:, http: or https: URL, and no file that this server may read; send its data.",
        param="messages[0].content[0].image_url",
    ),
    Bad(
        "a path of this machine",
        CHAT,
        {"messages": image("/etc/passwd")},
        message="The image is no data:, http: or https: URL, and no file that this server may read; send its data.",
        param="messages[0].content[0].image_url",
    ),
    Bad(
        "links where none are followed",
        CHAT,
        {"messages": image("https://example.com/a.png")},
        message="This server gets no images from elsewhere; send a data: URL.",
        param="messages[0].content[0].image_url",
    ),
    # Tools
    Bad(
        "a tool without a name",
        CHAT,
        chat(tools=[{"type": "function", "function": {}}]),
        message="tools[0].function.name is missing; give a text.",
        param="tools[0].function.name",
    ),
    Bad(
        "a tool that is no function",
        CHAT,
        chat(tools=[{"type": "browser"}]),
        message="tools[0].type 'browser' is not known; only functions can be called.",
        param="tools[0].type",
    ),
    Bad(
        "too many tools",
        CHAT,
        chat(tools=[tool(name=f"f{i}") for i in range(9)]),
        message="The field 'tools' has 9 tools, more than the 8 that this server allows; ask for less.",
        param="tools",
        code="too_large",
    ),
    Bad(
        "a tool's schema too deep",
        CHAT,
        chat(tools=[tool(parameters=nested(40))]),
        message="The field 'tools[0].function.parameters' has 81 levels, more than the 64 that this server allows; ask for less.",
        param="tools[0].function.parameters",
        code="too_large",
    ),
    Bad(
        "a choice of no tool",
        CHAT,
        chat(tools=[tool()], tool_choice={"type": "function", "function": {"name": "g"}}),
        message="tool_choice names 'g', which is none of the tools; name one of them.",
        param="tool_choice",
    ),
    Bad(
        "an unknown choice",
        CHAT,
        chat(tools=[tool()], tool_choice="maybe"),
        message="tool_choice 'maybe' is not known; use auto, none, required or a named function.",
        param="tool_choice",
    ),
    # Raw text
    Bad("an empty prompt", COMPLETION, {"prompt": ""}, message="The prompt is empty; say something."),
    Bad(
        "no prompts",
        COMPLETION,
        {"prompt": []},
        message="The field 'prompt' is empty; give a text or token ids.",
        param="prompt",
    ),
    Bad(
        "too many prompts",
        COMPLETION,
        {"prompt": ["a"] * 9},
        message="The field 'prompt' has 9 prompts, more than the 8 that this server allows; ask for less.",
        param="prompt",
        code="too_large",
    ),
    Bad(
        "a suffix",
        COMPLETION,
        completion(suffix="end"),
        message="The model cannot fill in before a suffix; leave it out.",
        param="suffix",
    ),
    Bad(
        "the best of several",
        COMPLETION,
        completion(n=1, best_of=3),
        message="All answers are given back: best_of must be n; leave it out.",
        param="best_of",
    ),
    Bad(
        "tokens out of the vocabulary",
        "/detokenize",
        {"tokens": [10**9]},
        message="The token id 1000000000 is outside the vocabulary (0 to 49151).",
        param="tokens",
    ),
    Bad(
        "vectors cut short",
        EMBEDDING,
        {"input": "x", "dimensions": 8},
        message="The vectors have 48 dimensions, and cannot be cut; leave it out.",
        param="dimensions",
    ),
    Bad(
        "no input",
        EMBEDDING,
        {"input": []},
        message="The field 'input' is empty; give a text or token ids.",
        param="input",
    ),
    Bad(
        "an unknown encoding",
        EMBEDDING,
        {"input": "x", "encoding_format": "hex"},
        message="The field 'encoding_format' does not do: input should be 'float' or 'base64'.",
        param="encoding_format",
        code="invalid_value",
    ),
    # Other APIs
    Bad(
        "a response that is kept",
        RESPONSE,
        {"input": "x", "previous_response_id": "resp_1"},
        message="This server keeps nothing between requests: leave 'previous_response_id' out, and send the whole conversation as input.",
        param="previous_response_id",
    ),
    Bad(
        "an item of an unknown kind",
        RESPONSE,
        {"input": [{"type": "item_reference", "id": "1"}]},
        message="input[0] is of the unknown type 'item_reference'; send messages and calls.",
        param="input[0]",
    ),
    Bad(
        "a tool of another server",
        RESPONSE,
        {"input": "x", "tools": [{"type": "web_search"}]},
        message="tools[0] is of the type 'web_search'; only functions can be called.",
        param="tools",
    ),
    Bad(
        "a message without max_tokens",
        MESSAGE,
        {"messages": USER},
        message="The field 'max_tokens' is missing; give it.",
    ),
    Bad(
        "thinking",
        MESSAGE,
        {"messages": USER, "max_tokens": 5, "thinking": {"type": "enabled"}},
        message="The model does not think aloud; leave 'thinking' out.",
    ),
    Bad(
        "a role Anthropic has not",
        MESSAGE,
        {"messages": [{"role": "system", "content": "x"}], "max_tokens": 5},
        message="messages[0].role is neither 'user' nor 'assistant'; give one of them.",
    ),
    Bad(
        "a document",
        MESSAGE,
        {"messages": [{"role": "user", "content": [{"type": "document"}]}], "max_tokens": 5},
        message="messages[0].content[0] is of the type 'document'; send text, images and results.",
    ),
    Bad(
        "no source",
        MESSAGE,
        {"messages": [{"role": "user", "content": [{"type": "image"}]}], "max_tokens": 5},
        message="messages[0].content[0].source is neither base64 with its media_type nor a url; send one.",
    ),
]
