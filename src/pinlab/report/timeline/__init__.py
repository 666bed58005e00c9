"""Events over time as a picture: one `Timeline`, written as Chrome trace or as a page.

`build.timeline` makes it from recorded events, `chrome.trace` and `page.html` write it.
"""

from __future__ import annotations
