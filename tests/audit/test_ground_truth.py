"""Shapes of drivers whose verdict is known, each as small as it can be.

They stand in one kernel, as drivers do, each in a folder of its own. The numbers are those of the
table of ground truth that they were taken from; the code is ours.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from pinlab.audit.audit import audit
from pinlab.audit.results import Audit, Dirtying, Rule, Site, Verdict
from tests.audit.trees import BEFORE, tree

RDS_MAP = """
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

int map(struct rds_sock *rs, unsigned long start, int nr)
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

RDS_KEEP = """
struct mr *ib_get_mr(struct scatterlist *sg, int nr)
{
	struct ib_mr *mr = kzalloc(sizeof(*mr), GFP_KERNEL);

	mr->sg = sg;
	return (struct mr *)mr;
}
"""

RDS_TEARDOWN = """
void ib_teardown(struct ib_mr *mr)
{
	for (int i = 0; i < mr->nr; i++) {
		struct page *page = sg_page(&mr->sg[i]);

		RELEASE;
	}
}
"""

RDS_TABLE = "static struct transport ib = {\n\t.get_mr = ib_get_mr,\n};\n"


def rds(release: str) -> dict[str, str]:
    """Pins in one file, hands on through a table, lets go in a third."""
    return {
        "rdma.c": RDS_MAP,
        "ib.c": RDS_TABLE,
        "ib_keep.c": RDS_KEEP,
        "ib_rdma.c": RDS_TEARDOWN.replace("RELEASE", release),
    }


@dataclass(frozen=True)
class Row:
    """A driver, and what is known of it."""

    files: Mapping[str, str]
    verdict: Verdict
    function: str = ""
    rules: frozenset[Rule] = frozenset()
    dirty: Dirtying | None = None


def one(text: str) -> dict[str, str]:
    return {"driver.c": text}


NO_LOCK = frozenset({Rule.no_lock})
NEVER = frozenset({Rule.never})

PRIVCMD = """
static int lock_pages(struct op *op, struct page *pages[], unsigned int nr)
{
	return ACQUIRE(op->start, nr, FOLL_WRITE, pages);
}

static void unlock_pages(struct page *pages[], unsigned int nr)
{
	RELEASE;
}

long ioctl_op(struct op *op)
{
	struct page **pages = kcalloc(op->nr, sizeof(*pages), GFP_KERNEL);
	int rc = lock_pages(op, pages, op->nr);

	if (rc < 0)
		goto out;
	rc = hypercall(op);
out:
	unlock_pages(pages, op->nr);
	kfree(pages);
	return rc;
}
"""

PUT_ALL = "for (unsigned int i = 0; i < nr; i++)\n\t\tput_page(pages[i])"


def privcmd(acquire: str, release: str) -> dict[str, str]:
    return one(PRIVCMD.replace("ACQUIRE", acquire).replace("RELEASE", release))


BENCHMARK = """
static void put_back(unsigned int cmd, struct page **pages, unsigned long nr)
{
	switch (cmd) {
	case GUP_FAST:
		for (unsigned long i = 0; i < nr; i++)
			put_page(pages[i]);
		break;
	case PIN_LONGTERM:
		unpin_user_pages(pages, nr);
		break;
	}
}

int bench(unsigned int cmd, unsigned long addr, unsigned long nr, struct page **pages)
{
	switch (cmd) {
	case GUP_FAST:
		nr = get_user_pages_fast(addr, nr, FOLL_WRITE, pages);
		break;
	case PIN_LONGTERM:
		nr = LONGTERM(addr, nr, FOLL_WRITE | FOLL_LONGTERM, pages);
		break;
	}
	put_back(cmd, pages, nr);
	return 0;
}
"""

TEE = """
static void put_kernel_pages(struct page **pages, size_t count)
{
	for (size_t i = 0; i < count; i++)
		put_page(pages[i]);
}

static void release_registered(struct tee_shm *shm)
{
	if (shm->pages) {
		if (shm->flags & TEE_SHM_USER_MAPPED)
			unpin_user_pages(shm->pages, shm->num_pages);
		else
			put_kernel_pages(shm->pages, shm->num_pages);
	}
}

int register_shm(struct tee_shm *shm, unsigned long start, int nr)
{
	shm->pages = kcalloc(nr, sizeof(*shm->pages), GFP_KERNEL);
	if (shm->flags & TEE_SHM_USER_MAPPED)
		return pin_user_pages_fast(start, nr, FOLL_WRITE, shm->pages);
	return get_kernel_pages(start, nr, shm->pages);
}
"""

