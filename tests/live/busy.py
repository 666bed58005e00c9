"""A machine that is busy: builds, pipes, direct I/O, rings and sockets, all at once and ours."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from tests.live.made import PROGRAMS, running

LOOPS = (
    "python3 -m compileall -q -f {folder}/source",
    "dd if={folder}/file of=/dev/null bs=1M iflag=direct status=none",
    "dd if=/dev/zero of={folder}/written bs=256K count=16 oflag=direct status=none",
    "head -c 64M /dev/zero | cat | cat >/dev/null",
    "tar cf - {folder}/source | gzip -1 >{folder}/archive",
)
"""Each is done again and again."""


@contextmanager
def busy(folder: Path) -> Iterator[None]:
    """Load on this machine, with files in a folder, until it is left or its process ends."""
    (folder / "file").write_bytes(bytes(8 << 20))
    (folder / "source").mkdir(exist_ok=True)
    for number in range(200):
        (folder / "source" / f"m{number}.py").write_text("def f(x):\n    return x\n" * 200)
    with ExitStack() as stack:
        for each in LOOPS:
            command = f"while :; do {each.format(folder=folder)}; done"
            stack.enter_context(_child(["sh", "-c", command]))
        for program in PROGRAMS:
            with suppress(RuntimeError):  # what this machine cannot do
                stack.enter_context(running(program))
        yield


@contextmanager
def _child(words: list[str]) -> Iterator[None]:
    # In a group of its own: a shell's children end with it. It ends with us, also after a kill.
    setpriv = ["setpriv", "--pdeathsig", "KILL"]
    with subprocess.Popen(
        [*setpriv, *words], stderr=subprocess.DEVNULL, start_new_session=True
    ) as child:
        try:
            yield
        finally:
            subprocess.run(["pkill", "-KILL", "-s", str(child.pid)], check=False)
            child.kill()


def main() -> None:
    """Be busy until killed: for somebody who wants to look."""
    with busy(Path(sys.argv[1])):
        input("busy; Enter ends it\n")


if __name__ == "__main__":
    main()
