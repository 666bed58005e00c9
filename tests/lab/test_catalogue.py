"""The model's functions as a reader looks for them, and those that a diff of C touches."""

from __future__ import annotations

from pathlib import Path

import pytest

from pinlab.errors import UsageError
from pinlab.lab import catalogue
from pinlab.lab.results import TouchedFunction
from pinlab.lab.scenarios.operations import OPERATIONS
from pinlab.lab.touched import touched
from pinlab.lab.worlds import LINUX_4_20 as MODEL
from pinlab.lab.worlds import LINUX_7_2


def test_one_function() -> None:
    it = catalogue.function("__remove_mapping")
    assert (it.role, it.file, it.kernel) == ("kernel", "linux/vmscan.py", ("mm/vmscan.c",))
    assert it.lines[0][1] == "@kernel"
    assert it.lines[1][1].startswith("def __remove_mapping(")
    assert it.callers == ("shrink_page_list",)
    assert it.scenarios == ("direct-io-reclaim", "put-dirty-lock-reclaim", "put-dirty-reclaim")
    assert "page_index" in it.calls
    assert set(catalogue.function("page_pinned").designs) > {"refcount-bias", "page-counter"}
    assert catalogue.function("page_mkclean").stands_for == ("page_mkclean_one", "rmap_walk_file")
    assert catalogue.function("end_page_io").stands_for == ("end_buffer_async_write",)
    it = catalogue.function("map_anon_page", LINUX_7_2)
    assert it.stands_for == ("map_anon_folio_pte_pf", "set_pte_range")


def test_pure_functions_are_called_too() -> None:
    it = catalogue.function("pte_mkclean")
    assert (it.role, it.callers) == ("pure", ("page_mkclean",))
    assert it.scenarios


def test_all_are_there_and_every_one_is_used() -> None:
    every = catalogue.functions()
    assert {it.name for it in every} == MODEL.functions.keys()
    started = {task.function.__name__ for it in OPERATIONS.values() for task in it.tasks}
    unused = (it.name for it in every if not it.callers and not it.scenarios)
    assert set(unused) <= started
    assert {file.split("/")[0] for it in every for file in it.kernel} >= {"mm", "fs"}


DIFF = """From 0123456789 Mon Sep 17 00:00:00 2001
From: A Developer <a@example.org>
Subject: [PATCH] mm: look at the page before its count

---
 mm/vmscan.c | 4 ++--
 mm/compaction.c | 1 +
 2 files changed, 3 insertions(+), 2 deletions(-)

diff --git a/mm/vmscan.c b/mm/vmscan.c
index 1111111..2222222 100644
--- a/mm/vmscan.c
+++ b/mm/vmscan.c
@@ -10,7 +10,7 @@ static int __remove_mapping(struct address_space *mapping, struct page *page,
     one = 1;
-    if (second(page))
+    if (first(page))
         return 0;
-    if (first(page))
+    if (second(page))
         return 0;
     return 1;
 }
@@ -50,5 +50,6 @@ int remove_mapping(struct address_space *mapping, struct page *page)
 }
 static bool never_there(struct page *page)
 {
+    might_sleep();
     return true;
 }
diff --git a/fs/buffer.c b/fs/buffer.c
--- a/fs/buffer.c
+++ b/fs/buffer.c
@@ -1,3 +1,3 @@ void end_buffer_async_write(struct buffer_head *bh, int uptodate)
     a = 1;
-    b = 2;
+    b = 3;
     c = 4;
diff --git a/Documentation/vm.txt b/Documentation/vm.txt
--- a/Documentation/vm.txt
+++ b/Documentation/vm.txt
@@ -1,2 +1,2 @@ pageout(
-a
+b
 c
"""


def test_what_a_diff_touches(tmp_path: Path) -> None:
    path = tmp_path / "0001-fix.patch"
    path.write_text(DIFF)
    assert touched(path).functions == (
        TouchedFunction("mm/vmscan.c", "__remove_mapping", ("__remove_mapping",)),
        TouchedFunction("mm/vmscan.c", "never_there", ()),
        TouchedFunction("fs/buffer.c", "end_buffer_async_write", ("end_page_io",)),
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is no unified diff: write one with git format-patch"),
        ("words\n", "is no unified diff"),
        (
            DIFF.replace("@@ -10,7 +10,7 @@", "@@ -10,9 +10,9 @@"),
            "is no unified diff, or its blanks were lost",
        ),
    ],
    ids=["empty", "words", "cut"],
)
def test_what_is_no_diff_is_refused(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "it"
    path.write_text(text)
    with pytest.raises(UsageError, match=says):
        touched(path)


HUNK = """--- a/{file}
+++ b/{file}
@@ -10,2 +10,2 @@{heading}
 {before}
-\told();
+\tnew();
"""


@pytest.mark.parametrize(
    ("heading", "before", "named"),
    [
        (" iomap_dio_rw(struct kiocb *iocb, struct iov_iter *iter,", " x", "iomap_dio_rw"),
        ("", "handle_mm_fault(struct vm_area_struct *vma)", "handle_mm_fault"),
        (" SYSCALL_DEFINE3(madvise, unsigned long, start,", " x", "sys_madvise"),
        (" static int foo(void)", " x", "foo"),
    ],
)
def test_a_function_is_named_in_any_way_that_the_kernel_writes_it(
    heading: str, before: str, named: str, tmp_path: Path
) -> None:
    path = tmp_path / "it"
    path.write_text(HUNK.format(file="mm/x.c", heading=heading, before=before))
    assert [each.name for each in touched(path).functions] == [named]


@pytest.mark.parametrize("heading", ["", " struct page {", " out_unlock:", " EXPORT_SYMBOL(x);"])
def test_a_hunk_without_a_function_is_counted(heading: str, tmp_path: Path) -> None:
    path = tmp_path / "it"
    one = HUNK.format(file="mm/x.c", heading=heading, before=" x")
    path.write_text(one + HUNK.format(file="mm/y.c", heading=" int foo(void)", before=" x"))
    found = touched(path)
    assert found.unnamed == (("mm/x.c", 1),)
    assert [each.name for each in found.functions] == ["foo"]


def test_who_speaks_of_a_function_that_the_model_has_not(tmp_path: Path) -> None:
    path = tmp_path / "it"
    for name, speaks in (
        ("truncate_inode_pages_range", "truncate_inode_page"),
        ("do_wp_page", "do_wp_page_anon"),
        ("dio_refill_pages", "do_direct_IO"),
        ("is_page_cache_freeable", "pageout"),
    ):
        path.write_text(HUNK.format(file="mm/x.c", heading=f" int {name}(void)", before=" x"))
        (each,) = touched(path).functions
        assert speaks in (*each.model, *each.named_in), name


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("diff --cc mm/gup.c\n@@@ -1,1 -1,1 +1,1 @@@ x\n  a\n", "combined diff of a merge"),
        ("--- a/mm/gup.c\n+++ b/mm/gup.c\n", "no hunk for mm/gup.c: it was cut short"),
    ],
)
def test_a_diff_of_which_nothing_could_be_told_is_refused(
    text: str, says: str, tmp_path: Path
) -> None:
    (tmp_path / "it").write_text(text)
    with pytest.raises(UsageError, match=says):
        touched(tmp_path / "it")


def test_what_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is a directory"):
        touched(tmp_path)
    with pytest.raises(UsageError, match="there is no file"):
        touched(tmp_path / "missing")
    with pytest.raises(UsageError, match=r"did you mean pageout\?"):
        catalogue.function("pagout")
