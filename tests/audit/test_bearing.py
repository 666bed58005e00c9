"""Which functions of a file are read where it only lets go."""

from hypothesis import given
from hypothesis import strategies as st

from pinlab.audit.bearing import bearing

PUT = {"put_page"}


def _of(*functions: tuple[str, str], tables: tuple[tuple[str, str], ...] = ()) -> set[str]:
    texts = [(name, text.encode()) for name, text in functions]
    return {functions[number][0] for number in bearing(texts, tables, PUT)}


def test_nothing_of_a_file_without_a_release() -> None:
    assert _of(("probe", "probe(void) { open(); }"), ("open", "open(void) { }")) == set()


def test_who_lets_go_who_calls_it_and_what_they_call() -> None:
    assert _of(
        ("drop", "drop(struct page *p) { put_page(p); }"),
        ("first", "first(struct b *b) { return b->page; }"),
        ("close", "close(struct b *b) { drop(first(b)); }"),
        ("remove", "remove(struct b *b) { close(b); }"),
        ("probe", "probe(struct b *b) { irq(b); }"),
        ("irq", "irq(struct b *b) { }"),
    ) == {"drop", "first", "close", "remove"}


def test_who_calls_by_a_table() -> None:
    assert _of(
        ("drop", "drop(struct page *p) { put_page(p); }"),
        ("close", "close(struct b *b) { b->ops->free(b->page); }"),
        ("probe", "probe(struct b *b) { b->ops->alloc(b); }"),
        tables=(("free", "drop"),),
    ) == {"drop", "close"}


_NAMES = st.sampled_from("abcdefgh")


@given(st.dictionaries(_NAMES, st.tuples(st.lists(_NAMES, max_size=3), st.booleans())))
def test_all_that_lets_go_or_comes_to_it_is_read_with_what_it_calls(
    calls: dict[str, tuple[list[str], bool]],
) -> None:
    functions = [
        (name, " ".join([f"{each}();" for each in callees] + ["put_page(p);"] * puts))
        for name, (callees, puts) in calls.items()
    ]
    lets_go = {name for name, (_, puts) in calls.items() if puts}
    while more := {name for name in calls.keys() - lets_go if lets_go & set(calls[name][0])}:
        lets_go |= more
    read = _of(*functions)
    assert lets_go <= read
    for name in read:
        assert set(calls[name][0]) & calls.keys() <= read
