"""Shapes of drivers whose verdict is known, each as small as it can be."""

from __future__ import annotations

from pathlib import Path

from pinlab.audit.audit import audit
from pinlab.audit.results import Rule, Site, Verdict
from tests.audit.trees import tree

MAPS = """
static int pin_pages(unsigned long start, unsigned int nr, struct page **pages, int write)
{
	unsigned int gup_flags = FOLL_LONGTERM;
	int ret;

	if (write)
		gup_flags |= FOLL_WRITE;
	ret = pin_user_pages_fast(start, nr, gup_flags, pages);
	if (ret >= 0 && ret < nr) {
		unpin_user_pages(pages, ret);
		ret = -EFAULT;
	}
	return ret;
}

int map(struct sock *rs, unsigned long start, int nr)
{
	struct page **pages = kcalloc(nr, sizeof(*pages), GFP_KERNEL);
	struct scatterlist *sg;
	struct mr *mr;

	if (pin_pages(start, nr, pages, 1) < 0)
		return -EFAULT;
	sg = kcalloc(nr, sizeof(*sg), GFP_KERNEL);
	for (int i = 0; i < nr; i++)
		sg_set_page(&sg[i], pages[i], PAGE_SIZE, 0);
	mr = rs->transport->get_mr(sg, nr);
	if (IS_ERR(mr))
		unpin_user_pages(pages, nr);
	kfree(pages);
	return 0;
}
"""

KEEPS = """
struct mr *ib_get_mr(struct scatterlist *sg, int nr)
{
	struct ib_mr *mr = kzalloc(sizeof(*mr), GFP_KERNEL);

	mr->sg = sg;
	return (struct mr *)mr;
}
"""

LETS_GO = """
void ib_teardown(struct ib_mr *mr)
{
	for (int i = 0; i < mr->nr; i++) {
		struct page *page = sg_page(&mr->sg[i]);

		RELEASE;
	}
}
"""

TABLE = """
static struct transport ib = {
	.get_mr = ib_get_mr,
};
"""


def rds(folder: Path, release: str) -> Path:
    """Pins in one file, is handed on through a table, lets go in a third: the shape of net/rds."""
    files = {
        "net/rds/rdma.c": MAPS,
        "net/rds/ib.c": TABLE,
        "net/rds/ib_keep.c": KEEPS,
        "net/rds/ib_rdma.c": LETS_GO.replace("RELEASE", release),
    }
    return tree(folder, files)


def only(folder: Path) -> Site:
    (site,) = audit(folder).sites
    return site


def test_a_pin_is_let_go_as_a_reference_in_another_file(tmp_path: Path) -> None:
    site = only(rds(tmp_path, "set_page_dirty(page);\n\t\tput_page(page)"))
    assert site.verdict is Verdict.wrong
    assert site.flags == ("FOLL_LONGTERM", "~FOLL_WRITE")
    bad = next(each for each in site.paths if each.verdict is Verdict.wrong)
    assert (bad.file, bad.function, bad.release) == ("net/rds/ib_rdma.c", "ib_teardown", "put_page")
    assert Rule.no_lock in {each.rule for each in site.hazards}


def test_and_as_a_pin_there(tmp_path: Path) -> None:
    site = only(rds(tmp_path, "unpin_user_pages_dirty_lock(&page, 1, true)"))
    assert site.verdict is Verdict.right
    assert not site.hazards
