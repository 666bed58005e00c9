"""`pinlab guest`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from pinlab.cli import _options as options
from pinlab.cli._show import doing
from pinlab.guest.kernel import kernel as kernel_of
from pinlab.guest.machine import boot

SECONDS = 600.0

KernelOption = Annotated[
    Path | None,
    typer.Option(
        "--kernel",
        metavar="VMLINUZ",
        help="Do it in a guest that boots this kernel, not on this machine.",
        show_default=False,
    ),
]
ModulesOption = Annotated[
    Path | None,
    typer.Option(
        "--modules",
        metavar="FOLDER",
        help="The modules of --kernel, if they are not in ../lib/modules beside it.",
        show_default=False,
    ),
]


def guest(
    words: Annotated[
        list[str],
        typer.Argument(metavar="-- COMMAND...", help="A command of pinlab, with its options."),
    ],
    kernel: Annotated[
        Path, typer.Option("--kernel", metavar="VMLINUZ", help="The kernel to boot.")
    ],
    modules: ModulesOption = None,
    timeout: Annotated[
        float, typer.Option("--timeout", help="Give up when the command takes so many seconds.")
    ] = SECONDS,
) -> int:
    """Run a command of pinlab in QEMU on a stock kernel: unprivileged, and gone afterwards.

    The status is the command's; 3 if there is no guest, or it does not answer.
    """
    return order(kernel, modules, words, options.time_of(timeout, "--timeout", 1.0))


def order(
    kernel: Path, modules: Path | None, words: Sequence[str], seconds: float = SECONDS
) -> int:
    """Boot a guest, give it one order, and say here what it said."""
    found = kernel_of(kernel, modules)
    with doing(f"booting Linux {found.release}") as tell, boot(found) as running:
        for each in running.failed:
            print(f"pinlab: in the guest: {each}", file=sys.stderr)
        tell(f"pinlab {' '.join(words)}")
        done = running.run(words, seconds)
    sys.stdout.write(done.out)
    sys.stderr.write(done.err)
    return done.status
