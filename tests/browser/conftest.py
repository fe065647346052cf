"""Chromium against a live server, with a check that nothing is fetched from anywhere else."""

import os
import shutil
from collections.abc import Callable, Generator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.factories.users import PASSWORD, SuperuserFactory

CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
SHOTS = Path(__file__).resolve().parents[2] / "var" / "screenshots"
Shoot = Callable[..., None]


@pytest.fixture(scope="session")
def chromium() -> Generator[Browser]:
    # Playwright runs an event loop in this thread, which Django takes for asynchronous code.
    before = os.environ.get("DJANGO_ALLOW_ASYNC_UNSAFE")
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=CHROMIUM, args=["--no-sandbox", "--disable-dev-shm-usage"]
            )
            yield browser
            browser.close()
    finally:
        if before is None:
            del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]
        else:
            os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = before


@pytest.fixture
def strangers() -> list[str]:
    """The addresses outside this machine that a page asked for."""
    return []


@pytest.fixture
def context(
    chromium: Browser, live_server, transactional_db, strangers: list[str]
) -> Generator[BrowserContext]:
    cache.clear()
    opened = chromium.new_context(
        base_url=live_server.url, viewport={"width": 1280, "height": 800}, locale="en-GB"
    )
    opened.set_default_timeout(15_000)
    home = urlsplit(live_server.url).netloc

    def note(request) -> None:
        if urlsplit(request.url).netloc not in {home, ""}:
            strangers.append(request.url)

    opened.on("request", note)
    yield opened
    opened.close()
    assert strangers == []


@pytest.fixture
def errors() -> list[str]:
    """What pages complained about in the browser's console."""
    return []


@pytest.fixture
def page(context: BrowserContext, errors: list[str]) -> Generator[Page]:
    opened = context.new_page()
    opened.on("pageerror", lambda error: errors.append(str(error)))
    yield opened
    opened.close()
    assert errors == []


@pytest.fixture
def operator(transactional_db) -> User:
    return SuperuserFactory.create(username="olivia.operator", first_name="Olivia")


def log_in(page: Page, user: User) -> None:
    page.goto("/admin/login/")
    page.fill("input[name=username]", user.get_username())
    page.fill("input[name=password]", PASSWORD)
    page.click("button[type=submit]")
    page.wait_for_url("**/admin/")


@pytest.fixture
def desk(page: Page, operator: User) -> Page:
    """The browser of an operator who has logged in."""
    log_in(page, operator)
    return page


@pytest.fixture
def shoot(page: Page) -> Shoot:
    """Keep a picture of the whole page, under a name."""
    SHOTS.mkdir(parents=True, exist_ok=True)

    def taken(name: str, *, whole: bool = True) -> None:
        page.screenshot(path=SHOTS / f"{name}.png", full_page=whole)

    return taken
