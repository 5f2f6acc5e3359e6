"""`function_from_file`: a function in a Python file of the user's as a tool."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

from mistralet.agents.function_tool import function_tool
from mistralet.agents.tool import AgentTool
from mistralet.errors import ToolError


def function_from_file(path: Path, name: str) -> AgentTool:
    """Run a file as a module, and make a tool of one of its functions.

    Raises:
        ToolError: the file cannot be run, has no such function, or it cannot be a tool.
    """
    if not path.is_file():
        raise ToolError(f"{path}: is no file; name a Python file and a function, such as tools.py:weather.")
    module_name = f"mistralet_tools_{path.stem}"
    spec = importlib.util.spec_from_file_location(module_name, path)
    if spec is None or spec.loader is None:
        raise ToolError(f"{path}: is no Python file; its name must end in .py.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module  # where dataclasses and pydantic look their hints up
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise ToolError(f"{path}: cannot be run ({type(error).__name__}: {error}); correct it.") from error
    function = getattr(module, name, None)
    if not callable(function):
        raise ToolError(f"{path}: has no function '{name}'.")
    return function_tool(function, name=name)
