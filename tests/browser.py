"""A real browser for tests: Debian's Chromium, and a page that may do nothing wrong.

A test that opens a page fails on an error in its console, an exception, a violation of its policy,
an answer of 500 or above, and a request to anything but /ui and /v1 of the server under test.
"""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from playwright.async_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Request,
    Response,
    Route,
    async_playwright,
    expect,
)

__all__ = ["Visitor", "chromium", "expect", "visiting", "visitor"]

_PATIENCE_MS = 45_000

expect.set_options(timeout=_PATIENCE_MS)

# The console says so, too, but not of a violation in a frame.
_WATCH = """
document.addEventListener("securitypolicyviolation", (event) =>
  console.error(`policy violated: ${event.violatedDirective} ${event.blockedURI}`));
"""


@dataclass
class Visitor:
    """One browser profile that visits the dashboard at ``url``, and all that went wrong."""

    browser: Browser
    url: str
    faults: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    contexts: list[BrowserContext] = field(default_factory=list)
    refused: set[int] = field(default_factory=set)
    """The statuses of 400 to 499 that the test expects."""
    expected: list[str] = field(default_factory=list)
    """Parts of the messages in the console that the test expects."""

    async def open(self, path: str = "/ui", **options: object) -> Page:
        """Open a page in a profile of its own, and wait until its data is there."""
        context = await self.browser.new_context(**options)
        self.contexts.append(context)
        context.set_default_timeout(_PATIENCE_MS)
        await context.add_init_script(_WATCH)
        await context.route("**/*", self._ours_only)
        context.on("console", self._console)
        context.on("response", self._response)
        context.on("weberror", lambda error: self.faults.append(f"exception: {error.error}"))
        page = await context.new_page()
        await self.go(page, path)
        return page

    async def go(self, page: Page, path: str) -> None:
        """Go to another page, and wait until its data is there."""
        await page.goto(self.url + path)
        await self.settled(page)

    async def settled(self, page: Page) -> None:
        """Wait until a page has its data, or knows that there is none."""
        await expect(page.locator("main h1")).to_be_visible()
        await expect(page.locator(".loading")).to_have_count(0)

    async def close(self) -> None:
        for context in self.contexts:
            await context.close()

    async def _ours_only(self, route: Route, request: Request) -> None:
        if not request.url.startswith("http"):  # the browser's own viewer of PDFs
            await route.continue_()
            return
        path = request.url.removeprefix(self.url)
        self.requests.append(path)
        if not path.startswith(("/ui", "/v1/")):
            self.faults.append(f"a request to {request.url}")
            await route.abort()
            return
        await route.continue_()

    def _console(self, message: ConsoleMessage) -> None:
        expected = any(
            f"the server responded with a status of {n}" in message.text for n in self.refused
        )
        expected = expected or any(part in message.text for part in self.expected)
        if message.type in ("error", "warning") and not expected:
            self.faults.append(f"console: {message.text}")

    def _response(self, response: Response) -> None:
        if response.status >= 500:
            self.faults.append(f"{response.status} from {response.url}")


@pytest.fixture(scope="session")
async def chromium() -> AsyncIterator[Browser]:
    """Debian's Chromium, started once in a run."""
    path = shutil.which("chromium")
    assert path, "Chromium is not installed: apt-get install chromium"
    async with async_playwright() as playwright:
        # root, as in CI, has no sandbox
        browser = await playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        await browser.close()


@asynccontextmanager
async def visiting(chromium: Browser, url: str) -> AsyncIterator[Visitor]:
    """Lend a visitor, and fail if anything went wrong."""
    visitor = Visitor(chromium, url)
    yield visitor
    await visitor.close()
    if visitor.faults:
        pytest.fail("\n".join(visitor.faults))


@pytest.fixture
async def visitor(chromium: Browser, served) -> AsyncIterator[Visitor]:
    """A visitor of the server under test."""
    async with visiting(chromium, served.url) as visitor:
        yield visitor
