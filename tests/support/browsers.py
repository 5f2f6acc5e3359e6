"""The Chromium of the machine, for tests of pages. playwright is imported late: most tests need none of this."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Playwright

    from support.chat_page import ChatPage
    from support.scripted_server import ChatServer

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# Nothing but the page may cause requests, and a container has no sandbox to give.
_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


def find_chromium() -> str | None:
    """The path of a Chromium: `$CHROMIUM`, or the first that is on the path."""
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, _NAMES)), None)


def launch(playwright: Playwright, path: str | None) -> Browser:
    """Start a Chromium without a window."""
    return playwright.chromium.launch(executable_path=path, headless=True, args=_ARGUMENTS)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """One Chromium for all tests; each opens its own context in it."""
    path = find_chromium()
    if path is None:
        pytest.skip("no Chromium on this machine; scripts/install-chromium.sh installs it")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = launch(playwright, path)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def running_chat_server() -> Iterator[ChatServer]:
    """The scripted server, for all tests."""
    from support.scripted_server import serve

    with serve() as server:
        yield server


@pytest.fixture
def chat_server(running_chat_server: ChatServer) -> ChatServer:
    """The scripted server, as it was when it started."""
    running_chat_server.reset()
    return running_chat_server


@pytest.fixture(scope="session")
def chat_tab(running_chat_server: ChatServer, chromium: Browser) -> Iterator[ChatPage]:
    """One tab for all tests."""
    from support.chat_page import open_page

    with open_page(chromium, running_chat_server.url) as page:
        yield page


@pytest.fixture
def chat(chat_server: ChatServer, chat_tab: ChatPage) -> Iterator[ChatPage]:
    """The chat page of the scripted server, in a browser with nothing stored."""
    assert chat_server.url == chat_tab.url
    chat_tab.start_afresh()
    yield chat_tab
    chat_tab.check()


# Playwright's event loop seems to run in this thread for as long as the browser is open, and asyncio refuses to run
# another beside it. So it is hidden from the tests that do not use the browser.


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, object, object]:
    with _hidden_loop(_uses_browser(item)):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    with _hidden_loop(_uses_browser(item)):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> Generator[None, object, object]:
    with _hidden_loop(_uses_browser(item) or nextitem is None):  # after the last test the browser is closed
        return (yield)


def _uses_browser(item: pytest.Item) -> bool:
    return "chromium" in getattr(item, "fixturenames", ())


@contextmanager
def _hidden_loop(shown: bool) -> Iterator[None]:
    if shown:
        yield
        return
    loop = asyncio._get_running_loop()
    asyncio._set_running_loop(None)
    try:
        yield
    finally:
        asyncio._set_running_loop(loop)
