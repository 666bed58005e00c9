"""Trees as they may come: what cannot be read is told or counted, and the rest goes on."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import tarfile
import time
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pinlab.audit import syntax
from pinlab.audit.audit import audit
from pinlab.audit.facts import Unit
from pinlab.audit.results import Verdict
from pinlab.errors import UsageError
from tests.audit.trees import tree

GOOD = """
int hold(unsigned long addr, struct page **pages)
{
	int got = pin_user_pages_fast(addr, 1, FOLL_WRITE, pages);

	if (got > 0)
		unpin_user_pages_dirty_lock(pages, got, true);
	return got;
}
"""


@pytest.fixture
def kernel(tmp_path: Path) -> Path:
    return tree(
        tmp_path / "linux",
        {"drivers/good.c": GOOD, "Makefile": "VERSION = 7\nPATCHLEVEL = 2\nSUBLEVEL = 13\n"},
    )


Mode = Literal["w", "w:gz", "w:xz"]


def packed(kernel: Path, to: Path, mode: Mode = "w:xz") -> Path:
    with tarfile.open(to, mode) as tar:
        tar.add(kernel, "linux-source-7.2")
    return to


def test_a_folder(kernel: Path) -> None:
    found = audit(kernel)
    assert (found.release, [each.verdict for each in found.sites]) == ("7.2.13", [Verdict.right])
    assert not found.left_out


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:xz"])
def test_a_tar_is_what_is_in_it(kernel: Path, tmp_path: Path, mode: Mode) -> None:
    found = audit(packed(kernel, tmp_path / "linux.tar", mode))
    assert (found.release, found.sites) == ("7.2.13", audit(kernel).sites)


def test_the_second_time_it_is_the_same(kernel: Path) -> None:
    assert audit(kernel) == audit(kernel)


def test_an_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"has no include/linux/mm\.h"):
        audit(tmp_path)


def test_nothing_at_all(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no"):
        audit(tmp_path / "nowhere")


def test_a_header_that_declares_nothing(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="declares no get_user_pages"):
        audit(tree(tmp_path, {}, header="struct page;\n"))


def test_no_tar(tmp_path: Path) -> None:
    (tmp_path / "linux.tar.xz").write_bytes(b"it is a text")
    with pytest.raises(UsageError, match="is no tar"):
        audit(tmp_path / "linux.tar.xz")


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:xz"])
def test_a_truncated_tar(kernel: Path, tmp_path: Path, mode: Mode) -> None:
    for number in range(40):
        (kernel / f"drivers/more{number}.c").write_bytes(os.urandom(2000).hex().encode())
    whole = packed(kernel, tmp_path / "linux.tar", mode)
    whole.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    with pytest.raises(
        UsageError, match=r"cannot be read as a tar to its end|is damaged|ends too soon"
    ):
        audit(whole)


def test_a_tar_that_leads_out_writes_nothing_there(kernel: Path, tmp_path: Path) -> None:
    whole = packed(kernel, tmp_path / "linux.tar", "w")
    with tarfile.open(whole, "a") as tar:
        evil = tarfile.TarInfo("linux-source-7.2/../../evil.c")
        evil.size = 4
        tar.addfile(evil, io.BytesIO(b"int;"))
    audit(whole)
    assert not list(tmp_path.parent.rglob("evil.c"))


def test_what_is_left_out_is_counted(kernel: Path) -> None:
    (kernel / "drivers/binary.c").write_bytes(b"pin_user_pages(\0\xff\xfe)")
    with (kernel / "drivers/large.c").open("wb") as file:
        file.write(b"pin_user_pages")
        file.truncate(50 << 20)
    (kernel / "drivers/link.c").symlink_to("good.c")
    (kernel / "drivers/cycle").symlink_to(".")
    (kernel / "drivers/pipe.c").touch()
    found = audit(kernel)
    assert found.left_out == {"not text": 1, "larger than 1 MiB": 1, "link": 1}
    assert [each.function for each in found.sites] == ["hold"]


def test_the_workers_end_with_a_command_that_is_killed(tmp_path: Path) -> None:
    """However it ends: a signal to it alone leaves its processes without a parent."""
    command = [sys.executable, "-c", WORKERS]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        workers = [int(each) for each in child.stdout.readline().split()]
        assert workers
        child.kill()
        child.wait(10)
    end = time.monotonic() + 10
    while any(Path(f"/proc/{pid}").exists() for pid in workers) and time.monotonic() < end:
        time.sleep(0.05)
    assert not [pid for pid in workers if Path(f"/proc/{pid}").exists()]


WORKERS = """
import os, time
from pinlab.audit.tree import workers
with workers() as pool:
    print(*{pool.submit(os.getpid).result() for _ in range(20)}, flush=True)
    time.sleep(60)
