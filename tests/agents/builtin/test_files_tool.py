"""The files tools stay in their folder, wait for nothing, and say what they leave out."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mistralet.agents.builtin import files
from mistralet.agents.builtin.folder import Folder
from mistralet.errors import ToolError
from support.tool_calls import call


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with files, beside one that is not to be seen."""
    inside = tmp_path / "inside"
    (inside / "docs" / "deep").mkdir(parents=True)
    (inside / "a.txt").write_text("one\ntwo\nthree\n")
    (inside / "docs" / "b.md").write_text("# Title\nTwo words\n")
    (inside / "docs" / "deep" / "c.md").write_text("nothing\n")
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.txt").write_text("the secret two")
    (inside / "link.txt").symlink_to(outside / "secret.txt")
    (inside / "link").symlink_to(outside)
    (inside / "within.txt").symlink_to("docs/b.md")
    return inside


def test_a_folder_is_listed(folder: Path) -> None:
    assert call(f"files:{folder}", "list_files").splitlines() == [
        *("a.txt (14 bytes)", "docs/", "link (a link)", "link.txt (a link)", "within.txt (a link)"),
    ]
    assert call(f"files:{folder}", "list_files", path="docs/deep") == "c.md (8 bytes)"
    (folder / "empty").mkdir()
    assert call(f"files:{folder}", "list_files", path="empty") == "[The folder is empty.]"


@pytest.mark.skipif(os.name == "nt", reason="names that Windows does not have")
def test_a_name_with_line_breaks_is_one_line(folder: Path) -> None:
    name = "x (1 bytes)\nsecret.txt"
    (folder / "docs" / name).write_text("two")
    shown = json.dumps(name)
    assert f"{shown} (3 bytes)" in call(f"files:{folder}", "list_files", path="docs").splitlines()
    assert call(f"files:{folder}", "search_files", name="x*") == json.dumps(f"docs/{name}")
    assert call(f"files:{folder}", "search_files", name="x*", text="TWO") == json.dumps(f"docs/{name}") + ":1: two"
    assert call(f"files:{folder}", "read_file", path=f"docs/{json.loads(shown)}") == "two"


def test_long_lists_are_cut(folder: Path) -> None:
    (folder / "many").mkdir()
    for number in range(250):
        (folder / "many" / f"{number:03}").touch()
    lines = call(f"files:{folder}", "list_files", path="many").splitlines()
    assert (len(lines), lines[-1]) == (201, "[50 more are left out.]")


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"path": "a.txt"}, "one\ntwo\nthree"),
        ({"path": "./docs/../a.txt"}, "one\ntwo\nthree"),
        ({"path": "a.txt", "first_line": 2}, "two\nthree\n[Lines 2 to 3 of 3.]"),
        ({"path": "a.txt", "first_line": 2, "last_line": 2}, "two\n[Lines 2 to 2 of 3.]"),
        ({"path": "a.txt", "last_line": 99}, "one\ntwo\nthree"),
        ({"path": "within.txt"}, "# Title\nTwo words"),
    ],
)
def test_files_are_read(folder: Path, arguments: dict[str, object], text: str) -> None:
    assert call(f"files:{folder}", "read_file", **arguments) == text


def test_encodings(folder: Path) -> None:
    (folder / "e.txt").write_bytes(b"")
    (folder / "u.txt").write_bytes("naïve".encode("utf-16"))
    (folder / "b.txt").write_bytes(b"\xef\xbb\xbfmark")
    (folder / "l.txt").write_bytes("naïve".encode("latin-1"))
    read = {name: call(f"files:{folder}", "read_file", path=f"{name}.txt") for name in "eubl"}
    assert read == {"e": "[The file is empty.]", "u": "naïve", "b": "mark", "l": "na\ufffdve"}


