"""From a model's name to its files on this machine: aliases, Hugging Face repositories, the stand-in."""

from mistralet.hub.local import LocalModel, list_local
from mistralet.hub.lookup import ResolvedModel, download, find_local, resolve
from mistralet.hub.releases import RELEASES, Release

__all__ = ["RELEASES", "LocalModel", "Release", "ResolvedModel", "download", "find_local", "list_local", "resolve"]
