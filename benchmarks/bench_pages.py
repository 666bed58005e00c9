"""How soon a page can be used: the player of 120 steps, beside a page of the same bytes that does
nothing.

    python -m benchmarks.bench_pages

What is timed is from the start of the navigation to behind the page's own scripts, by the page's
own clock, in a headless Chromium that starts anew for each page; the best of five.
"""

from __future__ import annotations

import html
import re
import sys
import tempfile
from pathlib import Path
from typing import Final

if __name__ == "__main__":  # run as a file: the repository is not on the path yet
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import pytest
from tests.lab.film.films import film
from tests.report import browser

from pinlab.report.player import page

RACE: Final = ("mmu-notifier", "I4", "direct-io-invalidate")
TIMES: Final = 5
SAY: Final = "document.documentElement.setAttribute('data-ready', performance.now());"


def main() -> None:
    """Print both, and their ratio."""
    try:
        browser.browser()
    except pytest.skip.Exception as missing:
        print(f"pages: {missing}")
        return
    found = film(*RACE)
    player = page.html(found)
    idle = f"<!doctype html><html><body><pre>{html.escape(player)}"
    idle = idle[: len(player) - 20] + "</pre></body></html>"
    own, peer = ready(player), ready(idle)
    size = len(player.encode()) / 1024
    print(f"player, {len(found.trace.steps)} steps, {size:,.0f} KiB: ready in {own:.0f} ms")
    print(f"the same bytes as text: {peer:.0f} ms, ratio {own / peer:.1f}")


def ready(text: str) -> float:
    """Milliseconds until the page's scripts are done, the best of some times."""
    times = []
    for _ in range(TIMES):
        with tempfile.TemporaryDirectory() as name:
            path = Path(name) / "page.html"
            path.write_text(text.replace("</body>", f"<script>{SAY}</script></body>"), "utf-8")
            shown = browser.visit(path.as_uri(), Path(name) / "profile", "--dump-dom")
        said = re.search(r'data-ready="([\d.]+)"', shown)
        assert said is not None
        times.append(float(said[1]))
    return min(times)


if __name__ == "__main__":
    main()
