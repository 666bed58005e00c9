"""Litmus tests: read, refused, and answered."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pinlab.errors import UsageError
from pinlab.lab import face
from pinlab.lab.results import LitmusResult

SB = """C SB

{ }

P0(int *x, int *y)
{
	int r0;
	WRITE_ONCE(*x, 1);
	r0 = READ_ONCE(*y);
}

P1(int *x, int *y)
{
	int r0;
	WRITE_ONCE(*y, 1);
	r0 = READ_ONCE(*x);
}

exists (0:r0=0 /\\ 1:r0=0)
"""


def thread(number: int, body: str, parameters: str = "int *x, int *y") -> str:
    return f"P{number}({parameters})\n{{\n{body}\n}}\n"


def asked(tmp_path: Path, text: str) -> LitmusResult:
    path = tmp_path / "test.litmus"
    path.write_text(text)
    return face.litmus(path)


def words(found: LitmusResult) -> str:
    """Never, Sometimes, Always under sc, x86-tso, arm64, by first letters."""
    return "".join("N" if not a.possible else "A" if a.always else "S" for a in found.answers)


def one(tmp_path: Path, setup: str, threads: list[str], condition: str) -> str:
    body = "\n".join(threads)
    return words(asked(tmp_path, f"C one\n\n{{ {setup} }}\n\n{body}\n{condition}\n"))


def test_store_buffering(tmp_path: Path) -> None:
    found = asked(tmp_path, SB)
    assert found.test == "SB"
    assert found.quantifier == "exists"
    assert words(found) == "NSS"
    assert words(asked(tmp_path, SB.replace("exists", "~exists"))) == "NSS"


def test_what_each_run_does(tmp_path: Path) -> None:
    threads = [thread(0, "WRITE_ONCE(*x, 1);")]
    assert one(tmp_path, "", threads, "exists (x=1)") == "AAA"
    assert one(tmp_path, "", threads, "exists (~(x=1))") == "NNN"
    assert one(tmp_path, "", threads, "forall (x=1 \\/ x=0)") == "AAA"


@pytest.mark.parametrize(
    ("setup", "body", "condition"),
    [
        ("x=1;", "int r0; r0 = READ_ONCE(*x);", "0:r0=1"),
        ("x=1;", "r0 = READ_ONCE(*x);", "0:r0=1"),
        ("int x=1;", "int r0 = *x;", "0:r0=1"),
        ("[x]=1;", "int r0 = atomic_read(x);", "0:r0=1"),
        ("x=ATOMIC_INIT(3);", "int r0 = atomic_add_return(2, x);", "0:r0=5 /\\ x=5"),
        ("", "*x = 2; int r0 = xchg(x, 1);", "0:r0=2 /\\ x=1"),
        ("", "int r0 = cmpxchg(x, 0, 7); int r1 = cmpxchg(x, 0, 8);", "0:r0=0 /\\ 0:r1=7 /\\ x=7"),
        ("x=0xa;", "int r0; r0 = *x; if (r0 == 10) { *y = 1; } else *y = 2;", "y=1"),
        ("", "int r0; r0 = !*x && 1 | 2; int r1 = (1 + 2) * 3 - -1;", "0:r0=1 /\\ 0:r1=10"),
        (
            "x=&y; y=4;",
            "int *r0; int r1; r0 = READ_ONCE(*x); r1 = READ_ONCE(*r0);",
            "0:r0=y /\\ 0:r1=4",
        ),
        ("", "int *r0 = &y; WRITE_ONCE(*r0, 3);", "y=3 /\\ 0:r0=&y"),
        ("", "smp_store_release(x, 1); int r0 = smp_load_acquire(x); ;", "0:r0=1"),
        (
            "",
            "rcu_read_lock(); barrier(); atomic_inc(x); smp_mb__after_atomic(); rcu_read_unlock();",
            "x=1",
        ),
        (
            "",
            "int r0 = atomic_add_unless(x, 1, 0); int r1 = atomic_add_unless(x, 2, 1);",
            "0:r0=0 /\\ 0:r1=1 /\\ x=2",
        ),
    ],
)
def test_what_c_means(tmp_path: Path, setup: str, body: str, condition: str) -> None:
    """One thread, so that there is one run."""
    assert one(tmp_path, setup, [thread(0, body)], f"exists ({condition})") == "AAA"


def test_locks(tmp_path: Path) -> None:
    locked = "spin_lock(l); WRITE_ONCE(*x, {n}); WRITE_ONCE(*y, {n}); spin_unlock(l);"
    threads = [
        thread(n, locked.replace("{n}", str(n + 1)), "int *x, int *y, spinlock_t *l")
        for n in (0, 1)
    ]
    assert one(tmp_path, "", threads, "exists (x=1 /\\ y=2)") == "NNN"
    assert one(tmp_path, "", threads, "exists (x=1 /\\ y=1)") == "SSS"


def test_comments_and_locations(tmp_path: Path) -> None:
    text = SB.replace("{ }", "(* Result: Sometimes *)\n\n{\n\tx=0; /* all */ y=0; // zero\n}")
    text = text.replace("exists", "locations [0:r0; x]\nexists")
    assert words(asked(tmp_path, text)) == "NSS"


@pytest.mark.parametrize(
    ("body", "line", "message"),
    [
        ("while (1) *x = 1;", 7, "without a loop"),
        ("synchronize_rcu();", 7, "synchronize_rcu() is not supported"),
        ("xchg_relaxed(x, 1);", 7, "xchg_relaxed() is not supported"),
        ("\nx = 1;", 8, "x is no register of P0"),
        ("int r0 = z;", 7, "z is neither a register nor a parameter"),
        ("WRITE_ONCE(x, 1);", 7, "write *x"),
        ("spin_lock(x);", 7, "a lock is a parameter of type spinlock_t"),
        ("xchg(x);", 7, "takes 2 arguments"),
        ("*x = ;", 7, "';' is not understood"),
        ("*x + 1;", 7, "does nothing"),
    ],
)
def test_what_is_refused_has_a_line(tmp_path: Path, body: str, line: int, message: str) -> None:
    text = f"C one\n\n{{ }}\n\nP0(int *x)\n{{\n{body}\n}}\n\nexists (x=1)\n"
    with pytest.raises(UsageError, match=f":{line}: .*{re.escape(message)}"):
        asked(tmp_path, text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "ends before"),
        ("X86 SB\n{ }\n", ":1: a test begins with a line `C NAME`"),
        (SB.replace("0:r0", "7:r0"), ":19: there is no thread 7"),
        (SB.replace("exists (0:r0=0", "exists (q=0"), ":19: there is no location q"),
        (SB.partition("exists")[0], "ends before its exists clause"),
        (SB.replace("0:r0", "0:r1"), ":19: P0 has no register r1"),
        (SB.replace("P1(", "P2("), ":12: P2 stands where P1 is expected"),
        (SB.replace("P1(", "P0("), ":12: P0 stands where P1 is expected"),
        (SB.replace("{ }", "{ x=4000000000; }"), "with numbers below 1,000,000"),
        (SB + "nonsense", ":20: 'nonsense' is not understood here"),
    ],
)
def test_what_is_no_test_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UsageError, match=re.escape(message)):
        asked(tmp_path, text)


def test_a_lock_that_is_kept_is_refused(tmp_path: Path) -> None:
    threads = [thread(0, "spin_lock(l);", "spinlock_t *l")]
    with pytest.raises(UsageError, match="lock"):
        one(tmp_path, "", threads, "exists (true)")


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot read"):
        face.litmus(tmp_path / "missing.litmus")


def test_what_is_cut_off_is_unknown(tmp_path: Path) -> None:
    path = tmp_path / "sb.litmus"
    path.write_text(SB)
    found = face.litmus(path, 2)
    assert {answer.possible for answer in found.answers} == {None}


def test_the_example_is_what_the_lab_finds_in_the_design() -> None:
    """tests/lab/weak/test_designs.py has the same of mapcount-v1 itself."""
    assert (
        words(face.litmus(Path(__file__).parents[3] / "examples" / "mapcount_v1.litmus")) == "NNS"
    )
