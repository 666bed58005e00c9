"""Walkers of drivers that no test machine has, over memory made by hand. No privileges."""

from __future__ import annotations

import pytest

from pinlab.field.holders import trees
from pinlab.field.holders.accounting import Accounted
from pinlab.field.holders.claim import Claim, Owner
from pinlab.field.holders.extents import Extents
from pinlab.field.holders.kernel import Kernel
from pinlab.field.holders.walker import load
from tests.field.image import Image, page


def walk(image: Image, kind: str) -> list[Claim]:
    return list(load()[kind].walk(Kernel(image)))


RDMA = """
struct scatterlist { long page_link; unsigned int offset; unsigned int length; u64 dma_address; };
struct sg_table { struct scatterlist *sgl; unsigned int nents; unsigned int orig_nents; };
struct sg_append_table { struct sg_table sgt; void *prv; };
struct ib_umem {
    void *ibdev; void *owning_mm; u64 iova; u64 length; long address;
    u32 writable:1; u32 is_odp:1; u32 is_dmabuf:1; struct sg_append_table sgt_append;
};
struct ib_device_ops { void *owner; u32 driver_id; };
struct ib_device { void *dma; struct ib_device_ops ops; };
struct ib_mr { struct ib_device *device; void *pd; u32 lkey; };
struct rxe_mr { u64 elem; struct ib_mr ibmr; struct ib_umem *umem; };
struct uverbs_api_object { void *type; u16 id; };
struct ib_uobject {
    u64 handle; void *object; struct list_head list; struct uverbs_api_object *uapi_object;
};
struct ib_uverbs_file { int ref; struct list_head uobjects; };
enum rdma_driver_id { RDMA_DRIVER_UNKNOWN = 0, RDMA_DRIVER_RXE = 15 };
"""


def region(image: Image, umem: int, kind: int = 7) -> int:
    """A memory region's uobject; returns its list node."""
    device = image.new("ib_device", ops__driver_id=15)
    mr = image.new("rxe_mr", ibmr__device=device, ibmr__lkey=0x1234, umem=umem)
    uobject = image.new(
        "ib_uobject",
        object=image.where("rxe_mr", mr, "ibmr"),
        uapi_object=image.new("uverbs_api_object", id=kind),
    )
    return image.where("ib_uobject", uobject, "list")


def test_rdma_follows_chained_scatter_lists() -> None:
    image = Image(RDMA)
    size = image.btf.size("scatterlist")
    more = image.room(size)
    image.set("scatterlist", more, page_link=page(300) | 2, length=4096)
    table = image.room(3 * size)
    image.set("scatterlist", table, page_link=page(100), offset=512, length=8192 - 512)
    image.set("scatterlist", table + size, page_link=page(200), length=4096)
    image.set("scatterlist", table + 2 * size, page_link=more | 1)
    fields = {"sgt_append__sgt__sgl": table, "sgt_append__sgt__orig_nents": 3}
    umem = image.new("ib_umem", address=0x7000, length=16000, **fields)
    odp = image.new("ib_umem", address=0x9000, length=4096, is_odp=1)
    uverbs = image.new("ib_uverbs_file")
    nodes = [region(image, umem), region(image, odp), region(image, umem, kind=1)]
    image.chain(image.where("ib_uverbs_file", uverbs, "uobjects"), nodes)
    image.process(7, "rping", [image.file("ib_uverbs_close", uverbs)])

    (found,) = walk(image, "rdma")

    assert found.extents == Extents([(100, 1, 1), (101, 1, 1), (200, 1, 1), (300, 1, 1)])
    assert (found.address, found.length, found.detail) == (0x7000, 16000, "memory region 0x1234")
    assert found.accounted_in == (Accounted.VM_PIN,)
    assert found.owners == (Owner(7, "rping", 3),)


TREES = """
struct rb_node { long __rb_parent_color; struct rb_node *rb_right; struct rb_node *rb_left; };
struct rb_root { struct rb_node *rb_node; };
struct rb_root_cached { struct rb_root rb_root; struct rb_node *rb_leftmost; };
struct xarray { int xa_lock; int xa_flags; void *xa_head; };
struct xa_node { u8 shift; u8 offset; u8 count; u8 nr_values; void *parent; void *slots[64]; };
"""
VFIO = (
    TREES
    + """
struct vfio_container { int kref; void *iommu_driver; void *iommu_data; };
struct vfio_iommu { struct list_head domain_list; struct rb_root dma_list; };
struct vfio_dma {
    struct rb_node node; u64 iova; long vaddr; u64 size; int prot; bool iommu_mapped;
    struct task_struct *task; struct rb_root pfn_list; u64 locked_vm;
};
struct vfio_pfn { struct rb_node node; u64 iova; long pfn; u32 ref_count; };
"""
)