"""


def test_names_that_are_no_text(kernel: Path) -> None:
    strange = os.fsencode(kernel) + b"/drivers/\xff\xfe\n.c"
    with open(strange, "wb") as file:
        file.write(GOOD.replace("hold", "held").encode())
    found = audit(kernel)
    assert {each.function for each in found.sites} == {"hold", "held"}


def test_a_file_that_is_not_C_hides_no_other(kernel: Path) -> None:
    (kernel / "drivers/odd.c").write_text("}}}} pin_user_pages( {{{{ if (((\n" * 50)
    assert "hold" in {each.function for each in audit(kernel).sites}


def test_what_is_nested_too_deeply_is_counted(kernel: Path) -> None:
    deep = "(" * 20000 + "1" + ")" * 20000
    text = f"int deep(void)\n{{\n\treturn {deep};\n}}\n{GOOD.replace('hold', 'held')}"
    (kernel / "drivers/deep.c").write_text(text)
    found = audit(kernel)
    assert "held" in {each.function for each in found.sites}
    assert found.left_out == {"function nested too deeply": 1}


def facts(text: str) -> Unit:
    return syntax.unit("a.c", text.encode(), re.compile(rb"\bpin_user_pages\w*"))


def test_a_case_behind_the_preprocessor_is_read() -> None:
    unit = facts(
        "int f(int a)\n{\n\tswitch (a) {\n\tcase 1:\n#ifdef X\n\tcase 2:\n#endif\n"
        "\t\treturn pin_user_pages(a);\n\t}\n\treturn 0;\n}\n"
    )
    assert [each.name for each in unit.functions[0].calls] == ["pin_user_pages"]
    assert not unit.unread


def test_a_second_definition_of_a_name_has_its_sites(kernel: Path) -> None:
    other = GOOD.replace("FOLL_WRITE", "0")
    (kernel / "drivers/good.c").write_text(f"#ifdef X\n{GOOD}\n#else\n{other}\n#endif\n")
    first, second = audit(kernel).sites
    assert second.line > first.line and second.verdict is Verdict.unknown
    assert "a second definition of hold()" in second.why


def test_what_the_grammar_does_not_know_is_found_as_text() -> None:
    unit = facts("STRANGE(x, {\n\tpin_user_pages_fast(a);\n\t@@ }\n")
    assert [each.name for each in unit.loose] == ["pin_user_pages_fast"] or unit.functions


def test_a_comment_and_a_string_call_nothing() -> None:
    unit = facts('int f(void)\n{\n\t/* pin_user_pages(a) */\n\treturn g("pin_user_pages(a)");\n}\n')
    assert [each.name for each in unit.functions[0].calls] == ["g"]
    assert not unit.loose


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.text(alphabet="(){}[];,*&->.=!?:|#\n pin_user_pages ab0", max_size=300))
def test_no_text_brings_it_down(text: str) -> None:
    facts(f"int f(void)\n{{\n\tpin_user_pages_fast(a, {text});\n}}\n")