KPC = """
void transfer_complete(struct aio_cb *acd)
{
	for (int i = 0; i < acd->count; i++)
		set_page_dirty(acd->user_pages[i]);
	for (int i = 0; i < acd->count; i++)
		put_page(acd->user_pages[i]);
}

int transfer(struct aio_cb *acd, unsigned long start)
{
	acd->user_pages = kcalloc(acd->count, sizeof(struct page *), GFP_KERNEL);
	return get_user_pages(start, acd->count, FOLL_WRITE, acd->user_pages);
}
"""

UMEM = """
static void umem_release(struct umem *umem, int dirty)
{
	struct scatterlist *sg;
	int i;

	for_each_sgtable_sg(&umem->sgt_append.sgt, sg, i)
		unpin_user_page_range_dirty_lock(sg_page(sg), sg->length, dirty);
	sg_free_append_table(&umem->sgt_append);
}

struct umem *umem_get(unsigned long start, unsigned long nr, int writable)
{
	struct umem *umem = kzalloc(sizeof(*umem), GFP_KERNEL);
	struct page **page_list = (struct page **)__get_free_page(GFP_KERNEL);
	unsigned int gup_flags = FOLL_LONGTERM;
	int pinned;

	if (writable)
		gup_flags |= FOLL_WRITE;
	pinned = pin_user_pages_fast(start, nr, gup_flags, page_list);
	if (pinned < 0)
		return ERR_PTR(pinned);
	if (sg_alloc_append_table_from_pages(&umem->sgt_append, page_list, pinned, 0, nr, 0)) {
		unpin_user_pages_dirty_lock(page_list, pinned, 0);
		goto failed;
	}
	return umem;
failed:
	umem_release(umem, 0);
	return NULL;
}
"""

VFIO = """
static int put_pfn(unsigned long pfn, int prot)
{
	struct page *page = pfn_to_page(pfn);

	RELEASE;
	return 1;
}

static int vaddr_get_pfns(struct mm_struct *mm, unsigned long vaddr, int prot,
			  unsigned long *pfn, struct page **pages)
{
	unsigned int flags = 0;
	int ret;

	if (prot & IOMMU_WRITE)
		flags |= FOLL_WRITE;
	ret = ACQUIRE(mm, vaddr, 1, flags | FOLL_LONGTERM, pages, NULL);
	if (ret > 0)
		*pfn = page_to_pfn(pages[0]);
	return ret;
}

int pin_remote(struct vfio_batch *batch, struct vfio_dma *dma, unsigned long vaddr)
{
	unsigned long pfn;
	int ret = vaddr_get_pfns(dma->mm, vaddr, dma->prot, &pfn, batch->pages);

	dma->pfn = pfn;
	return ret;
}

void unpin_one(struct vfio_dma *dma)
{
	put_pfn(dma->pfn, dma->prot);
}
"""

PROCESS_VM = """
static int rw_single(struct mm_struct *mm, unsigned long pa, struct page **process_pages, int write)
{
	unsigned int flags = 0;
	int pinned;

	if (write)
		flags |= FOLL_WRITE;
	pinned = pin_user_pages_remote(mm, pa, 16, flags, process_pages, NULL);
	if (pinned <= 0)
		return -EFAULT;
	copy_pages(process_pages, pinned);
	unpin_user_pages_dirty_lock(process_pages, pinned, write);
	return 0;
}
"""

DIO = """
static int refill(struct dio *dio, struct iov_iter *iter)
{
	struct page **pages = dio->pages;

	return ACQUIRE;
}

static void cleanup(struct dio *dio, int from, int to)
{
	RELEASE;
}
"""

BIO = """
void bio_put_pages(struct bio *bio)
{
	struct bio_vec *bvec;
	int i;

	bio_for_each_segment_all(bvec, bio, i) {
		if (bio_flagged(bio, BIO_PAGE_PINNED))
			unpin_user_page(bvec->bv_page);
	}
}

int bio_get_pages(struct bio *bio, struct iov_iter *iter)
{
	struct page **pages = (struct page **)bio->bi_io_vec;
	size_t offset;
	ssize_t size = iov_iter_extract_pages(iter, &pages, UINT_MAX, 16, 0, &offset);

	bio_add_page(bio, pages[0], size, offset);
	return size;
}

void read_user(struct block *block, struct iov_iter *iter)
{
	bio_get_pages(block->bio, iter);
}

void read_done(struct block *block)
{
	bio_put_pages(block->bio);
}
"""

