"""A headless browser for tests of pages: what a page is after its scripts ran, and how it looks."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
TIMEOUT = 120
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run")


def browser() -> str:
    """The browser's path; without one the test is skipped, and says so."""
    for name in NAMES:
        if (path := shutil.which(name)) is not None:
            return path
    pytest.skip(f"no browser: none of {', '.join(NAMES)} is installed (Debian: chromium)")


def visit(address: str, profile: Path, *arguments: str) -> str:
    """Open an address until its page has loaded; returns what the browser printed."""
    done = subprocess.run(
        [browser(), *FLAGS, f"--user-data-dir={profile}", *arguments, address],
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=TIMEOUT,
        check=True,
    )
    return done.stdout


def dom(page: Path, script: str = "") -> str:
    """The page as it is after its own scripts and then `script` ran.

    `script` says what it found by `say(name, value)`; it stands as name="value" on <html>.
    """
    if script:
        say = "const say = (n, v) => document.documentElement.setAttribute('data-' + n, v);"
        text = page.read_text(encoding="utf-8")
        extra = f"<script>{{ {say}\n{script}\n}}</script></body>"
        assert text.count("</body>") == 1
        page = page.with_name("scripted.html")
        page.write_text(text.replace("</body>", extra), encoding="utf-8")
    return _visit(page, "--virtual-time-budget=3000", "--dump-dom")


def screenshot(page: Path, to: Path, *flags: str) -> bytes:
    """The page as a PNG of 1200 x 900."""
    _visit(page, f"--screenshot={to}", *flags)
    return to.read_bytes()


def _visit(page: Path, *arguments: str) -> str:
    return visit(page.as_uri(), page.parent / "profile", "--window-size=1200,900", *arguments)
