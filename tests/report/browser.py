"""A headless browser for tests of pages: what a page is after its scripts ran, and how it looks."""

from __future__ import annotations

import atexit
import json
import re
import shutil
import subprocess
import tempfile
from functools import cache
from html import unescape
from pathlib import Path
from typing import Any

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
    return _run(address, profile, *arguments).stdout


def _run(address: str, profile: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [browser(), *FLAGS, f"--user-data-dir={profile}", *arguments, address],
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=TIMEOUT,
        check=True,
    )


def dom(page: Path, script: str = "", fragment: str = "", *flags: str) -> str:
    """The page as it is after its own scripts and then `script` ran.

    `script` says what it found by `say(name, value)`; it stands as name="value" on <html>.
    `fragment` is what the address ends in, as "#step=3".
    """
    if script:
        say = "const say = (n, v) => document.documentElement.setAttribute('data-' + n, v);"
        text = page.read_text(encoding="utf-8")
        extra = f"<script>{{ {say}\n{script}\n}}</script></body>"
        assert text.count("</body>") == 1
        page = page.with_name("scripted.html")
        page.write_text(text.replace("</body>", extra), encoding="utf-8")
    return _visit(page, "--virtual-time-budget=3000", "--dump-dom", *flags, fragment=fragment)


@cache
def profile() -> Path:
    """A profile that all pages of this process share, since a new one takes half a second."""
    path = Path(tempfile.mkdtemp(prefix="pinlab-browser-"))
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    return path


def told(text: str) -> Any:
    """What a script has said of a page by `say("found", JSON)`."""
    found = re.search(r'\bdata-found="([^"]*)"', text)
    assert found, "the script said nothing"
    return json.loads(unescape(found[1]))


def asked(page: Path, script: str, fragment: str = "", *flags: str) -> Any:
    """The value of an expression in the page, as JSON has it."""
    return told(dom(page, f"say('found', JSON.stringify({script}));", fragment, *flags))


def in_frame(page: Path, width: int, script: str, fragment: str = "") -> Any:
    """The value of an expression about `it`, the document of a page that is so wide."""
    holder = framed(page, width, fragment)
    says = f"""document.getElementById('frame').addEventListener('load', (event) => {{
        const it = event.target.contentDocument;
        say('found', JSON.stringify({script}));
    }});"""
    return told(dom(holder, says))


OVER = """(() => {
    const view = it.defaultView, found = [], boxes = [];
    const shown = (element, box) => {
        for (let up = element; up; up = up.parentElement) {
            const style = view.getComputedStyle(up);
            if (style.visibility === 'hidden' || style.opacity === '0') return null;
            if (style.overflowX === 'visible' && style.overflowY === 'visible') continue;
            const edge = up.getBoundingClientRect();
            box = {
                left: Math.max(box.left, edge.left), right: Math.min(box.right, edge.right),
                top: Math.max(box.top, edge.top), bottom: Math.min(box.bottom, edge.bottom),
            };
        }
        return box.right - box.left > 1 && box.bottom - box.top > 1 ? box : null;
    };
    const walker = it.createTreeWalker(it.body, 4);
    while (walker.nextNode()) {
        const node = walker.currentNode, range = it.createRange();
        if (!node.data.trim() || /SCRIPT|STYLE|OPTION/.test(node.parentElement.tagName)) continue;
        range.selectNodeContents(node);
        for (const each of range.getClientRects()) {
            const box = shown(node.parentElement, each);
            if (box) boxes.push([node, box]);
        }
    }
    boxes.sort((a, b) => a[1].top - b[1].top);
    boxes.forEach(([one, a], n) => {
        for (let m = n + 1; m < boxes.length && boxes[m][1].top < a.bottom - 4; m += 1) {
            const [other, b] = boxes[m];
            if (one !== other && a.left < b.right - 1 && b.left < a.right - 1)
                found.push(`${one.data.trim()} / ${other.data.trim()}`);
        }
    });
    return [boxes.length, found.slice(0, 5)];
})()"""


def over_one_another(page: Path, width: int, fragment: str = "") -> list[str]:
    """Texts of a page of that width that lie over each other, as "one / other"."""
    texts, found = in_frame(page, width, OVER, fragment)
    assert texts > 10, "nothing was measured"
    assert isinstance(found, list)
    return found


def console(page: Path) -> list[str]:
    """What the page says to the console while it loads: errors above all."""
    flags = ("--enable-logging=stderr", "--v=0", "--virtual-time-budget=3000", "--dump-dom")
    done = _run(page.as_uri(), profile(), *flags)
    return [line for line in done.stderr.splitlines() if ":CONSOLE" in line]


def framed(page: Path, width: int, fragment: str = "") -> Path:
    """A page that shows the page at a width that a window cannot have: 500 pixels is its least."""
    holder = page.with_name(f"{page.stem}-{width}.html")
    holder.write_text(
        '<!doctype html><html><body style="margin:0"><iframe id="frame" style="border:0" '
        f'src="{page.name}{fragment}" width="{width}" height="900"></iframe></body></html>',
        encoding="utf-8",
    )
    return holder


def screenshot(page: Path, to: Path, *flags: str) -> bytes:
    """The page as a PNG of 1200 x 900."""
    _visit(page, f"--screenshot={to}", *flags)
    return to.read_bytes()


def _visit(page: Path, *arguments: str, fragment: str = "") -> str:
    flags = ("--window-size=1200,900", "--allow-file-access-from-files")
    return visit(page.as_uri() + fragment, profile(), *flags, *arguments)