BOUNCE = """
int bounce_read(struct bounce *bounce, struct iov_iter *iter)
{
	struct folio *folio = folio_alloc(GFP_KERNEL, 0);
	struct page **pages = bounce->pages;
	size_t offset;

	if (iov_iter_extract_pages(iter, &pages, UINT_MAX, 16, 0, &offset) < 0) {
		folio_put(folio);
		return -EFAULT;
	}
	bounce->folio = folio;
	return 0;
}

void unbounce_read(struct bounce *bounce)
{
	folio_put(bounce->folio);
	for (int i = 0; i < bounce->nr; i++)
		unpin_user_page(bounce->pages[i]);
}
"""

KVM = """
static int hva_to_pfn(struct follow *kfp, unsigned long hva)
{
	struct page *page;
	int npages;

	if (kfp->pin)
		npages = pin_user_pages_fast(hva, 1, FOLL_WRITE, &page);
	else
		npages = get_user_pages_fast(hva, 1, FOLL_WRITE, &page);
	if (npages > 0)
		*kfp->refcounted_page = page;
	return npages;
}

void map_page(struct follow *kfp, struct host_map *map, unsigned long hva)
{
	hva_to_pfn(kfp, hva);
	map->pinned_page = *kfp->refcounted_page;
}

void unmap_page(struct host_map *map)
{
	if (map->pinned_page)
		unpin_user_page(map->pinned_page);
}

void release_page(struct follow *kfp)
{
	put_page(*kfp->refcounted_page);
}
"""

ASYNC_PF = """
void fault_in(struct mm_struct *mm, unsigned long addr)
{
	get_user_pages_remote(mm, addr, 1, FOLL_WRITE, NULL, NULL);
}
"""

LIBRARY = """
ssize_t hand_pages(struct kiter *i, struct page **pages, unsigned int nr)
{
	return get_user_pages_fast(i->addr, nr, FOLL_WRITE, pages);
}
"""

SPLICE = """
ssize_t splice_kernel(struct sk_buff *skb, void *base, size_t size)
{
	struct page *pages[8], **ppages = pages;
	struct iov_iter iter;
	size_t off;

	iov_iter_kvec(&iter, ITER_SOURCE, base, 1, size);
	return iov_iter_extract_pages(&iter, &ppages, size, 8, 0, &off);
}
"""

URING = """
struct page **io_pin(unsigned long uaddr, int nr)
{
	struct page **pages = kvmalloc_array(nr, sizeof(*pages), GFP_KERNEL);
	int ret = pin_user_pages_fast(uaddr, nr, FOLL_WRITE | FOLL_LONGTERM, pages);

	if (ret == nr)
		return pages;
	if (ret > 0)
		unpin_user_pages(pages, ret);
	return ERR_PTR(-EFAULT);
}

int region_pin(struct region *mr, unsigned long uaddr)
{
	struct page **pages = io_pin(uaddr, mr->nr_pages);

	if (IS_ERR(pages))
		return PTR_ERR(pages);
	mr->pages = pages;
	mr->flags |= REGION_F_USER_PROVIDED;
	return 0;
}

void free_region(struct region *mr)
{
	if (mr->flags & REGION_F_USER_PROVIDED)
		unpin_user_pages(mr->pages, mr->nr_pages);
	else
		release_pages(mr->pages, mr->nr_pages);
}
"""

I915 = """
int submit_init(struct userptr *obj, unsigned long start, int nr)
{
	obj->pvec = kvmalloc_array(nr, sizeof(struct page *), GFP_KERNEL);
	return pin_user_pages_fast(start, nr, FOLL_WRITE | FOLL_LONGTERM, obj->pvec);
}

void put_pages(struct userptr *obj)
{
	for (int i = 0; i < obj->nr; i++) {
		struct page *page = obj->pvec[i];

		if (trylock_page(page)) {
			set_page_dirty(page);
			unlock_page(page);
		}
	}
	unpin_user_pages(obj->pvec, obj->nr);
}
"""