def test_long_files_are_cut_at_a_line(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "_LONGEST", 100)
    (folder / "long.txt").write_text("\n".join(f"{number:09}" for number in range(1000)))
    told = call(f"files:{folder}", "read_file", path="long.txt", first_line=11).splitlines()
    assert (told[0], told[-1], len(told)) == ("000000010", "[Lines 11 to 20 of 1,000.]", 11)
    (folder / "line.txt").write_text("x" * 1000)
    assert call(f"files:{folder}", "read_file", path="line.txt") == "x" * 100 + " [the line has 1,000 characters]"
    monkeypatch.setattr(files, "_LARGEST", 500)
    with pytest.raises(ToolError, match="larger than 500 bytes"):
        call(f"files:{folder}", "read_file", path="line.txt")


@pytest.mark.parametrize("beginning", files._BEGINNINGS, ids=list(files._BEGINNINGS.values()))
def test_binary_files_are_refused_with_their_kind(folder: Path, beginning: bytes) -> None:
    (folder / "x").write_bytes(beginning + b"rest\x00")
    with pytest.raises(ToolError, match=f"'x' is {files._BEGINNINGS[beginning]}"):
        call(f"files:{folder}", "read_file", path="x")
    (folder / "x").write_bytes(b"text\x00")
    with pytest.raises(ToolError, match="'x' is binary"):
        call(f"files:{folder}", "read_file", path="x")


ESCAPES = [
    *("../outside/secret.txt", "docs/../../outside/secret.txt", "..", "../inside2", "link.txt", "link/secret.txt"),
    *("link", "docs/../link/secret.txt", "/etc/passwd", "//etc/passwd", "C:\\secret.txt", "..\\outside\\secret.txt"),
    *("docs\\..\\..\\outside", "a\0b", "../" * 30 + "etc/passwd", "x" * 10_000, "a/" * 3000, "~/secret", "\ud800"),
    *("loop/x", "{outside}", "{outside}/secret.txt"),
]


@pytest.mark.parametrize("path", ESCAPES)
def test_no_path_leads_out(folder: Path, path: str) -> None:
    (folder / "loop").symlink_to("loop")
    path = path.replace("{outside}", str(folder.parent / "outside"))
    calls = {"read_file": {}, "list_files": {}, "write_file": {"content": "mine"}}
    for tool, arguments in calls.items():
        if tool == "write_file" and path in ("~/secret",):
            continue  # a folder of that name, in the folder
        with pytest.raises(ToolError) as caught:
            call(f"files:{folder}:write", tool, path=path, **arguments)
        assert "the secret" not in str(caught.value)
        assert len(str(caught.value)) < 1100
    assert [found.name for found in (folder.parent / "outside").iterdir()] == ["secret.txt"]
    assert (folder.parent / "outside" / "secret.txt").read_text() == "the secret two"


