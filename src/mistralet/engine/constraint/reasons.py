"""What llguidance says of a grammar it cannot compile, as the rest of a sentence with a remedy."""

from __future__ import annotations

import re

# A pattern in its message -> what to say after "The JSON schema ...", with the groups of the pattern.
_REASONS = [
    (
        r"Unimplemented keys: \[(.*?)\]",
        "uses keywords that cannot be enforced: {0}; leave them out and check them after",
    ),
    (
        r"oneOf constraints",
        "uses 'oneOf' with parts that overlap or may; use 'anyOf', or tell them apart by a constant",
    ),
    (r"Unsatisfiable schema: (.*)", "fits nothing: {0}; correct it"),
    (r"NoExtension", "fits nothing; correct it"),
    (r"Resource '(.*?)' is not present", "refers to '{0}', and nothing is fetched; put the definition under '$defs'"),
    (r"Pointer '(.*?)' does not exist", "refers to '#{0}', which it lacks; add the definition"),
    (r"Unknown format: (.*)", "asks for the format '{0}', which is not known; use 'pattern' for it"),
    (r"(recursion limit|too deeply nested)", "is nested too deeply; name its inner parts and refer to them"),
    (r"look-?around", "looks ahead or behind, or for the edge of a word, which is not supported; write it without"),
    (r"unknown special token: \"(.*?)\"", "names the control token {0}, which is not known; write its id, as in <[9]>"),
    (r"Token range end too large: (.*)", "names the token {0}, which the vocabulary lacks; correct its id"),
    (r"(too (big|large|complex)|precomputation failed)", "is too large; leave out what the answer does not need"),
    (r"takes more than (.*) to compile", "takes more than {0} to compile; simplify it"),
    (r"^\s*error: (.+)$", "cannot be read ({0}); correct it"),
    (r"\A(?:at )?(?:\d+\(\d+\): )?(.*)", "cannot be used ({0}); correct it"),
]


def reason(message: str) -> str:
    """The rest of a sentence that began with the name of what was compiled."""
    for pattern, sentence in _REASONS:
        found = re.search(pattern, message, re.MULTILINE)
        if found is not None:
            return sentence.format(*found.groups())
    return message