VMCI_HOST = """
int setup_notify(struct vmci_ctx *context, unsigned long uva)
{
	struct page *page;

	if (get_user_pages_fast(uva, 1, FOLL_WRITE, &page) != 1)
		return -EFAULT;
	context->notify_page = page;
	return 0;
}
"""

VMCI_CONTEXT = """
void unset_notify(struct vmci_ctx *context)
{
	struct page *notify = context->notify_page;

	context->notify_page = NULL;
	if (notify)
		put_page(notify);
}
"""

REGISTERED = """
int reg_umem(struct domain *domain, unsigned long uaddr, int nr)
{
	struct page **page_list = kcalloc(nr, sizeof(*page_list), GFP_KERNEL);

	if (pin_user_pages(uaddr, nr, FOLL_LONGTERM | FOLL_WRITE, page_list) < 0)
		return -ENOMEM;
	for (int i = 0; i < nr; i++) {
		domain->map->bounce_page = page_list[i];
		get_page(page_list[i]);
	}
	domain->umem_pages = page_list;
	return 0;
}

void dereg_umem(struct domain *domain)
{
	put_page(domain->map->bounce_page);
	unpin_user_pages_dirty_lock(domain->umem_pages, domain->nr, true);
}
"""

ONLY_FAILURE = """
int reg_buf(struct ublk *ub, unsigned long addr, int nr)
{
	struct page **pages = kcalloc(nr, sizeof(*pages), GFP_KERNEL);
	int ret;

	if (pin_user_pages_fast(addr, nr, FOLL_LONGTERM, pages) != nr)
		return -EFAULT;
	ret = somewhere_else(ub, pages, nr);
	if (ret)
		goto err_unpin;
	return 0;
err_unpin:
	unpin_user_pages(pages, nr);
	return ret;
}
"""

AFTER = """
int late(unsigned long addr, struct page *page)
{
	if (pin_user_pages_fast(addr, 1, FOLL_WRITE, &page) != 1)
		return -EFAULT;
	device_writes(page);
	unpin_user_page(page);
	set_page_dirty_lock(page);
	return 0;
}
"""

IN_A_MACRO = """
#define GRAB(addr, pages) \\\\
	pin_user_pages_fast(addr, 1, FOLL_WRITE, pages)

int uses_it(unsigned long addr, struct page **pages)
{
	return GRAB(addr, pages);
}
"""

SCIF = """
int scif_pin(struct pinned *pinned, unsigned long addr, int nr, int map_flags)
{
	if (map_flags & SCIF_MAP_KERNEL) {
		for (int i = 0; i < nr; i++)
			pinned->pages[i] = vmalloc_to_page((void *)addr + i * PAGE_SIZE);
	} else {
		pinned->nr_pages = pin_user_pages_fast(addr, nr, FOLL_WRITE, pinned->pages);
	}
	return 0;
}

int scif_unpin(struct pinned *pinned)
{
	bool kernel = pinned->map_flags & SCIF_MAP_KERNEL;

	if (kernel) {
		for (int i = 0; i < pinned->nr_pages; i++)
			if (pinned->pages[i] && !kernel)
				put_page(pinned->pages[i]);
	} else {
		unpin_user_pages_dirty_lock(pinned->pages, pinned->nr_pages, true);
	}
	return 0;
}
"""

EXTRACT = "iov_iter_extract_pages(iter, &pages, LONG_MAX, 64, 0, &dio->from)"
UNPIN_DIO = "if (dio->is_pinned)\n\t\tunpin_user_pages(dio->pages + from, to - from)"
VFIO_PIN = VFIO.replace("ACQUIRE", "pin_user_pages_remote").replace(
    "RELEASE", "unpin_user_pages_dirty_lock(&page, 1, prot & IOMMU_WRITE)"
)
DIRTY_LOCK = "unpin_user_pages_dirty_lock(pages, nr, true)"

