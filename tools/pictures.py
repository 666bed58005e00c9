"""Takes the pictures of the README: a race in the player, and who holds memory here.

    python -m tools.pictures [FOLDER]    into docs/pictures, or another folder

It needs Chromium, and for the second picture what `pinlab who` and `pinlab hold` need (root): pins
of its own are on it, which are gone when it ends. What cannot be taken is said and left as it was.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

PICTURES: Final = Path(__file__).parents[1] / "docs" / "pictures"
PINLAB: Final = (sys.executable, "-c", "from pinlab.cli import main; main()")
BROWSERS: Final = ("chromium", "chromium-browser", "google-chrome")
RACE: Final = ("explain", "untracked", "O2", "--scenario", "put-dirty-reclaim")
STEP: Final = 28
"""The last chance in it."""
HELD: Final = (
    ("io_uring", "--size", "8M"),
    ("af_xdp", "--size", "2M"),
    ("vmsplice", "--size", "64K"),
)
LONGEST: Final = 120
"""Seconds after which what is held is let go, whatever happens."""


def main(folder: Path) -> int:
    """Take what can be taken; 1 if something could not."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        print(f"no browser: none of {', '.join(BROWSERS)} is installed (Debian: chromium)")
        return 1
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        here = Path(name)
        subprocess.run([*PINLAB, *RACE, "-o", here / "race.html"], stdout=subprocess.DEVNULL)
        take(browser, here / "race.html", folder / "player.png", (1280, 900), f"#step={STEP}")
        if os.geteuid() != 0:
            print("who holds memory is told to root only: that picture stays as it was")
            return 1
        with ExitStack() as held:
            for words in HELD:
                held.enter_context(pinned(*words))
            subprocess.run(
                [*PINLAB, "who", "--all", "-o", here / "who.html"], stdout=subprocess.DEVNULL
            )
        take(browser, here / "who.html", folder / "who.png", (1280, 560))
    return 0


@contextmanager
def pinned(*words: str) -> Iterator[None]:
    """Pins for as long as the block runs."""
    line = [*PINLAB, "hold", *words, "--for", str(LONGEST)]
    with subprocess.Popen(line, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()  # it says what it holds once it does
        try:
            yield
        finally:
            holder.terminate()


def take(browser: str, page: Path, to: Path, size: tuple[int, int], fragment: str = "") -> None:
    """A picture of a page, as PNG."""
    wide, high = size
    flags = ("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run")
    subprocess.run(
        [
            browser,
            *flags,
            f"--user-data-dir={page.parent / 'profile'}",
            f"--window-size={wide},{high}",
            f"--screenshot={to}",
            f"{page.as_uri()}{fragment}",
        ],
        check=True,
        capture_output=True,
        timeout=LONGEST,
    )
    print(f"{to}: {to.stat().st_size:,} bytes")


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else PICTURES))