def test_vfio_tells_what_is_certain_from_what_is_weak() -> None:
    image = Image(VFIO)
    iommu = image.new("vfio_iommu")
    container = image.new("vfio_container", iommu_data=iommu)
    file = image.file("vfio_fops_release", container)
    task = image.process(7, "qemu", [file])
    image.process(8, "libvirt", [file])
    pfns = [image.new("vfio_pfn", pfn=pfn) for pfn in (501, 500)]
    image.set("rb_node", pfns[0], rb_left=pfns[1])
    mapped = image.new(
        "vfio_dma", iova=0x100000, vaddr=0x7F0000, size=1 << 21, iommu_mapped=1, task=task
    )
    mediated = image.new("vfio_dma", vaddr=0x8000, size=8192, task=task, pfn_list__rb_node=pfns[0])
    image.set("rb_node", mapped, rb_right=mediated)
    image.set("vfio_iommu", iommu, dma_list__rb_node=mapped)

    weak, certain = walk(image, "vfio")

    assert weak.weak and weak.extents == Extents()
    assert (weak.address, weak.length, weak.detail) == (0x7F0000, 1 << 21, "mapped at 0x100000")
    assert not certain.weak and certain.extents == Extents([(500, 1, 1), (501, 1, 1)])
    for found in (weak, certain):
        assert found.owners == (Owner(7, "qemu", 3),)
        assert found.accounted_in == (Accounted.VM_LCK,)


IOMMUFD = (
    TREES
    + """
struct iommufd_object { int users; u32 type; u32 id; };
struct iommufd_ctx { void *file; struct xarray objects; };
struct interval_tree_node { struct rb_node rb; long start; long last; };
struct io_pagetable { int sem; struct rb_root_cached area_itree; };
struct iommufd_ioas { struct iommufd_object obj; struct io_pagetable iopt; };
struct iopt_pages {
    int kref; u64 npages; u64 npinned; struct task_struct *source_task; void *uptr;
    u8 account_mode; struct xarray pinned_pfns;
};
struct iopt_area { struct interval_tree_node node; struct iopt_pages *pages; };
enum iommufd_object_type { IOMMUFD_OBJ_DEVICE = 1, IOMMUFD_OBJ_IOAS = 3 };
enum account {
    IOPT_PAGES_ACCOUNT_NONE = 0, IOPT_PAGES_ACCOUNT_USER = 1, IOPT_PAGES_ACCOUNT_MM = 2
};
"""
)


@pytest.mark.parametrize(
    ("mode", "accounted"),
    [
        (0, (Accounted.VM_PIN,)),
        (1, (Accounted.VM_PIN, Accounted.LOCKED_VM)),
        (2, (Accounted.VM_PIN, Accounted.VM_LCK)),
    ],
)
def test_iommufd_by_account_mode(mode: int, accounted: tuple[Accounted, ...]) -> None:
    image = Image(IOMMUFD)
    task = image.process(7, "qemu")
    slots = image.new("xa_node")
    at = image.where("xa_node", slots, "slots")
    # Two values, and a marker that is none.
    for slot, entry in ((0, 700 << 1 | 1), (5, 701 << 1 | 1), (6, 0x102)):
        image.poke(at + 8 * slot, entry.to_bytes(8, "little"))
    fields = {"source_task": task, "account_mode": mode, "pinned_pfns__xa_head": slots | 2}
    pages = image.new("iopt_pages", npages=8, npinned=2, uptr=0x7000, **fields)
    idle = image.new("iopt_pages", npages=8, npinned=0)
    areas = [image.new("iopt_area", pages=each) for each in (pages, pages, idle)]
    image.set("rb_node", areas[0], rb_left=areas[1], rb_right=areas[2])
    ioas = image.new("iommufd_ioas", obj__type=3, iopt__area_itree__rb_root__rb_node=areas[0])
    context = image.new("iommufd_ctx", objects__xa_head=ioas)
    file = image.file("iommufd_fops_release", context)
    image.process(9, "other", [file])

    (found,) = walk(image, "iommufd")

    assert not found.weak
    assert found.extents == Extents([(700, 1, 1), (701, 1, 1)])
    assert (found.address, found.length) == (0x7000, 8 * 4096)
    assert found.accounted_in == accounted
    assert found.owners == (Owner(7, "qemu"),)