PARTS = st.sampled_from(
    ["..", ".", "", "link", "link.txt", "docs", "deep", "a.txt", "secret.txt", "outside", "new", "~"]
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(st.lists(PARTS, max_size=8), st.booleans())
def test_whatever_the_path_nothing_outside_is_reached(folder: Path, parts: list[str], absolute: bool) -> None:
    path = "/" * absolute + "/".join(parts)
    place = Folder(str(folder))
    try:
        resolved = place.resolve(path)
        with place.opened(path) as descriptor:
            content = os.read(descriptor, 100)
    except ToolError:
        return
    assert not absolute
    assert (folder / resolved).resolve().is_relative_to(folder.resolve())
    assert b"secret" not in content


@pytest.mark.skipif(not hasattr(os, "O_NOFOLLOW"), reason="the system follows links whatever is asked of it")
@pytest.mark.parametrize("swapped", ["docs", "docs/b.md"])
def test_a_link_put_there_after_the_check_leads_nowhere(
    folder: Path, monkeypatch: pytest.MonkeyPatch, swapped: str
) -> None:
    (folder.parent / "outside" / "b.md").write_text("the secret")
    resolve = Folder.resolve

    def resolve_and_swap(self: Folder, path: str) -> object:
        place = resolve(self, path)
        (folder / swapped).rename(folder.parent / "moved")
        (folder / swapped).symlink_to(folder.parent / "outside" / ("" if swapped == "docs" else "b.md"))
        return place

    monkeypatch.setattr(Folder, "resolve", resolve_and_swap)
    with pytest.raises(ToolError, match="cannot be opened"):
        call(f"files:{folder}", "read_file", path="docs/b.md")


def test_nothing_is_waited_for(folder: Path) -> None:
    os.mkfifo(folder / "pipe")
    (folder / "device").symlink_to("/dev/zero")
    with pytest.raises(ToolError, match="'pipe' is a pipe, not a file"):
        call(f"files:{folder}", "read_file", path="pipe")
    with pytest.raises(ToolError, match="not in the folder"):
        call(f"files:{folder}", "read_file", path="device")
    with pytest.raises(ToolError, match="'docs' is a folder, not a file"):
        call(f"files:{folder}", "read_file", path="docs")
    with pytest.raises(ToolError, match="cannot be opened: No such file"):
        call(f"files:{folder}", "read_file", path="nothing")
    assert "[Nothing is found.]" in call(f"files:{folder}", "search_files", name="pipe", text="x")


def test_a_socket_is_no_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("s")
        with pytest.raises(ToolError, match="'s'"):
            call(f"files:{folder}", "read_file", path="s")


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        ({"name": "*.md"}, ["docs/b.md", "docs/deep/c.md"]),
        ({"name": "docs/*.md"}, ["docs/b.md", "docs/deep/c.md"]),
        ({"name": "**/*.txt"}, ["a.txt", "link.txt", "within.txt"]),
        ({"text": "TWO"}, ["a.txt:2: two", "within.txt:2: Two words", "docs/b.md:2: Two words"]),
        ({"text": "secret"}, ["[Nothing is found.]"]),
        ({"name": "*.md", "text": "title"}, ["docs/b.md:1: # Title"]),
        ({"name": "../*"}, ["[Nothing is found.]"]),
        ({"name": "*[!a-z"}, ["[Nothing is found.]"]),
    ],
)
def test_files_are_found(folder: Path, arguments: dict[str, str], found: list[str]) -> None:
    assert call(f"files:{folder}", "search_files", **arguments).splitlines() == found


def test_searches_end(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "many.txt").write_text("hit\n" * 1000)
    lines = call(f"files:{folder}", "search_files", text="hit").splitlines()
    assert (len(lines), lines[-1]) == (101, "[There are more; only the first are shown.]")
    monkeypatch.setattr(files, "_MOST_SEARCHED", 2)
    assert "Not all was searched" in call(f"files:{folder}", "search_files", name="*.md")
    with pytest.raises(ToolError, match="200 characters"):
        call(f"files:{folder}", "search_files", name="*a" * 200)
    with pytest.raises(ToolError, match="1 to 1,000"):
        call(f"files:{folder}", "search_files", text="")


def test_files_are_written_whole(folder: Path) -> None:
    spec = f"files:{folder}:write"
    assert call(spec, "write_file", path="new/dir/n.txt", content="é") == "Wrote 2 bytes to new/dir/n.txt."
    assert (folder / "new" / "dir" / "n.txt").read_text() == "é"
    (folder / "a.txt").chmod(0o640)
    call(spec, "write_file", path="a.txt", content="changed")
    assert (folder / "a.txt").read_text() == "changed"
    assert (folder / "a.txt").stat().st_mode & 0o777 == 0o640
    assert [path.name for path in (folder / "new" / "dir").iterdir()] == ["n.txt"]


@pytest.mark.parametrize("path", ["docs", ".", "", "pipe", "a.txt/x", "x" * 300])
def test_what_is_no_file_is_not_written_over(folder: Path, path: str) -> None:
    os.mkfifo(folder / "pipe")
    with pytest.raises(ToolError, match="cannot be written"):
        call(f"files:{folder}:write", "write_file", path=path, content="x")


def test_large_contents_are_not_written(folder: Path) -> None:
    with pytest.raises(ToolError, match="at most 1,000,000"):
        call(f"files:{folder}:write", "write_file", path="big", content="x" * 1_000_001)
    assert not (folder / "big").exists()