ROWS: Mapping[str, Row] = {
    "1 rds": Row(
        rds("set_page_dirty(page);\n\t\tput_page(page)"), Verdict.wrong, "pin_pages", NO_LOCK
    ),
    "2 rds mended": Row(
        {
            name: text.replace("ib_mr", "mended_mr")
            for name, text in rds("unpin_user_pages_dirty_lock(&page, 1, true)").items()
        },
        Verdict.right,
        "pin_pages",
    ),
    "4 privcmd": Row(
        privcmd("get_user_pages_fast", PUT_ALL), Verdict.unconverted, "lock_pages", NEVER
    ),
    "5 privcmd": Row(privcmd("pin_user_pages_fast", DIRTY_LOCK), Verdict.right, "lock_pages"),
    "6 benchmark": Row(one(BENCHMARK.replace("LONGTERM(", "get_user_pages(")), Verdict.wrong),
    "7 benchmark": Row(one(BENCHMARK.replace("LONGTERM(", "pin_user_pages(")), Verdict.by_flag),
    "9 tee": Row(one(TEE), Verdict.by_flag),
    # The put stands under `kernel && !kernel`: it is never made.
    "10 scif": Row(one(SCIF), Verdict.right),
    "11 kpc": Row(one(KPC), Verdict.unconverted, "transfer", NO_LOCK, Dirtying.lock_not_seen),
    "12 umem": Row(one(UMEM), Verdict.right, "umem_get", frozenset(), Dirtying.by_flag),
    "14 vfio": Row(one(VFIO_PIN), Verdict.right, "vaddr_get_pfns"),
    "15 process_vm": Row(one(PROCESS_VM), Verdict.right, dirty=Dirtying.by_flag),
    "16 dio": Row(
        one(DIO.replace("ACQUIRE", EXTRACT).replace("RELEASE", UNPIN_DIO)), Verdict.right
    ),
    "17 bio": Row(one(BIO), Verdict.right),
    "20 bounce": Row(one(BOUNCE), Verdict.right),
    "21 kvm": Row(one(KVM), Verdict.by_flag),
    "22 async_pf": Row(one(ASYNC_PF), Verdict.nothing_held),
    "23 library": Row(one(LIBRARY), Verdict.caller),
    "24 splice": Row(one(SPLICE), Verdict.nothing_held),
    "26 io_uring": Row(one(URING), Verdict.by_flag, "io_pin"),
    "28 i915": Row(one(I915), Verdict.right, dirty=Dirtying.lock_seen),
    "29 vmci": Row(
        {"host.c": VMCI_HOST, "context.c": VMCI_CONTEXT}, Verdict.unconverted, rules=NEVER
    ),
    "an extra reference": Row(one(REGISTERED), Verdict.right),
    "only where it failed": Row(one(ONLY_FAILURE), Verdict.unknown),
    "dirtied afterwards": Row(one(AFTER), Verdict.right, rules=frozenset({Rule.after})),
    "in a macro": Row(one(IN_A_MACRO.replace("\\\\", "\\")), Verdict.unknown, "GRAB"),
}

SEV = """
static struct page **sev_pin(unsigned long uaddr, int nr)
{
	struct page **pages = kvmalloc_array(nr, sizeof(*pages), GFP_KERNEL);
	int npinned = get_user_pages_fast(uaddr, nr, 1, pages);

	if (npinned != nr) {
		release_pages(pages, npinned);
		return NULL;
	}
	return pages;
}

static void sev_unpin(struct page **pages, int nr)
{
	release_pages(pages, nr);
	kvfree(pages);
}

int launch(unsigned long uaddr, int nr)
{
	struct page **inpages = sev_pin(uaddr, nr);

	if (!inpages)
		return -ENOMEM;
	sev_unpin(inpages, nr);
	return 0;
}
"""

GOLDFISH = """
static int pin_user_pages(unsigned long first, unsigned long nr, int write, struct page *pages[])
{
	return get_user_pages_fast(first, nr, !write, pages);
}

static void release_user_pages(struct page **pages, int nr)
{
	for (int i = 0; i < nr; i++)
		put_page(pages[i]);
}

int transfer(struct pipe *pipe, unsigned long address)
{
	int count = pin_user_pages(address, 16, 1, pipe->pages);

	release_user_pages(pipe->pages, count);
	return 0;
}
"""

