"""The shell of a page: no request leaves it, its data cannot end their element, light and dark.

A page is one HTML file; what must be readable without scripts is in its body. Text that others
chose is escaped by whoever writes the body.
"""

from __future__ import annotations

import json
from html import escape
from importlib.resources import files
from string import Template
from typing import Any

GENERATOR = '<meta name="generator" content="pinlab">'
"""What every page has, and by which one is known."""


def table_script() -> str:
    """The script of a page with a table to sort, and a field to filter it by."""
    return asset(__package__, "table.js")


def page(title: str, body: str, *, style: str = "", script: str = "", data: Any = None) -> str:
    """The page: `title` is plain text, `body` HTML, `data` what the scripts read, as JSON."""
    return Template(asset(__package__, "shell.html")).substitute(
        title=escape(title),
        generator=GENERATOR,
        style=asset(__package__, "base.css") + asset(__package__, "table.css") + style,
        body=body,
        data=""
        if data is None
        else f'<script type="application/json" id="data">{inert(data)}</script>',
        script=f'<script>\n"use strict";\n{script}\n</script>' if script else "",
    )


_DATA = '<script type="application/json" id="data">{}</script>'
_SCRIPT = '<script>\n"use strict";\n{}\n</script>'


def inert(data: Any) -> str:
    """JSON in which nothing can end the element that it is in."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def asset(package: str | None, name: str) -> str:
    """A file of a package's assets/."""
    return (files(package or "") / "assets" / name).read_text(encoding="utf-8")
