"""Fixtures shared by all tests live in tests/support."""

pytest_plugins = ["support.fixtures", "support.browsers"]