OLD_RDS = {
    name: text.replace("pin_user_pages_fast", "get_user_pages_fast")
    .replace("unpin_user_pages(pages, ret)", "release_pages(pages, ret)")
    .replace("unpin_user_pages(pages, nr)", "release_pages(pages, nr)")
    for name, text in rds("put_page(page)").items()
}
OLD_VFIO = (
    VFIO.replace("ACQUIRE(mm,", "get_user_pages_remote(NULL, mm,")
    .replace("pages, NULL);", "pages, NULL, NULL);")
    .replace("RELEASE", "SetPageDirty(page);\n\tput_page(page)")
)
OLD_DIO = DIO.replace("ACQUIRE", "get_user_pages_fast(iter->addr, 64, 1, pages)").replace(
    "RELEASE", "put_page(dio->pages[from])"
)

ROWS_OF_OLD: Mapping[str, Row] = {
    "3 rds": Row(OLD_RDS, Verdict.unconverted, "pin_pages"),
    "14 vfio": Row(one(OLD_VFIO), Verdict.unconverted, "vaddr_get_pfns", frozenset({Rule.raw})),
    "16 dio": Row(one(OLD_DIO), Verdict.unconverted),
    "18 sev": Row(one(SEV), Verdict.unconverted, "sev_pin"),
    "a name of its own": Row(one(GOLDFISH), Verdict.unconverted, "pin_user_pages"),
}


def folder_of(name: str) -> str:
    return f"drivers/{name.replace(' ', '_')}"


def kernel(place: Path, rows: Mapping[str, Row], **header: str) -> Audit:
    """All rows as one kernel, audited. Each has structures of its own, by a prefix."""
    files = {
        f"{folder_of(name)}/{file}": text
        for name, row in rows.items()
        for file, text in row.files.items()
    }
    return audit(tree(place, files, **header))


@pytest.fixture(scope="module")
def new(tmp_path_factory: pytest.TempPathFactory) -> Audit:
    return kernel(tmp_path_factory.mktemp("new"), ROWS)


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Audit:
    return kernel(tmp_path_factory.mktemp("old"), ROWS_OF_OLD, header=BEFORE)


def found(audited: Audit, name: str, row: Row) -> Iterator[Site]:
    for site in audited.sites:
        if site.file.startswith(folder_of(name) + "/") and row.function in ("", site.function):
            yield site


def holds(audited: Audit, name: str, row: Row) -> None:
    sites = list(found(audited, name, row))
    assert sites
    decided = next((each for each in sites if each.verdict is row.verdict), None)
    assert decided is not None, [(each.call, each.verdict, each.why) for each in sites]
    broken = {each.rule for each in decided.hazards} - {Rule.long_lived, Rule.longterm_get}
    if row.rules or row.verdict is Verdict.right:
        assert broken == row.rules, decided.hazards
    if row.dirty is not None:
        assert decided.dirty is row.dirty


@pytest.mark.parametrize("name", ROWS)
def test_since_pins_are_counted(new: Audit, name: str) -> None:
    holds(new, name, ROWS[name])


@pytest.mark.parametrize("name", ROWS_OF_OLD)
def test_before_there_were_pins(old: Audit, name: str) -> None:
    holds(old, name, ROWS_OF_OLD[name])


def test_the_wrong_release_is_shown_with_its_way(new: Audit) -> None:
    (site,) = found(new, "1 rds", ROWS["1 rds"])
    assert site.flags == ("FOLL_LONGTERM", "~FOLL_WRITE")
    (bad,) = (each for each in site.paths if each.verdict is Verdict.wrong)
    assert (bad.file, bad.function) == ("drivers/1_rds/ib_rdma.c", "ib_teardown")
    assert bad.by_way_of[1:4] == ("map()", "ib_get_mr()", "ib_mr.sg")


def test_longterm_without_pin_says_so(new: Audit) -> None:
    sites = list(found(new, "6 benchmark", ROWS["6 benchmark"]))
    (site,) = (each for each in sites if each.verdict is Verdict.wrong)
    assert {each.rule for each in site.hazards} >= {Rule.longterm_get}


def test_an_int_that_says_whether_to_write(old: Audit) -> None:
    (sev,) = found(old, "18 sev", ROWS_OF_OLD["18 sev"])
    (goldfish,) = found(old, "a name of its own", ROWS_OF_OLD["a name of its own"])
    assert (sev.flags, goldfish.flags) == (("FOLL_WRITE",), ("~FOLL_WRITE",))


def test_what_is_kept_without_longterm_is_told(new: Audit) -> None:
    (site,) = found(new, "9 tee", ROWS["9 tee"])
    assert [each.rule for each in site.hazards if each.rule is Rule.long_lived]