def test_iommufd_of_a_domain_is_weak() -> None:
    image = Image(IOMMUFD)
    task = image.process(7, "qemu")
    pages = image.new("iopt_pages", npages=8, npinned=8, uptr=0x7000, source_task=task)
    area = image.new("iopt_area", pages=pages)
    ioas = image.new("iommufd_ioas", obj__type=3, iopt__area_itree__rb_root__rb_node=area)
    context = image.new("iommufd_ctx", objects__xa_head=ioas)
    image.process(8, "files", [image.file("iommufd_fops_release", context)])

    (found,) = walk(image, "iommufd")

    assert found.weak and len(found.extents) == 0


VB2 = """
struct frame_vector {
    unsigned int nr_allocated; unsigned int nr_frames; bool is_pfns; void *ptrs[0];
};
struct vb2_dma_sg_buf { void *dev; void *vaddr; struct page **pages; struct frame_vector *vec; };
struct vb2_mem_ops { void *alloc; void *get_userptr; };
struct vb2_plane {
    void *mem_priv; void *dbuf; unsigned int length; union { u32 offset; long userptr; } m;
};
struct vb2_buffer {
    void *vb2_queue; unsigned int index; unsigned int num_planes; struct vb2_plane planes[8];
};
struct video_device { void *fops; struct vb2_queue *queue; };
struct v4l2_m2m_queue_ctx { struct vb2_queue q; };
struct v4l2_fh { struct list_head list; struct video_device *vdev; };
"""
QUEUES = {
    "6.7 and older": """
struct vb2_queue {
    u32 memory; struct vb2_mem_ops *mem_ops; struct vb2_buffer *bufs[32]; unsigned int num_buffers;
};
""",
    "6.8 and newer": """
struct vb2_queue {
    u32 memory; struct vb2_mem_ops *mem_ops; struct vb2_buffer **bufs; unsigned int max_num_buffers;
};
""",
}


@pytest.mark.parametrize("release", QUEUES)
def test_vb2(release: str) -> None:
    image = Image(QUEUES[release] + VB2)
    vector = image.new("frame_vector", spare=16, nr_frames=2)
    entries = page(900).to_bytes(8, "little") + page(905).to_bytes(8, "little")
    image.poke(image.where("frame_vector", vector, "ptrs"), entries)
    private = image.new("vb2_dma_sg_buf", vec=vector)
    buffer = image.new("vb2_buffer", index=4, num_planes=1)
    plane = image.where("vb2_buffer", buffer, "planes")
    image.set("vb2_plane", plane, mem_priv=private, length=8000, m__userptr=0x7000)
    operations = image.new("vb2_mem_ops", get_userptr=image.function("vb2_dma_sg_get_userptr"))
    queue = image.new("vb2_queue", memory=2, mem_ops=operations)
    if "newer" in release:
        buffers = image.pointers([0, buffer])
        image.set("vb2_queue", queue, bufs=buffers, max_num_buffers=2)
    else:
        image.poke(image.where("vb2_queue", queue, "bufs"), buffer.to_bytes(8, "little"))
        image.set("vb2_queue", queue, num_buffers=1)
    handle = image.new("v4l2_fh", vdev=image.new("video_device", queue=queue))
    image.process(7, "camera", [image.file("v4l2_release", handle)])

    (found,) = walk(image, "vb2")

    assert found.extents == Extents([(900, 1, 1), (905, 1, 1)])
    assert (found.address, found.length, found.detail) == (0x7000, 8000, "buffer 4.0")
    assert found.accounted_in == ()


def test_trees_bear_a_loop() -> None:
    image = Image(TREES)
    node = image.new("xa_node")
    image.poke(image.where("xa_node", node, "slots"), (node | 2).to_bytes(8, "little"))
    array = image.new("xarray", xa_head=node | 2)
    with pytest.raises(Exception, match="could not be read"):
        list(trees.xarray(Kernel(image), array))
