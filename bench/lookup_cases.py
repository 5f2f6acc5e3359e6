"""What an assistant is asked where its answer repeats much of the question, and where it cannot."""

from __future__ import annotations

_ARTICLE = """The harbour of Lindesand was built in 1874, when the herring fleets had outgrown the river mouth.
"We had forty boats and room for twelve," the harbour master Ole Brandt wrote to the ministry in Oslo. Two stone piers,
each 310 metres long, were finished after six years and cost 92,000 crowns, twice what had been planned. The eastern
pier carries the lighthouse, which has burned every night since the first of November 1881. In the winter of 1903 a
storm took away eighty metres of the western pier; it was rebuilt in concrete, the first use of that material in the
district. Today the harbour serves three fishing boats, the ferry to the islands and, in summer, some four hundred
yachts. "The piers will outlast us all," says Brandt's great-granddaughter Inger, who runs the museum in the old salt
store."""

_CODE = '''def load_settings(path):
    """Read the settings file and return a dictionary of strings."""
    settings = {}
    with open(path) as file:
        for number, line in enumerate(file, start=1):
            line = line.strip()
            if not line or line.startswith("#"):
                continue
            if "=" not in line:
                raise ValueError(f"line {number} has no equals sign")
            name, value = line.split("=", 1)
            settings[name.strip()] = value.strip()
    return settings


def save_settings(path, settings):
    """Write a dictionary of strings to the settings file."""
    with open(path, "w") as file:
        for name, value in sorted(settings.items()):
            file.write(f"{name} = {value}\\n")
'''

_RECORDS = """[{"id": 101, "name": "Ada Brook", "city": "Leeds", "active": true},
{"id": 102, "name": "Ben Castle", "city": "York", "active": false},
{"id": 103, "name": "Cora Dale", "city": "Hull", "active": true},
{"id": 104, "name": "Dan Edge", "city": "Ripon", "active": true},
{"id": 105, "name": "Eve Field", "city": "Selby", "active": false},
{"id": 106, "name": "Finn Grove", "city": "Goole", "active": true}]"""

COPYING = {
    "a text word for word": f"Repeat this text word for word:\n\n{_ARTICLE}",
    "a summary with quotes": f"Summarize the text below. Quote its sentences word for word.\n\n{_ARTICLE}",
    "a text corrected": f"Correct the spelling of this text and write all of it again:\n\n{_ARTICLE}",
    "code with a name changed": (
        f"Rename the variable `settings` to `options` and write the whole code again.\n\n```python\n{_CODE}```"
    ),
    "code with a line added": (
        f"Write this code again and add a comment at the top of each function.\n\n```python\n{_CODE}```"
    ),
    "records, one a line": f"Write this JSON again, unchanged, in a code block:\n\n{_RECORDS}",
}

FREE = {
    "a story": "Write a story about a lighthouse keeper who finds a letter in a bottle.",
    "an explanation": "Explain how a bicycle stays upright while it is ridden.",
    "advice": "How should I prepare for a job interview at a small company?",
    "a letter": "Write a letter to a friend about moving to a new city.",
}
