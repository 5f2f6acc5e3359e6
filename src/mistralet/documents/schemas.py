"""`load_schema`: a JSON schema from a file, or of a pydantic model."""

from __future__ import annotations

import importlib
import importlib.util
import json
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import jsonschema

from mistralet.errors import UsageError

_CLASS_IN_FILE = re.compile(r"(.+\.py):(\w+)")


def load_schema(name: str) -> dict[str, Any]:
    """The schema that `name` stands for: a JSON file, FILE.py:CLASS, or pydantic:MODULE.CLASS.

    Raises:
        UsageError: there is none, or it is no schema of an object.
    """
    in_file = _CLASS_IN_FILE.fullmatch(name)
    if in_file is not None:
        schema = _of_class(_module_of_file(Path(in_file[1]).expanduser()), in_file[2], name)
    elif name.startswith("pydantic:"):
        module, _, class_name = name.removeprefix("pydantic:").rpartition(".")
        schema = _of_class(_module(module, name), class_name, name)
    else:
        schema = _of_file(Path(name).expanduser())
    try:
        jsonschema.Draft202012Validator.check_schema(schema)
    except jsonschema.SchemaError as error:
        raise UsageError(f"{name} is no JSON schema: {error.message}; correct it.") from error
    if not isinstance(schema, dict):
        raise UsageError(f"{name} is no schema of an object; describe the fields under properties.")
    return schema


def _of_file(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read: {error.strerror or error}; name a file with a JSON schema."
        ) from error
    except ValueError as error:
        raise UsageError(f"{path} is no JSON ({error}); correct it.") from error


def _module(name: str, asked: str) -> ModuleType:
    if not name:
        raise UsageError(f"{asked} names no class; write pydantic:MODULE.CLASS.")
    folder = str(Path.cwd())
    if folder not in sys.path:
        sys.path.insert(0, folder)
    try:
        return importlib.import_module(name)
    except Exception as error:
        raise UsageError(f"The module {name} cannot be imported ({type(error).__name__}: {error}).") from error


def _module_of_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise UsageError(f"{path} is no file; name a Python file and a class, such as forms.py:Invoice.")
    name = f"mistralet_forms_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # where pydantic looks its hints up
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise UsageError(f"{path} cannot be run ({type(error).__name__}: {error}); correct it.") from error
    return module


def _of_class(module: ModuleType, name: str, asked: str) -> Any:
    from pydantic import BaseModel

    found = getattr(module, name, None)
    if not (isinstance(found, type) and issubclass(found, BaseModel)):
        raise UsageError(f"{asked} is no pydantic model; name a class that inherits from BaseModel.")
    return found.model_json_schema()
