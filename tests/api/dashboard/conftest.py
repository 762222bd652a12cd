"""A browser, for the smoke test."""

from tests.browser import chromium, visitor

__all__ = ["chromium", "visitor"]
