"""The audit of a whole kernel beside coccinelle with the same question; as ratios, in one run.

    python benchmarks/bench_audit.py TREE        or $PINLAB_TREE

spatch answers the first part of what the audit does: where are the calls. It is given the files
that grep finds, as one would; the audit finds them itself. Both run on all cores.
"""

from __future__ import annotations

import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

if __name__ == "__main__":  # run as a file: the repository is not on the path yet
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.coccinelle import RULE
from pinlab.audit import era

COMMAND = [sys.executable, "-c", "from pinlab.cli import main; main()", "audit"]


def audited(tree: Path, cache: str) -> tuple[float, float]:
    """Seconds of an audit, and MiB of the largest of its processes."""
    started = time.perf_counter()
    subprocess.run(
        [*COMMAND, tree, "--json"],
        env={**os.environ, "XDG_CACHE_HOME": cache},
        stdout=subprocess.DEVNULL,
        check=False,
    )
    seconds = time.perf_counter() - started
    return seconds, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024


def asked_of_spatch(tree: Path, folder: Path) -> tuple[float, int]:
    """Seconds of grep and spatch, and the sites they find."""
    headers = {each: (tree / each).read_text() for each in era.HEADERS if (tree / each).exists()}
    names = "|".join(map(re.escape, era.api(headers).acquires))
    rule = folder / "sites.cocci"
    rule.write_text(RULE.replace("{names}", names))
    started = time.perf_counter()
    found = subprocess.run(
        ["grep", "-rlE", f"\\b({names})\\(", "--include=*.[ch]", "."],
        cwd=tree,
        capture_output=True,
        text=True,
        check=False,
    )
    files = [each for each in found.stdout.split() if not each.startswith(("./tools", "./Doc"))]
    cores = os.cpu_count() or 1
    children = [
        subprocess.Popen(
            ["spatch", "--very-quiet", "--sp-file", rule, *files[number::cores]],
            cwd=tree,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        for number in range(cores)
    ]
    sites = sum(each.communicate()[0].count("SITE ") for each in children)
    return time.perf_counter() - started, sites


def main(where: str | None = None) -> None:
    """Print the figures, or what is missing."""
    where = where or os.environ.get("PINLAB_TREE")
    if not where:
        print("audit: left out, as PINLAB_TREE names no kernel's source")
        return
    tree = Path(where)
    with tempfile.TemporaryDirectory() as folder:
        cold, memory = audited(tree, folder)
        warm, _ = audited(tree, folder)
        print(f"audit of {tree}: {cold:.1f} s, again {warm:.1f} s, {memory:.0f} MiB")
        if shutil.which("spatch") is None:
            print("spatch is not installed (coccinelle): no ratio")
            return
        seconds, sites = asked_of_spatch(tree, Path(folder))
        print(
            f"grep and spatch, {sites} sites: {seconds:.1f} s; "
            f"the audit takes {cold / seconds:.2f} of it"
        )


if __name__ == "__main__":
    main(*sys.argv[1:2])
