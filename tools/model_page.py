"""Writes the tables of docs/model-7.2.md: every function of the model, by kernel file.

    python -m tools.model_page      read the docstrings, and rewrite the tables

tests/docs/test_model_page.py holds the page to the docstrings.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from pathlib import Path

from pinlab.lab.catalogue import Described, described
from pinlab.lab.language.kernel import KernelFunction
from pinlab.lab.worlds import LINUX_7_2

PAGE = Path(__file__).parents[1] / "docs" / "model-7.2.md"
BEGIN = "<!-- model: begin (python -m tools.model_page) -->"
END = "<!-- model: end -->"

PARTS = {
    "Pinning": (
        *("mm/gup.c", "mm/internal.h", "include/linux/mm.h", "include/linux/page_ref.h"),
        *("include/linux/page-flags.h", "lib/iov_iter.c", "block/bio.c", "fs/iomap/direct-io.c"),
        *("fs/splice.c", "include/linux/dma-mapping.h"),
    ),
    "Faults, fork, and what takes entries away": (
        *("mm/memory.c", "mm/mmap.c", "mm/madvise.c", "mm/huge_memory.c"),
        *("include/linux/pgtable.h", "include/linux/highmem.h", "arch/x86/mm/tlb.c"),
    ),
    "Reverse mappings": ("mm/rmap.c", "include/linux/rmap.h"),
    "The page cache": ("mm/filemap.c", "include/linux/pagemap.h"),
    "Writeback": ("mm/page-writeback.c", "fs/fs-writeback.c", "fs/buffer.c"),
    "ext4": ("fs/ext4/inode.c", "fs/ext4/page-io.c"),
    "Reclaim and freeing": ("mm/vmscan.c", "mm/swap.c", "mm/page_alloc.c"),
    "Truncation and invalidation": ("mm/truncate.c",),
    "Swap": ("mm/swapfile.c", "mm/swap_state.c", "mm/page_io.c"),
    "Moving": ("mm/khugepaged.c", "mm/mmu_gather.c", "mm/migrate.c", "mm/userfaultfd.c"),
}
"""The kernel's files, in the page's order. A function is in the table of the first it names."""

LAST = "Programs, devices, page table entries, and what only the lab knows"

Each = tuple[KernelFunction, Described]


def every() -> list[Each]:
    """The model's functions as they lie in its files, each with what it says of itself."""
    found = sorted(LINUX_7_2.functions.values(), key=_place)
    return [(it, described(it.function.__doc__ or "")) for it in found]


def generated() -> str:
    """The tables, between their marks."""
    tables: dict[str, list[Each]] = {file: [] for files in PARTS.values() for file in files}
    alone: list[Each] = []
    for each in every():
        kernel = each[1].kernel
        (tables[kernel[0][0]] if kernel else alone).append(each)
    lines = [BEGIN, "## What is said of a whole file", "", *_modules()]
    for part, files in PARTS.items():
        lines += ["", f"## {part}"]
        for file in files:
            lines += ["", f"### {file}", "", *_table("kernel", file, tables[file])]
    lines += ["", f"## {LAST}", "", *_table("", "", alone)]
    return "\n".join([*lines, END])


def written() -> str:
    """The tables, as the page has them."""
    _, begin, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    found, end, _ = rest.partition(END)
    return begin + found + end


def _modules() -> Iterable[str]:
    yield "| file | what it says |"
    yield "|---|---|"
    for it in LINUX_7_2.modules:
        file = inspect.getfile(it)
        text = " ".join((it.__doc__ or "").split())
        yield f"| {_link(Path(file).name, file)} | {_cell(text)} |"


def _table(first: str, file: str, each: Iterable[Each]) -> Iterable[str]:
    head = [*([first] if first else []), "model", "what it says", "left out"]
    yield f"| {' | '.join(head)} |"
    yield "|---" * len(head) + "|"
    for it, says in each:
        cells = [
            *([_kernel(says, file)] if first else []),
            _link(f"`{it.__name__}`", inspect.getfile(it.function)),
            _cell(says.says),
            _cell(says.left_out),
        ]
        yield f"| {' | '.join(cells)} |"


def _kernel(says: Described, here: str) -> str:
    names = []
    for file, name in says.kernel:
        names.append(f"`{name}()`" + ("" if file == here else f" ({file})"))
    return ", ".join(names)


def _link(text: str, file: str) -> str:
    return f"[{text}](../{Path(file).relative_to(PAGE.parents[1]).as_posix()})"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _place(it: KernelFunction) -> tuple[str, int]:
    return it.__module__, it.function.__code__.co_firstlineno


def main() -> None:
    """Rewrite the tables."""
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(before + generated() + after, encoding="utf-8")
    print(PAGE)


if __name__ == "__main__":
    main()
