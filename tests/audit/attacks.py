"""Small drivers that try to get a wrong *right* out of the audit.

In each a pin is let go by put_page(), in a way that a real driver might write. `[[bad||good]]` is
the driver that puts, and its repaired twin. `<<...>>` is a second release, which is right and can
be seen: each driver is tried with it and without.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

GRAB = """
static int grab(struct ctx *c, unsigned long start, int nr)
{
	int ret = pin_user_pages_fast(start, nr, FOLL_WRITE | FOLL_LONGTERM, c->pages);

	if (ret != nr) {
		if (ret > 0)
			unpin_user_pages(c->pages, ret);
		return -EFAULT;
	}
	c->nr = nr;
	return 0;
}
"""
VIS = """<<
static void reset(struct ctx *c)
{
	unpin_user_pages(c->pages, c->nr);
	c->nr = 0;
}
>>"""
CTX = "struct ctx { struct page **pages; struct page *page; int nr; void *priv; };\n"
STD = CTX + GRAB + VIS
ONE = """
static int grab1(struct ctx *c, unsigned long addr)
{
	struct page *page;

	if (pin_user_pages_fast(addr, 1, FOLL_WRITE | FOLL_LONGTERM, &page) != 1)
		return -EFAULT;
	STORE;
	return 0;
}
"""
VIS1 = """<<
static void reset1(struct ctx *c)
{
	unpin_user_page(c->page);
	c->page = NULL;
}
>>"""
TEMPLATES: dict[str, dict[str, str]] = {}


def case(name: str, text: str, extra: Mapping[str, str] | None = None) -> None:
    TEMPLATES[name] = {"drivers/x/a.c": text, **(extra or {})}


P = "[[put_page||unpin_user_page]]"
PS = "[[release_pages||unpin_user_pages]]"

# --- structure shapes
case(
    "union_member",
    """
struct ctx { int kind; union { struct page *page; unsigned long addr; struct page **pages; }; };
"""
    + ONE.replace("STORE", "c->page = page")
    + VIS1
    + f"""
void destroy(struct ctx *c) {{ if (c->kind == 1) {P}(c->page); }}
""",
)
case(
    "union_punned",
    """
union slot { struct page *page; unsigned long raw; };
struct ctx { struct page *page; union slot s; };
"""
    + ONE.replace("STORE", "c->page = page; c->s.page = page")
    + VIS1
    + f"""
void destroy(struct ctx *c) {{ {P}((struct page *)c->s.raw); }}
""",
)
case(
    "array_of_structs",
    """
struct slot { struct page *page; int used; };
struct ctx { struct page *page; struct slot slots[16]; };
"""
    + ONE.replace("STORE", "c->page = page; c->slots[0].page = page")
    + VIS1
    + f"""
void destroy(struct ctx *c) {{
	for (int i = 0; i < 16; i++)
		if (c->slots[i].used)
			{P}(c->slots[i].page);
}}
""",
)
case(
    "array_of_structs_pointer_walk",
    """
struct slot { struct page *page; int used; };
struct ctx { struct page *page; struct slot slots[16]; };
"""
    + ONE.replace("STORE", "c->page = page; c->slots[0].page = page")
    + VIS1
    + f"""
void destroy(struct ctx *c) {{
	struct slot *s, *end = c->slots + 16;
	for (s = c->slots; s != end; s++)
		{P}(s->page);
}}
""",
)
case(
    "nested_by_value",
    """
struct in { struct page *page; };
struct mid { struct in in; };
struct ctx { struct page *page; struct mid mid; };
"""
    + ONE.replace("STORE", "c->page = page; c->mid.in.page = page")
    + VIS1
    + f"""
void destroy(struct ctx *c) {{ struct in *in = &c->mid.in; {P}(in->page); }}
""",
)
case(
    "nested_unnamed_struct",
    """
struct ctx { struct page *page; struct { struct page *page; } hw; };
"""
    + ONE.replace("STORE", "c->page = page; c->hw.page = page")
    + VIS1
    + f"""
void destroy(struct ctx *c) {{ {P}(c->hw.page); }}
""",
)
case(
    "typedef_struct",
    """
typedef struct { struct page **pages; int nr; } ctx_t;
int grab(ctx_t *c, unsigned long start, int nr)
{
	int ret = pin_user_pages_fast(start, nr, FOLL_WRITE, c->pages);
	if (ret != nr) { if (ret > 0) unpin_user_pages(c->pages, ret); return -EFAULT; }
	return 0;
}
<<void reset(ctx_t *c) { unpin_user_pages(c->pages, c->nr); }>>
"""
    + f"void destroy(ctx_t *c) {{ for (int i = 0; i < c->nr; i++) {P}(c->pages[i]); }}\n",
)
case(
    "typedef_pointer",
    """
struct ctx { struct page **pages; int nr; };
typedef struct ctx *ctx_p;
"""
    + GRAB
    + VIS
    + f"void destroy(ctx_p c) {{ for (int i = 0; i < c->nr; i++) {P}(c->pages[i]); }}\n",
)
case(
    "typedef_pages_t",
    """
typedef struct page *page_p;
struct ctx { struct page **pages; int nr; };
"""
    + GRAB
    + VIS
    + f"void destroy(struct ctx *c) {{ page_p *p = c->pages; for (int i = 0; i < c->nr; i++) {P}(p[i]); }}\n",
)

case(
    "allocation_skipped_by_goto",
    CTX
    + ONE.replace("STORE", "c->page = page")
    + VIS1
    + f"""
void destroy(struct ctx *c, int user)
{{
	struct page *page = c->page;
	if (user)
		goto put;
	page = alloc_page(GFP_KERNEL);
put:
	{P}(page);
}}
""",
)

case(
    "allocation_in_a_loop",
    CTX
    + ONE.replace("STORE", "c->page = page")
    + VIS1
    + f"""
void destroy(struct ctx *c)
{{
	struct page *page = c->page;
	while (stale(c))
		page = alloc_page(GFP_KERNEL);
	{P}(page);
}}
""",
)

# --- macros
case(
    "macro_wraps_put",
    f"#define DROP(p) do {{ if (p) {P}(p); }} while (0)\n"
    + STD
    + """
void destroy(struct ctx *c) { for (int i = 0; i < c->nr; i++) DROP(c->pages[i]); }
""",
)
case(
    "macro_alias_put",
    f"#define my_release {P}\n"
    + STD
    + """
void destroy(struct ctx *c) { for (int i = 0; i < c->nr; i++) my_release(c->pages[i]); }
""",
)
case(
    "macro_compat_lower",
    f"#define compat_put_user_page(page) {P}(page)\n"
    + STD
    + """
void destroy(struct ctx *c) { for (int i = 0; i < c->nr; i++) compat_put_user_page(c->pages[i]); }
""",
)
case(
    "macro_in_header",
    STD.replace("struct ctx", '#include "x.h"\nstruct ctx', 1)
    + """
void destroy(struct ctx *c) { for (int i = 0; i < c->nr; i++) x_put(c->pages[i]); }
""",
    {"drivers/x/x.h": f"#define x_put(p) {P}(p)\n"},
)
case(
    "macro_whole_loop",
    f"""
#define RELEASE_ALL(c) \\
	do {{ \\
		int i; \\
		for (i = 0; i < (c)->nr; i++) \\
			{P}((c)->pages[i]); \\
	}} while (0)
"""
    + STD
    + "void destroy(struct ctx *c) { RELEASE_ALL(c); }\n",
)
case(
    "macro_loop_header",
    "#define for_each_pg(c, p, i) for (i = 0; i < (c)->nr && ((p) = (c)->pages[i]); i++)\n"
    + STD
    + f"""
void destroy(struct ctx *c)
{{
	struct page *p;
	int i;
	for_each_pg(c, p, i)
		{P}(p);
}}
""",
)
case(
    "macro_field_accessor",
    "#define PG(c, i) ((c)->pages[i])\n"
    + STD
    + f"""
void destroy(struct ctx *c) {{ for (int i = 0; i < c->nr; i++) {P}(PG(c, i)); }}
""",
)
case(
    "shadow_macro_unpin",
    """
#define unpin_user_page(p) put_page(p)
struct ctx { struct page *page; };
""".replace(
        "#define unpin_user_page(p) put_page(p)", "[[#define unpin_user_page(p) put_page(p)||]]"
    )
    + ONE.replace("STORE", "c->page = page")
    + """
void destroy(struct ctx *c) { unpin_user_page(c->page); }
""",
)

# --- helpers
case(
    "inline_in_header",
    STD + "void destroy(struct ctx *c) { for (int i = 0; i < c->nr; i++) x_drop(c->pages[i]); }\n",
    {"drivers/x/x.h": f"static inline void x_drop(struct page *p) {{ {P}(p); }}\n"},
)
case(
    "inline_in_include",
    STD + "void destroy(struct ctx *c) { for (int i = 0; i < c->nr; i++) x_drop(c->pages[i]); }\n",
    {"include/linux/xdrv.h": f"static inline void x_drop(struct page *p) {{ {P}(p); }}\n"},
)
case(
    "helper_other_folder",
    STD + "void destroy(struct ctx *c) { y_drop_pages(c->pages, c->nr); }\n",
    {
        "drivers/y/h.c": f"void y_drop_pages(struct page **p, int n) {{ for (int i = 0; i < n; i++) {P}(p[i]); }}\n"
    },
)
case(
    "helper_lib_folder_odd_name",
    STD + "void destroy(struct ctx *c) { ynorm(c->pages, c->nr); }\n",
    {
        "lib/y.c": f"void ynorm(struct page **p, int n) {{ for (int i = 0; i < n; i++) {P}(p[i]); }}\n"
    },
)
case(
    "same_static_name_two_files",
    STD
    + f"""
static void drop(struct page **p, int n) {{ for (int i = 0; i < n; i++) {P}(p[i]); }}
void destroy(struct ctx *c) {{ drop(c->pages, c->nr); }}
""",
    {
        "drivers/x/b.c": "static void drop(struct page **p, int n) { unpin_user_pages(p, n); }\nvoid o(struct page **q, int n) { drop(q, n); }\n"
    },
)
case(
    "static_same_name_ifdef",
    STD
    + f"""
#ifdef CONFIG_X
static void drop(struct page **p, int n) {{ unpin_user_pages(p, n); }}
#else
static void drop(struct page **p, int n) {{ for (int i = 0; i < n; i++) {P}(p[i]); }}
#endif
void destroy(struct ctx *c) {{ drop(c->pages, c->nr); }}
""",
)
case(
    "knr_definition",
    STD
    + f"""
static void drop(p, n)
	struct page **p;
	int n;
{{
	int i;
	for (i = 0; i < n; i++)
		{P}(p[i]);
}}
void destroy(struct ctx *c) {{ drop(c->pages, c->nr); }}
""",
)
case(
    "helper_wrapper_named_unpin",
    STD
    + f"""
static void x_unpin_pages(struct page **pages, int n)
{{
	while (n--)
		{P}(*pages++);
}}
void destroy(struct ctx *c) {{ x_unpin_pages(c->pages, c->nr); }}
""",
)
case(
    "static_shadows_unpin",
    """
struct ctx { struct page **pages; int nr; };
[[static void unpin_user_pages(struct page **pages, unsigned long n) { while (n--) put_page(*pages++); }||]]
int grab(struct ctx *c, unsigned long start, int nr)
{
	return pin_user_pages_fast(start, nr, FOLL_WRITE, c->pages);
}
void destroy(struct ctx *c) { unpin_user_pages(c->pages, c->nr); }
""",
)
case(
    "inline_shadow_in_compat_header",
    """
struct ctx { struct page **pages; int nr; };
int grab(struct ctx *c, unsigned long start, int nr)
{
	return pin_user_pages_fast(start, nr, FOLL_WRITE, c->pages);
}
void destroy(struct ctx *c) { x_unpin(c->pages, c->nr); }
""",
    {
        "drivers/x/compat.h": "static inline void x_unpin(struct page **pages, unsigned long n) { while (n--) [[put_page||unpin_user_page]](*pages++); }\n"
    },
)

# --- function pointers
case(
    "fnptr_assigned",
    """
struct ctx { struct page **pages; int nr; void (*done)(struct ctx *c); };
"""
    + GRAB
    + VIS
    + f"""
static void x_done(struct ctx *c) {{ for (int i = 0; i < c->nr; i++) {P}(c->pages[i]); }}
void setup(struct ctx *c) {{ c->done = x_done; }}
void destroy(struct ctx *c) {{ c->done(c); }}
""",
)
case(
    "fnptr_page_arg",
    """
struct ops { void (*rel)(struct page *p); };
struct ctx { struct page **pages; int nr; struct ops *ops; };
"""
    + GRAB
    + VIS
    + f"""
static void rel_one(struct page *p) {{ {P}(p); }}
void setup(struct ctx *c) {{ c->ops->rel = rel_one; }}
void destroy(struct ctx *c) {{ for (int i = 0; i < c->nr; i++) c->ops->rel(c->pages[i]); }}
""",
)
case(
    "fnptr_is_put_itself",
    """
struct ctx { struct page **pages; int nr; void (*rel)(struct page *p); };
"""
    + GRAB
    + VIS
    + f"""
void setup(struct ctx *c) {{ c->rel = {P}; }}
void destroy(struct ctx *c) {{ for (int i = 0; i < c->nr; i++) c->rel(c->pages[i]); }}
""",
)
case(
    "fnptr_table_put_itself",
    """
struct ops { void (*rel)(struct page *p); };
struct ctx { struct page **pages; int nr; const struct ops *ops; };
"""
    + GRAB
    + VIS
    + f"""
static const struct ops o = {{ .rel = {P} }};
void destroy(struct ctx *c) {{ for (int i = 0; i < c->nr; i++) c->ops->rel(c->pages[i]); }}
""",
)
case(
    "fnptr_local",
    STD
    + f"""
void destroy(struct ctx *c)
{{
	void (*rel)(struct page *) = {P};
	for (int i = 0; i < c->nr; i++)
		rel(c->pages[i]);
}}
""",
)
case(
    "fnptr_param",
    STD
    + f"""
static void each(struct ctx *c, void (*fn)(struct page *)) {{ for (int i = 0; i < c->nr; i++) fn(c->pages[i]); }}
static void one(struct page *p) {{ {P}(p); }}
void destroy(struct ctx *c) {{ each(c, one); }}
""",
)
case(
    "fnptr_array",
    STD
    + f"""
static void one(struct page *p) {{ {P}(p); }}
static void (*const rel[])(struct page *) = {{ one }};
void destroy(struct ctx *c) {{ for (int i = 0; i < c->nr; i++) rel[0](c->pages[i]); }}
""",
)
case(
    "positional_initialiser",
    """
struct ops { void (*rel)(struct page *p); int x; };
struct ctx { struct page **pages; int nr; const struct ops *ops; };
"""
    + GRAB
    + VIS
    + f"""
static void one(struct page *p) {{ {P}(p); }}
static const struct ops o = {{ one, 3 }};
void destroy(struct ctx *c) {{ for (int i = 0; i < c->nr; i++) c->ops->rel(c->pages[i]); }}
""",
)

# --- data flow
case(
    "container_of",
    """
struct ref { int n; };
struct ctx { struct page **pages; int nr; struct ref ref; };
"""
    + GRAB
    + VIS
    + f"""
static void rel(struct ref *r) {{ struct ctx *c = container_of(r, struct ctx, ref); for (int i = 0; i < c->nr; i++) {P}(c->pages[i]); }}
void destroy(struct ctx *c) {{ rel(&c->ref); }}
""",
)
case(
    "container_of_inline_expr",
    """
struct ref { int n; };
struct ctx { struct page *page; struct ref ref; };
"""
    + ONE.replace("STORE", "c->page = page")
    + VIS1
    + f"""
static void rel(struct ref *r) {{ {P}(container_of(r, struct ctx, ref)->page); }}
""",
)
case(
    "container_macro",
    """
struct ref { int n; };
struct ctx { struct page *page; struct ref ref; };
#define to_ctx(r) container_of(r, struct ctx, ref)
"""
    + ONE.replace("STORE", "c->page = page")
    + VIS1
    + f"""
static void rel(struct ref *r) {{ {P}(to_ctx(r)->page); }}
""",
)
case(
    "container_inline_fn",
    """
struct ref { int n; };
struct ctx { struct page *page; struct ref ref; };
static inline struct ctx *to_ctx(struct ref *r) { return container_of(r, struct ctx, ref); }
"""
    + ONE.replace("STORE", "c->page = page")
    + VIS1
    + f"""
static void rel(struct ref *r) {{ {P}(to_ctx(r)->page); }}
""",
)
case(
    "list_of_structs",
    """
struct item { struct list_head l; struct page *page; };
struct ctx { struct list_head items; struct page *page; };
static int grab(struct ctx *c, unsigned long addr)
{
	struct item *it = kzalloc(sizeof(*it), GFP_KERNEL);
	if (pin_user_pages_fast(addr, 1, FOLL_WRITE, &it->page) != 1) { kfree(it); return -EFAULT; }
	list_add(&it->l, &c->items);
	return 0;
}
<<void pop(struct ctx *c) { struct item *it = list_first_entry(&c->items, struct item, l); unpin_user_page(it->page); kfree(it); }>>
"""
    + f"""
void destroy(struct ctx *c)
{{
	struct item *it, *n;
	list_for_each_entry_safe(it, n, &c->items, l) {{ {P}(it->page); kfree(it); }}
}}
""",
)
case(
    "typed_by_macro_entry",
    """
struct item { struct list_head l; struct page *page; };
struct ctx { struct list_head items; };
static int grab(struct ctx *c, unsigned long addr)
{
	struct item *it = kzalloc(sizeof(*it), GFP_KERNEL);
	if (pin_user_pages_fast(addr, 1, FOLL_WRITE, &it->page) != 1) { kfree(it); return -EFAULT; }
	list_add(&it->l, &c->items);
	return 0;
}
<<void pop(struct item *it) { unpin_user_page(it->page); kfree(it); }>>
"""
    + f"""
void destroy(struct ctx *c)
{{
	while (!list_empty(&c->items)) {{
		{P}(list_first_entry(&c->items, struct item, l)->page);
		list_del(c->items.next);
	}}
}}
""",
)
case(
    "goto_loop",
    STD
    + f"""
void destroy(struct ctx *c)
{{
	int i = 0;
again:
	if (i >= c->nr)
		return;
	{P}(c->pages[i++]);
	goto again;
}}
""",
)
case(
    "ternary_around",
    STD
    + f"""
void destroy(struct ctx *c, bool dirty)
{{
	for (int i = 0; i < c->nr; i++)
		dirty ? unpin_user_pages_dirty_lock(&c->pages[i], 1, true) : {P}(c->pages[i]);
}}
""",
)
case(
    "do_while_0", STD + f"void destroy(struct ctx *c) {{ do {{ {P}(c->pages[0]); }} while (0); }}\n"
)
case(
    "void_private_cast",
    STD
    + f"""
void attach(struct file *f, struct ctx *c) {{ f->private_data = c; }}
int release(struct inode *i, struct file *f)
{{
	struct ctx *c = f->private_data;
	for (int k = 0; k < c->nr; k++)
		{P}(c->pages[k]);
	return 0;
}}
""",
)
case(
    "void_cast_inline",
    STD
    + f"""
int release(struct inode *i, struct file *f)
{{
	{P}(((struct ctx *)f->private_data)->pages[0]);
	return 0;
}}
""",
)
case(
    "void_callback_arg",
    STD
    + f"""
static void rel(void *data)
{{
	struct page **p = data;
	{P}(p[0]);
}}
void setup(struct device *d, struct ctx *c) {{ devm_add_action(d, rel, c->pages); }}
""",
)
case(
    "void_callback_ctx",
    STD
    + f"""
static void rel(void *data)
{{
	struct ctx *c = data;
	{P}(c->pages[0]);
}}
void setup(struct device *d, struct ctx *c) {{ devm_add_action_or_reset(d, rel, c); }}
""",
)
case(
    "pages_as_priv_then_cb",
    """
struct ctx { struct page **pages; int nr; void *priv; };
"""
    + GRAB.replace("c->nr = nr;", "c->priv = c->pages;")
    + VIS
    + f"""
void destroy(struct ctx *c) {{ struct page **p = c->priv; {P}(p[0]); }}
""",
)
case(
    "kref_release",
    """
struct ctx { struct page **pages; int nr; struct kref ref; };
"""
    + GRAB
    + VIS
    + f"""
static void rel(struct kref *k)
{{
	struct ctx *c = container_of(k, struct ctx, ref);
	for (int i = 0; i < c->nr; i++)
		{P}(c->pages[i]);
}}
void destroy(struct ctx *c) {{ kref_put(&c->ref, rel); }}
""",
)
case(
    "workqueue",
    """
struct ctx { struct page **pages; int nr; struct work_struct w; };
"""
    + GRAB
    + VIS
    + f"""
static void wk(struct work_struct *w)
{{
	struct ctx *c = container_of(w, struct ctx, w);
	{PS}(c->pages, c->nr);
}}
void destroy(struct ctx *c) {{ INIT_WORK(&c->w, wk); schedule_work(&c->w); }}
""",
)
case(
    "page_private",
    STD.replace("c->nr = nr;", "set_page_private(c->page, (unsigned long)c->pages[0]);")
    + f"""
void destroy(struct ctx *c) {{ struct page *p = (struct page *)page_private(c->page); {P}(p); }}
""",
)
case(
    "page_private_direct",
    STD.replace("c->nr = nr;", "c->page->private = (unsigned long)c->pages[0];")
    + f"""
void destroy(struct ctx *c) {{ {P}((struct page *)c->page->private); }}
""",
)
case(
    "as_ulong_member",
    """
struct ctx { struct page *page; unsigned long cookie; };
"""
    + ONE.replace("STORE", "c->page = page; c->cookie = (unsigned long)page")
    + VIS1
    + f"""
void destroy(struct ctx *c) {{ {P}((struct page *)c->cookie); }}
""",
)
case(
    "as_long_local",
    """
struct ctx { struct page *page; long cookie; };
"""
    + ONE.replace("STORE", "c->page = page; { long t = (long)page; c->cookie = t; }")
    + VIS1
    + f"""
void destroy(struct ctx *c) {{ long t = c->cookie; {P}((struct page *)t); }}
""",
)
case(
    "as_u64_tagged",
    """
struct ctx { struct page *page; u64 cookie; };
"""
    + ONE.replace("STORE", "c->page = page; c->cookie = (uintptr_t)page | 1")
    + VIS1
    + f"""
void destroy(struct ctx *c) {{ {P}((struct page *)(uintptr_t)(c->cookie & ~1ULL)); }}
""",
)
case(
    "as_tagged_xor",
    """
struct ctx { struct page *page; u64 cookie; };
"""
    + ONE.replace("STORE", "c->page = page; c->cookie = (uintptr_t)page ^ 1")
    + VIS1
    + f"""
void destroy(struct ctx *c) {{ {P}((struct page *)(c->cookie ^ 1)); }}
""",
)
case(
    "pfn_member",
    """
struct ctx { struct page *page; unsigned long pfn; };
"""
    + ONE.replace("STORE", "c->page = page; c->pfn = page_to_pfn(page)")
    + VIS1
    + f"""
void destroy(struct ctx *c) {{ {P}(pfn_to_page(c->pfn)); }}
""",
)
case(
    "pfn_shifted_mul",
    """
struct ctx { struct page *page; dma_addr_t pa; };
"""
    + ONE.replace("STORE", "c->page = page; c->pa = page_to_pfn(page) * PAGE_SIZE")
    + VIS1
    + f"""
void destroy(struct ctx *c) {{ {P}(pfn_to_page(c->pa / PAGE_SIZE)); }}
""",
)
case(
    "vaddr_virt_to_page",
    """
struct ctx { struct page *page; void *va; };
"""
    + ONE.replace("STORE", "c->page = page; c->va = kmap_local_page(page)")
    + VIS1
    + f"""
void destroy(struct ctx *c) {{ {P}(virt_to_page(c->va)); }}
""",
)
case(
    "vmap_vmalloc_to_page",
    """
struct ctx { struct page **pages; int nr; void *va; };
"""
    + GRAB.replace("c->nr = nr;", "c->va = vmap(c->pages, nr, VM_MAP, PAGE_KERNEL);")
    + VIS
    + f"""
void destroy(struct ctx *c) {{ {P}(vmalloc_to_page(c->va)); vunmap(c->va); }}
""",
)
case(
    "kmap_to_page",
    """
struct ctx { struct page *page; void *va; };
"""
    + ONE.replace("STORE", "c->page = page; c->va = kmap(page)")
    + VIS1
    + f"""
void destroy(struct ctx *c) {{ {P}(kmap_to_page(c->va)); }}
""",
)
case(
    "dma_addr_page",
    """
struct ctx { struct page *page; dma_addr_t dma; };
"""
    + ONE.replace(
        "STORE",
        "c->page = page; c->dma = dma_map_page(c->dev, page, 0, PAGE_SIZE, DMA_FROM_DEVICE)",
    )
    + VIS1
    + f"""
void destroy(struct ctx *c) {{ {P}(phys_to_page(dma_to_phys(c->dev, c->dma))); }}
""",
)
case(
    "xarray",
    """
struct ctx { struct page *page; struct xarray xa; };
"""
    + ONE.replace("STORE", "c->page = page; xa_store(&c->xa, addr, page, GFP_KERNEL)")
    + VIS1
    + f"""
void destroy(struct ctx *c) {{ struct page *p; unsigned long i; xa_for_each(&c->xa, i, p) {P}(p); }}
""",
)
case(
    "xarray_insert_erase",
    """
struct ctx { struct page *page; struct xarray xa; };
"""
    + ONE.replace("STORE", "c->page = page; xa_insert(&c->xa, addr, page, GFP_KERNEL)")
    + VIS1
    + f"""
void destroy(struct ctx *c, unsigned long i) {{ struct page *p = xa_erase(&c->xa, i); if (p) {P}(p); }}
""",
)
case(
    "idr",
    """
struct ctx { struct page *page; struct idr idr; };
"""
    + ONE.replace("STORE", "c->page = page; idr_alloc(&c->idr, page, 0, 0, GFP_KERNEL)")
    + VIS1
    + f"""
static int each(int id, void *p, void *data) {{ {P}(p); return 0; }}
void destroy(struct ctx *c) {{ idr_for_each(&c->idr, each, NULL); }}
""",
)
case(
    "idr_remove",
    """
struct ctx { struct page *page; struct idr idr; };
"""
    + ONE.replace("STORE", "c->page = page; idr_alloc(&c->idr, page, 0, 0, GFP_KERNEL)")
    + VIS1
    + f"""
void destroy(struct ctx *c, int id) {{ struct page *p = idr_remove(&c->idr, id); {P}(p); }}
""",
)
case(
    "mtree",
    """
struct ctx { struct page *page; struct maple_tree mt; };
"""
    + ONE.replace("STORE", "c->page = page; mtree_store(&c->mt, addr, page, GFP_KERNEL)")
    + VIS1
    + f"""
void destroy(struct ctx *c, unsigned long i) {{ struct page *p = mtree_erase(&c->mt, i); {P}(p); }}
""",
)
case(
    "radix_tree",
    """
struct ctx { struct page *page; struct radix_tree_root rt; };
"""
    + ONE.replace("STORE", "c->page = page; radix_tree_insert(&c->rt, addr, page)")
    + VIS1
    + f"""
void destroy(struct ctx *c, unsigned long i) {{ {P}(radix_tree_delete(&c->rt, i)); }}
""",
)
case(
    "kfifo",
    """
struct ctx { struct page *page; struct kfifo ff; };
"""
    + ONE.replace("STORE", "c->page = page; kfifo_put(&c->ff, page)")
    + VIS1
    + f"""
void destroy(struct ctx *c) {{ struct page *p; while (kfifo_get(&c->ff, &p)) {P}(p); }}
""",
)
case(
    "memcpy_struct",
    """
struct buf { struct page **pages; int nr; };
struct req { struct buf b; int x; };
struct ctx { struct page **pages; int nr; struct req *r; };
"""
    + GRAB.replace(
        "c->nr = nr;",
        "struct buf b = { .pages = c->pages, .nr = nr }; memcpy(&c->r->b, &b, sizeof(b));",
    )
    + VIS
    + f"""
void destroy(struct req *r) {{ struct buf *q = &r->b; {P}(q->pages[0]); }}
""",
)
case(
    "struct_assign_same_type",
    STD
    + f"""
void destroy(struct ctx *c) {{ struct ctx copy = *c; {P}(copy.pages[0]); }}
""",
)
case(
    "struct_assign_nested",
    """
struct buf { struct page **pages; int nr; };
struct ctx { struct page **pages; int nr; struct buf b; };
"""
    + GRAB.replace("c->nr = nr;", "struct buf b; b.pages = c->pages; b.nr = nr; c->b = b;")
    + VIS
    + f"""
void destroy(struct ctx *c) {{ {P}(c->b.pages[0]); }}
""",
)
case(
    "memcpy_page_array",
    """
struct ctx { struct page **pages; int nr; struct page *keep[16]; };
"""
    + GRAB.replace("c->nr = nr;", "memcpy(c->keep, c->pages, nr * sizeof(*c->pages));")
    + VIS
    + f"""
void destroy(struct ctx *c) {{ {P}(c->keep[0]); }}
""",
)
case(
    "memmove_page_array",
    """
struct ctx { struct page **pages; int nr; struct page *keep[16]; };
"""
    + GRAB.replace("c->nr = nr;", "memmove(c->keep, c->pages, nr * sizeof(*c->pages));")
    + VIS
    + f"""
void destroy(struct ctx *c) {{ {P}(c->keep[0]); }}
""",
)
case(
    "kmemdup_page_array",
    """
struct ctx { struct page **pages; int nr; struct page **keep; };
"""
    + GRAB.replace(
        "c->nr = nr;", "c->keep = kmemdup(c->pages, nr * sizeof(*c->pages), GFP_KERNEL);"
    )
    + VIS
    + f"""
void destroy(struct ctx *c) {{ {P}(c->keep[0]); }}
""",
)
case(
    "swap_macro",
    """
struct ctx { struct page **pages; int nr; struct page **old; };
"""
    + GRAB
    + VIS
    + f"""
void change(struct ctx *c) {{ swap(c->pages, c->old); }}
void destroy(struct ctx *c) {{ {P}(c->old[0]); }}
""",
)
case(
    "xchg_member",
    """
struct ctx { struct page *page; struct page *cur; };
"""
    + ONE.replace(
        "STORE",
        "c->page = page; { struct page *old = xchg(&c->cur, page); if (old) unpin_user_page(old); }",
    )
    + VIS1
    + f"""
void destroy(struct ctx *c) {{ struct page *p = xchg(&c->cur, NULL); if (p) {P}(p); }}
""",
)
case(
    "write_once",
    """
struct ctx { struct page *page; struct page *cur; };
"""
    + ONE.replace("STORE", "c->page = page; WRITE_ONCE(c->cur, page)")
    + VIS1
    + f"""
void destroy(struct ctx *c) {{ struct page *p = READ_ONCE(c->cur); if (p) {P}(p); }}
""",
)
case(
    "rcu_assign_smp_store",
    """
struct ctx { struct page *page; struct page __rcu *cur; };
"""
    + ONE.replace("STORE", "c->page = page; rcu_assign_pointer(c->cur, page)")
    + VIS1
    + f"""
void destroy(struct ctx *c) {{ {P}(rcu_dereference_raw(c->cur)); }}
""",
)
case(
    "cmpxchg_store",
    """
struct ctx { struct page *page; struct page *cur; };
"""
    + ONE.replace("STORE", "c->page = page; cmpxchg(&c->cur, NULL, page)")
    + VIS1
    + f"""
void destroy(struct ctx *c) {{ {P}(c->cur); }}
""",
)
case(
    "out_param",
    """
struct ctx { struct page *page; struct page *cur; };
static void give(struct page **out, struct page *p) { *out = p; }
"""
    + ONE.replace("STORE", "c->page = page; give(&c->cur, page)")
    + VIS1
    + f"""
static int take(struct ctx *c, struct page **out) {{ *out = c->cur; return 0; }}
void destroy(struct ctx *c) {{ struct page *p; take(c, &p); {P}(p); }}
""",
)
case(
    "global_extern_other_file",
    """
struct page *x_cur;
struct ctx { struct page *page; };
"""
    + ONE.replace("STORE", "c->page = page; x_cur = page")
    + VIS1,
    {"drivers/x/b.c": f"extern struct page *x_cur;\nvoid x_exit(void) {{ {P}(x_cur); }}\n"},
)
case(
    "global_array",
    """
static struct page *tab[16];
struct ctx { struct page *page; };
"""
    + ONE.replace("STORE", "c->page = page; tab[0] = page")
    + VIS1
    + f"""
void x_exit(void) {{ for (int i = 0; i < 16; i++) {P}(tab[i]); }}
""",
)
case(
    "global_struct_array",
    """
struct slot { struct page *page; };
static struct slot tab[16];
struct ctx { struct page *page; };
"""
    + ONE.replace("STORE", "c->page = page; tab[0].page = page")
    + VIS1
    + f"""
void x_exit(void) {{ for (struct slot *s = tab; s < tab + 16; s++) {P}(s->page); }}
""",
)
case(
    "per_cpu",
    """
static DEFINE_PER_CPU(struct page *, cur);
struct ctx { struct page *page; };
"""
    + ONE.replace("STORE", "c->page = page; this_cpu_write(cur, page)")
    + VIS1
    + f"""
void x_exit(void) {{ struct page *p = this_cpu_read(cur); {P}(p); }}
""",
)
case(
    "flex_array_alloc",
    """
struct bag { int nr; struct page *pages[]; };
struct ctx { struct bag *bag; };
static int grab(struct ctx *c, unsigned long start, int nr)
{
	struct bag *b = kzalloc(struct_size(b, pages, nr), GFP_KERNEL);
	int ret = pin_user_pages_fast(start, nr, FOLL_WRITE, b->pages);
	if (ret != nr) { if (ret > 0) unpin_user_pages(b->pages, ret); kfree(b); return -EFAULT; }
	c->bag = b;
	return 0;
}
<<void reset(struct ctx *c) { unpin_user_pages(c->bag->pages, c->bag->nr); }>>
"""
    + f"void destroy(struct ctx *c) {{ {P}(c->bag->pages[0]); }}\n",
)
case(
    "pages_after_struct",
    """
struct bag { int nr; };
struct ctx { struct bag *bag; };
static int grab(struct ctx *c, unsigned long start, int nr)
{
	struct bag *b = kzalloc(sizeof(*b) + nr * sizeof(void *), GFP_KERNEL);
	struct page **pages = (struct page **)(b + 1);
	int ret = pin_user_pages_fast(start, nr, FOLL_WRITE, pages);
	if (ret != nr) { if (ret > 0) unpin_user_pages(pages, ret); kfree(b); return -EFAULT; }
	c->bag = b;
	return 0;
}
<<void reset(struct ctx *c) { unpin_user_pages((struct page **)(c->bag + 1), c->bag->nr); }>>
"""
    + f"void destroy(struct ctx *c) {{ struct page **p = (struct page **)(c->bag + 1); {P}(p[0]); }}\n",
)
case(
    "compound_literal",
    """
struct slot { struct page *page; };
struct ctx { struct page *page; struct slot s; };
"""
    + ONE.replace("STORE", "c->page = page; c->s = (struct slot){ .page = page }")
    + VIS1
    + f"""
void destroy(struct ctx *c) {{ {P}(c->s.page); }}
""",
)
case(
    "compound_literal_arg",
    STD
    + f"""
struct args {{ struct page **pages; int nr; }};
static void go(struct args a) {{ {P}(a.pages[0]); }}
void destroy(struct ctx *c) {{ go((struct args){{ .pages = c->pages, .nr = c->nr }}); }}
""",
)
case(
    "compound_literal_ptr_arg",
    STD
    + f"""
struct args {{ struct page **pages; int nr; }};
static void go(const struct args *a) {{ {P}(a->pages[0]); }}
void destroy(struct ctx *c) {{ go(&(struct args){{ .pages = c->pages, .nr = c->nr }}); }}
""",
)
case(
    "positional_struct_init",
    """
struct slot { struct page *page; int n; };
struct ctx { struct page *page; struct slot *s; };
"""
    + ONE.replace("STORE", "c->page = page; { struct slot t = { page, 1 }; *c->s = t; }")
    + VIS1
    + f"""
void destroy(struct ctx *c) {{ {P}(c->s->page); }}
""",
)
case(
    "positional_local_args",
    STD
    + f"""
struct args {{ struct page **pages; int nr; }};
static void go(struct args *a) {{ {P}(a->pages[0]); }}
void destroy(struct ctx *c) {{ struct args a = {{ c->pages, c->nr }}; go(&a); }}
""",
)
case(
    "struct_return",
    STD
    + f"""
struct args {{ struct page **pages; int nr; }};
static struct args mk(struct ctx *c) {{ struct args a = {{ .pages = c->pages }}; return a; }}
void destroy(struct ctx *c) {{ struct args a = mk(c); {P}(a.pages[0]); }}
""",
)
case(
    "pointer_loop",
    STD
    + f"""
void destroy(struct ctx *c) {{ for (struct page **p = c->pages, **e = p + c->nr; p < e; p++) {P}(*p); }}
""",
)
case(
    "array_from_end",
    STD
    + f"""
void destroy(struct ctx *c) {{ struct page **p = &c->pages[c->nr]; while (p-- > c->pages) {P}(*p); }}
""",
)
case(
    "reversed_index",
    STD
    + f"""
void destroy(struct ctx *c) {{ {P}(0[c->pages]); }}
""",
)
case(
    "index_plus_left",
    STD
    + f"""
void destroy(struct ctx *c) {{ for (int i = 0; i < c->nr; i++) {P}(*(i + c->pages)); }}
""",
)
case(
    "statement_expr",
    STD
    + f"""
void destroy(struct ctx *c) {{ struct page *p = ({{ struct page *q = c->pages[0]; q; }}); {P}(p); }}
""",
)
case(
    "elvis",
    STD
    + f"""
void destroy(struct ctx *c, struct page *o) {{ {P}(c->page ?: c->pages[0]); }}
""",
)
case(
    "min_typeof",
    STD
    + f"""
void destroy(struct ctx *c) {{ typeof(*c->pages) p = c->pages[0]; __auto_type q = p; {P}(q); }}
""",
)
case(
    "comma_for",
    STD
    + f"""
void destroy(struct ctx *c) {{ int i; struct page *p; for (i = 0; p = c->pages[i], i < c->nr; i++) {P}(p); }}
""",
)
case(
    "cleanup_attribute",
    STD
    + f"""
static inline void pp(struct page **p) {{ if (*p) {P}(*p); }}
void destroy(struct ctx *c) {{ struct page *p __attribute__((cleanup(pp))) = c->pages[0]; c->nr = 0; }}
""",
)
case(
    "define_free",
    f"DEFINE_FREE(xput, struct page *, if (_T) {P}(_T))\n"
    + STD
    + """
void destroy(struct ctx *c) { struct page *p __free(xput) = c->pages[0]; c->nr = 0; }
""",
)
case(
    "free_put_page_at_site",
    """
[[DEFINE_FREE(xrel, struct page *, if (_T) put_page(_T))||DEFINE_FREE(xrel, struct page *, if (_T) unpin_user_page(_T))]]
int peek(unsigned long addr)
{
	struct page *page __free(xrel) = NULL;
	int ret = pin_user_pages_fast(addr, 1, FOLL_WRITE, &page);
	if (ret < 0) return ret;
	use(page);
	return 0;
}
""",
)
case(
    "guard_scope",
    STD
    + f"""
void destroy(struct ctx *c)
{{
	guard(mutex)(&c->lock);
	scoped_guard(spinlock, &c->sl) {{
		for (int i = 0; i < c->nr; i++)
			{P}(c->pages[i]);
	}}
}}
""",
)
case(
    "ifdef_put",
    STD
    + f"""
void destroy(struct ctx *c)
{{
	int i;
	for (i = 0; i < c->nr; i++)
#ifdef CONFIG_OLD
		{P}(c->pages[i]);
#else
		unpin_user_page(c->pages[i]);
#endif
}}
""",
)
case(
    "ifdef_version",
    STD
    + f"""
void destroy(struct ctx *c)
{{
#if LINUX_VERSION_CODE < KERNEL_VERSION(5, 6, 0)
	{PS}(c->pages, c->nr);
#else
	unpin_user_pages(c->pages, c->nr);
#endif
}}
""",
)
case(
    "ifdef_brace_split",
    STD
    + f"""
void destroy(struct ctx *c)
{{
	int i;
#ifdef A
	if (c->nr) {{
#else
	if (c->pages) {{
#endif
		for (i = 0; i < c->nr; i++)
			{P}(c->pages[i]);
	}}
}}
""",
)
case(
    "folio_convert",
    STD
    + """
void destroy(struct ctx *c) { for (int i = 0; i < c->nr; i++) { struct folio *f = page_folio(c->pages[i]); [[folio_put||unpin_user_folio]](f[[||, 1]]); } }
""",
)
case(
    "folio_batch",
    STD
    + """
void destroy(struct ctx *c)
{
	struct folio_batch fb;
	folio_batch_init(&fb);
	for (int i = 0; i < c->nr; i++)
		folio_batch_add(&fb, page_folio(c->pages[i]));
	[[folios_put(&fb)||unpin_folios(fb.folios, fb.nr)]];
}
""",
)
case(
    "pagevec_release",
    STD
    + """
void destroy(struct ctx *c)
{
	[[pagevec_release(c->pages)||unpin_user_pages(c->pages, c->nr)]];
}
""",
)
case(
    "put_user_page_list",
    STD
    + """
void destroy(struct ctx *c)
{
	LIST_HEAD(l);
	for (int i = 0; i < c->nr; i++)
		list_add(&c->pages[i]->lru, &l);
	[[put_pages_list(&l)||unpin_user_pages(c->pages, c->nr)]];
}
""",
)
case(
    "put_page_testzero",
    STD
    + """
void destroy(struct ctx *c)
{
	for (int i = 0; i < c->nr; i++)
		[[if (put_page_testzero(c->pages[i])) free_unref_page(c->pages[i], 0)||unpin_user_page(c->pages[i])]];
}
""",
)
case(
    "folio_put_testzero",
    STD
    + """
void destroy(struct ctx *c)
{
	for (int i = 0; i < c->nr; i++)
		[[folio_put_testzero(page_folio(c->pages[i]))||unpin_user_page(c->pages[i])]];
}
""",
)
case(
    "page_ref_dec",
    STD
    + """
void destroy(struct ctx *c)
{
	for (int i = 0; i < c->nr; i++)
		[[page_ref_dec(c->pages[i])||unpin_user_page(c->pages[i])]];
}
""",
)
case(
    "free_page_addr",
    STD
    + """
void destroy(struct ctx *c)
{
	[[free_page((unsigned long)page_address(c->pages[0]))||unpin_user_page(c->pages[0])]];
}
""",
)
case(
    "put_page_helper_family",
    STD
    + """
void destroy(struct ctx *c)
{
	[[__folio_put(page_folio(c->pages[0]))||unpin_user_page(c->pages[0])]];
}
""",
)
case(
    "sg_chained",
    """
struct ctx { struct page **pages; int nr; struct scatterlist *sg; };
"""
    + GRAB.replace(
        "c->nr = nr;",
        "struct scatterlist *more = kzalloc(64, GFP_KERNEL); sg_set_page(more, c->pages[0], PAGE_SIZE, 0); sg_chain(c->sg, 4, more);",
    )
    + VIS
    + f"""
void destroy(struct ctx *c) {{ struct scatterlist *s; for (s = c->sg; s; s = sg_next(s)) {P}(sg_page(s)); }}
""",
)
case(
    "sg_table_loop",
    """
struct ctx { struct page **pages; int nr; struct sg_table sgt; };
"""
    + GRAB.replace(
        "c->nr = nr;",
        "sg_alloc_table_from_pages(&c->sgt, c->pages, nr, 0, nr * PAGE_SIZE, GFP_KERNEL);",
    )
    + VIS
    + f"""
void destroy(struct ctx *c) {{ struct sg_page_iter it; for_each_sgtable_page(&c->sgt, &it, 0) {P}(sg_page_iter_page(&it)); }}
""",
)
case(
    "sg_miter",
    """
struct ctx { struct page **pages; int nr; struct sg_table sgt; };
"""
    + GRAB.replace(
        "c->nr = nr;",
        "sg_alloc_table_from_pages(&c->sgt, c->pages, nr, 0, nr * PAGE_SIZE, GFP_KERNEL);",
    )
    + VIS
    + f"""
void destroy(struct ctx *c) {{ struct sg_mapping_iter m; sg_miter_start(&m, c->sgt.sgl, c->nr, 0); while (sg_miter_next(&m)) {P}(m.page); }}
""",
)
case(
    "bvec_array",
    """
struct ctx { struct page **pages; int nr; struct bio_vec *bv; };
"""
    + GRAB.replace(
        "c->nr = nr;",
        "for (int i = 0; i < nr; i++) bvec_set_page(&c->bv[i], c->pages[i], PAGE_SIZE, 0);",
    )
    + VIS
    + f"""
void destroy(struct ctx *c) {{ for (int i = 0; i < c->nr; i++) {P}(c->bv[i].bv_page); }}
""",
)
case(
    "bvec_assign",
    """
struct ctx { struct page **pages; int nr; struct bio_vec *bv; };
"""
    + GRAB.replace(
        "c->nr = nr;",
        "for (int i = 0; i < nr; i++) { struct bio_vec *b = &c->bv[i]; b->bv_page = c->pages[i]; }",
    )
    + VIS
    + f"""
void destroy(struct ctx *c) {{ struct bio_vec *b = c->bv; while (c->nr--) {P}((b++)->bv_page); }}
""",
)
case(
    "bio_end_io",
    """
struct ctx { struct page **pages; int nr; };
"""
    + GRAB.replace(
        "c->nr = nr;",
        "struct bio *bio = bio_alloc(c->bdev, nr, 0, GFP_KERNEL); for (int i = 0; i < nr; i++) bio_add_page(bio, c->pages[i], PAGE_SIZE, 0); bio->bi_end_io = x_end; submit_bio(bio);",
    )
    + VIS
    + f"""
static void x_end(struct bio *bio) {{ struct bio_vec *bv; struct bvec_iter_all it; bio_for_each_segment_all(bv, bio, it) {P}(bv->bv_page); bio_put(bio); }}
""",
)
case(
    "skb_frags_destroy",
    """
struct ctx { struct page **pages; int nr; };
"""
    + GRAB.replace(
        "c->nr = nr;",
        "struct sk_buff *skb = alloc_skb(0, GFP_KERNEL); for (int i = 0; i < nr; i++) skb_fill_page_desc(skb, i, c->pages[i], 0, PAGE_SIZE); skb->destructor = x_free;",
    )
    + VIS
    + f"""
static void x_free(struct sk_buff *skb) {{ for (int i = 0; i < skb_shinfo(skb)->nr_frags; i++) {P}(skb_frag_page(&skb_shinfo(skb)->frags[i])); }}
""",
)
case(
    "skb_frag_unref",
    """
struct ctx { struct page **pages; int nr; };
"""
    + GRAB.replace(
        "c->nr = nr;",
        "struct sk_buff *skb = alloc_skb(0, GFP_KERNEL); for (int i = 0; i < nr; i++) skb_fill_page_desc(skb, i, c->pages[i], 0, PAGE_SIZE); [[kfree_skb(skb)||use(skb)]];",
    )
    + VIS,
)
case(
    "iov_iter_bvec_kept",
    """
struct ctx { struct page **pages; int nr; struct iov_iter it; struct bio_vec bv[16]; };
"""
    + GRAB.replace(
        "c->nr = nr;",
        "for (int i = 0; i < nr; i++) bvec_set_page(&c->bv[i], c->pages[i], PAGE_SIZE, 0); iov_iter_bvec(&c->it, 1, c->bv, nr, nr);",
    )
    + VIS
    + f"""
void destroy(struct ctx *c) {{ for (int i = 0; i < c->nr; i++) {P}(c->it.bvec[i].bv_page); }}
""",
)

# --- sites and families, failure paths
case(
    "two_sites_two_families",
    """
struct ctx { struct page **pages; int nr; bool dma; };
int grab(struct ctx *c, unsigned long start, int nr)
{
	int a, b;
	struct page *hdr;

	a = get_user_pages_fast(start, 1, 0, &hdr);
	if (a != 1)
		return -EFAULT;
	put_page(hdr);
	b = pin_user_pages_fast(start, nr, FOLL_WRITE, c->pages);
	if (b < 0)
		return b;
	return 0;
}
<<void reset(struct ctx *c) { unpin_user_pages(c->pages, c->nr); }>>
"""
    + f"void destroy(struct ctx *c) {{ for (int i = 0; i < c->nr; i++) {P}(c->pages[i]); }}\n",
)
case(
    "error_evidence_pinned",
    """
struct ctx { struct page **pages; int nr; int h; };
static int grab(struct ctx *c, unsigned long start, int nr)
{
	int pinned = pin_user_pages_fast(start, nr, FOLL_WRITE, c->pages);

	if (pinned < nr) {
		if (pinned > 0)
			unpin_user_pages(c->pages, pinned);
		return -EFAULT;
	}
	c->h = hash_pages(c->pages);
	return 0;
}
"""
    + f"void destroy(struct ctx *c) {{ for_each_kept(c, {P}); }}\n",
)
case(
    "error_evidence_early_success",
    """
struct ctx { struct page **pages; int nr; };
static int grab(struct ctx *c, unsigned long start, int nr)
{
	int ret = pin_user_pages_fast(start, nr, FOLL_WRITE, c->pages);

	if (ret == nr)
		return 0;
	unpin_user_pages(c->pages, ret);
	return -EFAULT;
}
"""
    + f"void destroy(struct ctx *c) {{ for_each_kept(c, {P}); }}\n",
)
case(
    "error_evidence_else",
    """
struct ctx { struct page **pages; int nr; };
static int grab(struct ctx *c, unsigned long start, int nr)
{
	int ret = pin_user_pages_fast(start, nr, FOLL_WRITE, c->pages);

	if (ret == nr) {
		c->nr = nr;
		ret = 0;
	} else {
		unpin_user_pages(c->pages, ret);
		ret = -EFAULT;
	}
	return ret;
}
"""
    + f"void destroy(struct ctx *c) {{ for_each_kept(c, {P}); }}\n",
)
case(
    "error_evidence_label_out",
    """
struct ctx { struct page **pages; int nr; };
static int grab(struct ctx *c, unsigned long start, int nr)
{
	int ret = pin_user_pages_fast(start, nr, FOLL_WRITE, c->pages);

	if (ret != nr)
		goto out;
	if (program(c))
		goto out;
	return 0;
out:
	unpin_user_pages(c->pages, ret);
	return -EFAULT;
}
"""
    + f"void destroy(struct ctx *c) {{ for_each_kept(c, {P}); }}\n",
)
case(
    "error_evidence_label_abort",
    """
struct ctx { struct page **pages; int nr; };
static int grab(struct ctx *c, unsigned long start, int nr)
{
	int ret = pin_user_pages_fast(start, nr, FOLL_WRITE, c->pages);

	if (ret != nr)
		goto abort;
	return program(c);
abort:
	unpin_user_pages(c->pages, ret);
	return -EFAULT;
}
"""
    + f"void destroy(struct ctx *c) {{ for_each_kept(c, {P}); }}\n",
)
case(
    "error_evidence_while",
    """
struct ctx { struct page **pages; int nr; };
static int grab(struct ctx *c, unsigned long start, int nr)
{
	int got = pin_user_pages_fast(start, nr, FOLL_WRITE, c->pages);

	if (got == nr && !program(c))
		return 0;
	while (got > 0)
		unpin_user_page(c->pages[--got]);
	return -EFAULT;
}
"""
    + f"void destroy(struct ctx *c) {{ for_each_kept(c, {P}); }}\n",
)
case(
    "error_evidence_count_compare",
    """
struct ctx { struct page **pages; int nr; };
static int grab(struct ctx *c, unsigned long start, int nr)
{
	int num = pin_user_pages_fast(start, nr, FOLL_WRITE, c->pages);

	if (num > 0 && num < nr)
		goto undo;
	if (num == -EAGAIN) {
		unpin_user_pages(c->pages, num);
		return num;
	}
	return 0;
undo:
	unpin_user_pages(c->pages, num);
	return -EFAULT;
}
"""
    + f"void destroy(struct ctx *c) {{ for_each_kept(c, {P}); }}\n",
)
case(
    "error_helper_other_function",
    """
struct ctx { struct page **pages; int nr; };
static void undo_pages(struct page **pages, int n) { unpin_user_pages(pages, n); }
static int grab(struct ctx *c, unsigned long start, int nr)
{
	int ret = pin_user_pages_fast(start, nr, FOLL_WRITE, c->pages);

	if (ret != nr) {
		if (ret > 0)
			undo_pages(c->pages, ret);
		return -EFAULT;
	}
	return 0;
}
"""
    + f"void destroy(struct ctx *c) {{ for_each_kept(c, {P}); }}\n",
)
case(
    "error_in_caller",
    """
struct ctx { struct page **pages; int nr; };
static int grab(struct ctx *c, unsigned long start, int nr)
{
	return pin_user_pages_fast(start, nr, FOLL_WRITE, c->pages);
}
int setup(struct ctx *c, unsigned long start, int nr)
{
	int ret = grab(c, start, nr);

	if (ret < nr) {
		unpin_user_pages(c->pages, ret);
		return -EFAULT;
	}
	ret = program(c);
	if (ret)
		unpin_user_pages(c->pages, nr);
	return ret;
}
"""
    + f"void destroy(struct ctx *c) {{ for_each_kept(c, {P}); }}\n",
)
case(
    "right_for_failed_only_page_of_many",
    """
struct ctx { struct page **pages; int nr; };
static int grab(struct ctx *c, unsigned long start, int nr)
{
	int ret = pin_user_pages_fast(start, nr, FOLL_WRITE, c->pages);

	if (ret < 0)
		return ret;
	if (c->pages[0] && !usable(c->pages[0]))
		unpin_user_page(c->pages[0]);
	if (!c->pages)
		unpin_user_pages(c->pages, ret);
	return 0;
}
"""
    + f"void destroy(struct ctx *c) {{ for_each_kept(c, {P}); }}\n",
)
case(
    "flagged_excuse",
    STD.replace("int nr;", "int nr; unsigned flags;", 1)
    + f"""
void destroy(struct ctx *c)
{{
	if (c->flags & CTX_DIRTY)
		unpin_user_pages_dirty_lock(c->pages, c->nr, true);
	else
		for (int i = 0; i < c->nr; i++) {P}(c->pages[i]);
}}
""",
)
case(
    "both_in_one_function",
    STD
    + f"""
void destroy(struct ctx *c)
{{
	unpin_user_pages(c->pages, c->nr / 2);
	for (int i = c->nr / 2; i < c->nr; i++)
		{P}(c->pages[i]);
}}
""",
)
case(
    "param_excuse",
    STD
    + f"""
static void drop(struct ctx *c, int dirty)
{{
	if (dirty)
		set_page_dirty_lock(c->pages[0]);
	if (!dirty)
		{P}(c->pages[0]);
}}
void destroy(struct ctx *c) {{ drop(c, 0); }}
""",
)
case(
    "get_page_balance_unrelated",
    STD
    + f"""
void share(struct ctx *c) {{ get_page(c->pages[0]); give(c->pages[0]); }}
void destroy(struct ctx *c) {{ for (int i = 0; i < c->nr; i++) {P}(c->pages[i]); }}
""",
)
case(
    "get_page_balance_at_site",
    """
struct ctx { struct page **pages; struct page *page; int nr; };
"""
    + GRAB.replace("c->nr = nr;", "get_page(c->pages[0]); export_page(c->pages[0]);")
    + VIS
    + f"""
void destroy(struct ctx *c) {{ for (int i = 0; i < c->nr; i++) {P}(c->pages[i]); }}
""",
)
case(
    "table_sibling_excluded",
    """
struct ctx { struct page **pages; int nr; };
"""
    + GRAB
    + VIS
    + """
static void a_free(struct ctx *c) { unpin_user_pages(c->pages, c->nr); }
static const struct ops a_ops = { .free = a_free };
""",
    {
        "drivers/x/b.c": f"""
static void b_free(struct ctx *c) {{ for (int i = 0; i < c->nr; i++) {P}(c->pages[i]); }}
static const struct ops b_ops = {{ .free = b_free }};
"""
    },
)
case(
    "table_sibling_probe_remove",
    """
struct ctx { struct page **pages; int nr; };
"""
    + GRAB
    + VIS
    + """
static int a_mmap(struct ctx *c) { return 0; }
static int a_release(struct inode *i, struct file *f) { return 0; }
static const struct file_operations a_ops = { .release = a_release };
""",
    {
        "drivers/x/b.c": f"""
static int b_release(struct inode *i, struct file *f) {{ struct ctx *c = f->private_data; for (int k = 0; k < c->nr; k++) {P}(c->pages[k]); return 0; }}
static const struct file_operations b_ops = {{ .release = b_release }};
""",
        "drivers/x/x.h": "struct ctx { struct page **pages; int nr; };\n",
    },
)
case(
    "struct_in_header_two_files",
    '#include "x.h"\n' + GRAB + VIS,
    {
        "drivers/x/x.h": "struct ctx { struct page **pages; int nr; };\n",
        "drivers/x/b.c": f'#include "x.h"\nvoid destroy(struct ctx *c) {{ for (int i = 0; i < c->nr; i++) {P}(c->pages[i]); }}\n',
    },
)
case(
    "struct_own_and_header_same_tag",
    STD,
    {
        "drivers/x/b.c": CTX
        + f"void destroy(struct ctx *c) {{ for (int i = 0; i < c->nr; i++) {P}(c->pages[i]); }}\n"
    },
)
case(
    "core_folder_put",
    STD,
    {
        "drivers/y/b.c": f'#include "../x/x.h"\nvoid destroy(struct xctx *c) {{ for (int i = 0; i < c->base.nr; i++) {P}(c->base.pages[i]); }}\n',
        "drivers/x/x.h": "struct xctx { struct ctx base; };\n",
    },
)
case(
    "struct_header_other_folder_put",
    "#include <x.h>\n" + GRAB + VIS,
    {
        "include/linux/x.h": "struct ctx { struct page **pages; int nr; };\n",
        "drivers/y/b.c": f"#include <x.h>\nvoid y_bye(struct ctx *c) {{ for (int i = 0; i < c->nr; i++) {P}(c->pages[i]); }}\n",
    },
)
case(
    "same_struct_tag_two_drivers_twin_innocent",
    STD.replace("struct ctx {", "struct ctx {", 1)
    + "[[void destroy(struct ctx *c) { put_page(c->pages[0]); }||]]\n",
    {
        "drivers/y/b.c": "struct ctx { struct page **pages; int nr; };\nint g(struct ctx *c, unsigned long s, int n) { return get_user_pages_fast(s, n, 0, c->pages); }\nvoid d(struct ctx *c) { put_page(c->pages[0]); }\n"
    },
)
case(
    "wrapper_two_callers",
    """
struct ctx { struct page **pages; int nr; };
struct dtx { struct page **pages; int nr; };
int xpin(unsigned long s, int n, struct page **p) { return pin_user_pages_fast(s, n, FOLL_WRITE, p); }
int ga(struct ctx *c, unsigned long s, int n) { return xpin(s, n, c->pages); }
int gb(struct dtx *c, unsigned long s, int n) { return xpin(s, n, c->pages); }
void da(struct ctx *c) { unpin_user_pages(c->pages, c->nr); }
"""
    + f"void db(struct dtx *c) {{ for (int i = 0; i < c->nr; i++) {P}(c->pages[i]); }}\n",
)
case(
    "wrapper_flag_caller_mixed",
    """
struct ctx { struct page **pages; int nr; };
struct dtx { struct page **pages; int nr; };
int xpin(unsigned long s, int n, struct page **p) { return pin_user_pages_fast(s, n, FOLL_WRITE, p); }
EXPORT_SYMBOL(xpin);
"""
    + "int ga(struct ctx *c, unsigned long s, int n) { return xpin(s, n, c->pages); }\nvoid da(struct ctx *c) { unpin_user_pages(c->pages, c->nr); }\n",
    {
        "drivers/y/b.c": f"struct dtx {{ struct page **pages; int nr; }};\nint gb(struct dtx *c, unsigned long s, int n) {{ return xpin(s, n, c->pages); }}\nvoid db(struct dtx *c) {{ for (int i = 0; i < c->nr; i++) {P}(c->pages[i]); }}\n"
    },
)
case(
    "returned_err_ptr",
    """
struct ctx { struct page *page; };
static struct page *xpin(unsigned long a) { struct page *p; if (pin_user_pages_fast(a, 1, FOLL_WRITE, &p) != 1) return ERR_PTR(-EFAULT); return p; }
int ga(struct ctx *c, unsigned long s) { struct page *p = xpin(s); if (IS_ERR(p)) return PTR_ERR(p); if (c->page) unpin_user_page(c->page); c->page = p; return 0; }
"""
    + f"void db(struct ctx *c) {{ {P}(no_tag(c->page)); }}\n",
)
case(
    "unknown_identity_fn_array",
    STD
    + f"""
static struct page *pg(struct ctx *c, int i) {{ return c->pages[i]; }}
void destroy(struct ctx *c) {{ {P}(pg(c, 0)); }}
""",
)
case(
    "member_array_2d",
    """
struct ctx { struct page **pages; int nr; struct page *grid[4][4]; };
"""
    + GRAB.replace("c->nr = nr;", "c->grid[1][2] = c->pages[0];")
    + VIS
    + f"""
void destroy(struct ctx *c) {{ {P}(c->grid[1][2]); }}
""",
)
case(
    "array_ptr_offset_alias",
    """
struct ctx { struct page **pages; int nr; struct page **tail; };
"""
    + GRAB.replace("c->nr = nr;", "c->tail = c->pages + 4;")
    + VIS
    + f"""
void destroy(struct ctx *c) {{ {P}(c->tail[0]); }}
""",
)
case(
    "compare_null_member_uppercase",
    """
struct ctx { struct page *page; };
static struct page *CUR;
"""
    + ONE.replace("STORE", "c->page = page; CUR = page")
    + VIS1
    + f"""
void destroy(void) {{ {P}(CUR); }}
""",
)
case(
    "int_typed_local_u32_array",
    """
struct ctx { struct page *page; u64 *slots; };
"""
    + ONE.replace("STORE", "c->page = page; c->slots[0] = (u64)page")
    + VIS1
    + f"""
void destroy(struct ctx *c) {{ for (int i = 0; i < 4; i++) {{ u64 v = c->slots[i]; {P}((struct page *)v); }} }}
""",
)
case(
    "size_t_local",
    """
struct ctx { struct page *page; size_t h; };
"""
    + ONE.replace("STORE", "c->page = page; { size_t h = (size_t)page; c->h = h; }")
    + VIS1
    + f"""
void destroy(struct ctx *c) {{ size_t h = c->h; {P}((struct page *)h); }}
""",
)
case(
    "plus_right_side",
    """
struct ctx { struct page *page; unsigned long v; };
"""
    + ONE.replace("STORE", "c->page = page; c->v = 1 + (unsigned long)page")
    + VIS1
    + f"""
void destroy(struct ctx *c) {{ {P}((struct page *)(c->v - 1)); }}
""",
)
case(
    "or_assign_ternary_value",
    """
struct ctx { struct page *page; unsigned long v; };
"""
    + ONE.replace("STORE", "c->page = page; c->v = 0; c->v += (unsigned long)page")
    + VIS1
    + f"""
void destroy(struct ctx *c) {{ {P}((struct page *)(c->v)); }}
""",
)
case(
    "generic_select",
    STD
    + f"""
void destroy(struct ctx *c) {{ _Generic(c->pages[0], struct page *: {P})(c->pages[0]); }}
""",
)
case(
    "paren_call",
    STD
    + f"""
void destroy(struct ctx *c) {{ ({P})(c->pages[0]); }}
""",
)
case(
    "deref_call",
    STD
    + f"""
void destroy(struct ctx *c) {{ (*{P})(c->pages[0]); }}
""",
)
case(
    "cond_call",
    STD
    + f"""
void destroy(struct ctx *c) {{ (c->nr ? {P} : unpin_user_page)(c->pages[0]); }}
""",
)
case(
    "asm_goto_junk",
    STD
    + f"""
#define __my_attr __attribute__((noinline))
static __my_attr notrace void __cold destroy(struct ctx *c) __releases(&c->lock)
{{
	for (int i = 0; i < c->nr; i++)
		{P}(c->pages[i]);
}}
""",
)
case(
    "syscall_define_macro",
    STD
    + f"""
SYSCALL_DEFINE2(xdrop, struct ctx __user *, uc, int, n)
{{
	struct ctx *c = lookup(uc);
	for (int i = 0; i < c->nr; i++)
		{P}(c->pages[i]);
	return 0;
}}
""",
)
case(
    "macro_function_header",
    STD
    + f"""
X_DEFINE_HANDLER(destroy, struct ctx *c)
{{
	for (int i = 0; i < c->nr; i++)
		{P}(c->pages[i]);
}}
""",
)
case(
    "nested_gnu_function",
    STD
    + f"""
void destroy(struct ctx *c)
{{
	void drop(struct page *p) {{ {P}(p); }}
	for (int i = 0; i < c->nr; i++)
		drop(c->pages[i]);
}}
""",
)
case(
    "param_unknown_type_this",
    STD
    + f"""
void destroy(struct wrapper *w) {{ {P}(w->c->pages[0]); }}
""",
)
case(
    "anon_local_struct",
    STD
    + f"""
void destroy(struct ctx *c)
{{
	struct {{ struct page **p; int n; }} loc = {{ c->pages, c->nr }};
	{P}(loc.p[0]);
}}
""",
)
case(
    "anon_member_struct_array",
    """
struct ctx { struct page *page; struct { struct page *pg; int len; } seg[8]; };
"""
    + ONE.replace("STORE", "c->page = page; c->seg[0].pg = page")
    + VIS1
    + f"""
void destroy(struct ctx *c) {{ typeof(c->seg[0]) *s = &c->seg[0]; {P}(s->pg); }}
""",
)
case(
    "va_args",
    STD
    + f"""
static void dropv(int n, ...) {{ va_list ap; va_start(ap, n); while (n--) {P}(va_arg(ap, struct page *)); va_end(ap); }}
void destroy(struct ctx *c) {{ dropv(1, c->pages[0]); }}
""",
)
case(
    "uninteresting_unnamed_param_twin",
    STD
    + "[[void destroy(struct ctx *c) { put_page(c->pages[0]); }||void destroy(struct ctx *c) { struct page *own = alloc_page(GFP_KERNEL); put_page(own); unpin_user_pages(c->pages, c->nr); }]]\n",
)
case(
    "innocent_reuse_of_local",
    """
struct ctx { struct page **pages; int nr; };
int grab(struct ctx *c, unsigned long s, int nr)
{
	struct page *p;
	int ret = pin_user_pages_fast(s, 1, FOLL_WRITE, &p);
	if (ret != 1) return -EFAULT;
	use(p);
	[[put_page(p)||unpin_user_page(p)]];
	p = alloc_page(GFP_KERNEL);
	use(p);
	put_page(p);
	return 0;
}
""",
)
case(
    "innocent_member_reuse",
    """
struct ctx { struct page *page; int user; };
int grab(struct ctx *c, unsigned long s)
{
	if (pin_user_pages_fast(s, 1, FOLL_WRITE, &c->page) != 1) return -EFAULT;
	c->user = 1;
	return 0;
}
void alloc(struct ctx *c) { c->page = alloc_page(GFP_KERNEL); c->user = 0; }
void destroy(struct ctx *c)
{
	if (c->user)
		[[put_page(c->page)||unpin_user_page(c->page)]];
	else
		__free_page(c->page);
}
""",
)
case(
    "innocent_list_mixed",
    """
struct ctx { struct page **pages; int nr; struct page *own; };
"""
    + GRAB
    + f"""
void destroy(struct ctx *c)
{{
	{PS}(c->pages, c->nr);
	put_page(c->own);
}}
""",
)
case(
    "innocent_generic_helper",
    STD
    + """
static void drop_all(struct page **p, int n, bool pinned) { if (pinned) unpin_user_pages(p, n); else release_pages(p, n); }
void destroy(struct ctx *c) { drop_all(c->pages, c->nr, [[false||true]]); }
void other(struct page **q, int n) { drop_all(q, n, false); }
""",
)
# --- second batch: by-flag as an excuse, and wrong wrongs
case(
    "half_converted_one_function",
    """
int once(unsigned long s, int nr, struct page **pages)
{
	int ret = pin_user_pages_fast(s, nr, FOLL_WRITE, pages);
	if (ret < 0)
		return ret;
	if (ret != nr) {
		unpin_user_pages(pages, ret);
		return -EFAULT;
	}
	work(pages);
	for (int i = 0; i < nr; i++)
		[[put_page||unpin_user_page]](pages[i]);
	return 0;
}
""",
)
case(
    "half_converted_keep",
    """
struct ctx { struct page **pages; int nr; };
int setup(struct ctx *c, unsigned long s, int nr)
{
	int ret = pin_user_pages_fast(s, nr, FOLL_WRITE, c->pages);
	if (ret != nr)
		goto err;
	return 0;
err:
	for (int i = 0; i < ret; i++)
		[[put_page||unpin_user_page]](c->pages[i]);
	return -EFAULT;
}
void destroy(struct ctx *c) { unpin_user_pages(c->pages, c->nr); }
""",
)
case(
    "excuse_by_int_param_unrelated",
    """
struct ctx { struct page **pages; int nr; };
int setup(struct ctx *c, unsigned long s, int nr)
{
	return pin_user_pages_fast(s, nr, FOLL_WRITE, c->pages);
}
static void fin(struct ctx *c, int nr) { if (nr) for (int i = 0; i < nr; i++) [[put_page||unpin_user_page]](c->pages[i]); }
void reset(struct ctx *c) { unpin_user_pages(c->pages, c->nr); }
void destroy(struct ctx *c) { fin(c, c->nr); }
""",
)
case(
    "excuse_by_is_test",
    """
struct ctx { struct page **pages; int nr; int is_open; };
int setup(struct ctx *c, unsigned long s, int nr)
{
	return pin_user_pages_fast(s, nr, FOLL_WRITE, c->pages);
}
void reset(struct ctx *c) { unpin_user_pages(c->pages, c->nr); }
void destroy(struct ctx *c) { if (c->is_open) for (int i = 0; i < c->nr; i++) [[put_page||unpin_user_page]](c->pages[i]); }
""",
)
case(
    "excuse_other_family_in_function",
    """
struct ctx { struct page **pages; int nr; };
int setup(struct ctx *c, unsigned long s, int nr)
{
	struct page *hdr;
	if (get_user_pages_fast(s, 1, 0, &hdr) == 1)
		put_page(hdr);
	return pin_user_pages_fast(s, nr, FOLL_WRITE, c->pages);
}
void destroy(struct ctx *c) { for (int i = 0; i < c->nr; i++) [[put_page||unpin_user_page]](c->pages[i]); }
""",
)
for nm, cond in {
    "type_eq": "c->type == T_USER",
    "userptr": "c->userptr",
    "mm": "c->mm",
    "null_check": "!c->kernel_buf",
}.items():
    case(
        "innocent_kind_" + nm,
        f"""
struct ctx {{ struct page **pages; int nr; int type; void *userptr; void *mm; void *kernel_buf; }};
int setup_user(struct ctx *c, unsigned long s, int nr) {{ return pin_user_pages_fast(s, nr, FOLL_WRITE, c->pages); }}
int setup_kernel(struct ctx *c, int nr) {{ for (int i = 0; i < nr; i++) c->pages[i] = alloc_page(GFP_KERNEL); return 0; }}
static void free_user(struct ctx *c) {{ for (int i = 0; i < c->nr; i++) [[put_page||unpin_user_page]](c->pages[i]); }}
static void free_kernel(struct ctx *c) {{ for (int i = 0; i < c->nr; i++) __free_page(c->pages[i]); }}
void destroy(struct ctx *c) {{ if ({cond}) free_user(c); else free_kernel(c); }}
""",
    )
case(
    "innocent_kind_switch",
    """
struct ctx { struct page **pages; int nr; int type; };
int setup_user(struct ctx *c, unsigned long s, int nr) { return pin_user_pages_fast(s, nr, FOLL_WRITE, c->pages); }
static void free_user(struct ctx *c) { for (int i = 0; i < c->nr; i++) [[put_page||unpin_user_page]](c->pages[i]); }
static void free_kernel(struct ctx *c) { for (int i = 0; i < c->nr; i++) __free_page(c->pages[i]); }
void destroy(struct ctx *c) { switch (c->type) { case USER: free_user(c); break; default: free_kernel(c); } }
""",
)
case(
    "innocent_kind_ops_one_file",
    """
struct obj { struct page **pages; int nr; const struct oops *ops; };
static int user_get(struct obj *c, unsigned long s) { return pin_user_pages_fast(s, c->nr, FOLL_WRITE, c->pages); }
static void user_put(struct obj *c) { for (int i = 0; i < c->nr; i++) [[put_page||unpin_user_page]](c->pages[i]); }
static int mem_get(struct obj *c, unsigned long s) { for (int i = 0; i < c->nr; i++) c->pages[i] = shmem_read_mapping_page(c->f, i); return 0; }
static void mem_put(struct obj *c) { for (int i = 0; i < c->nr; i++) put_page(c->pages[i]); }
static const struct oops user_ops = { .get = user_get, .put = user_put };
static const struct oops mem_ops = { .get = mem_get, .put = mem_put };
void destroy(struct obj *c) { c->ops->put(c); }
""",
)
case(
    "innocent_extra_get_elsewhere",
    """
struct ctx { struct page **pages; int nr; struct page *exp; };
int setup(struct ctx *c, unsigned long s, int nr) { return pin_user_pages_fast(s, nr, FOLL_WRITE, c->pages); }
void export(struct ctx *c, int i) { struct page *p = c->pages[i]; get_page(p); c->exp = p; }
void unexport(struct ctx *c) { put_page(c->exp); }
void destroy(struct ctx *c) { for (int i = 0; i < c->nr; i++) [[put_page||unpin_user_page]](c->pages[i]); }
""",
)
case(
    "innocent_fault_handler",
    """
struct ctx { struct page **pages; int nr; };
int setup(struct ctx *c, unsigned long s, int nr) { return pin_user_pages_fast(s, nr, FOLL_WRITE, c->pages); }
static vm_fault_t fault(struct vm_fault *vmf) { struct ctx *c = vmf->vma->vm_private_data; struct page *p = c->pages[vmf->pgoff]; get_page(p); vmf->page = p; return 0; }
static void undo_fault(struct vm_fault *vmf) { put_page(vmf->page); }
void destroy(struct ctx *c) { for (int i = 0; i < c->nr; i++) [[put_page||unpin_user_page]](c->pages[i]); }
""",
)
case(
    "innocent_shared_helper",
    """
struct ctx { struct page **pages; int nr; };
struct pool { struct page **pages; int nr; };
static void fill(struct page **dst, struct page **src, int n) { for (int i = 0; i < n; i++) dst[i] = src[i]; }
int setup(struct ctx *c, unsigned long s, int nr, struct page **tmp) { int r = pin_user_pages_fast(s, nr, FOLL_WRITE, tmp); fill(c->pages, tmp, r); return r; }
void refill(struct pool *p, struct page **from) { fill(p->pages, from, p->nr); }
void pool_free(struct pool *p) { for (int i = 0; i < p->nr; i++) put_page(p->pages[i]); }
void destroy(struct ctx *c) { for (int i = 0; i < c->nr; i++) [[put_page||unpin_user_page]](c->pages[i]); }
""",
)
case(
    "innocent_hash_of_address",
    """
struct ctx { struct page *page; unsigned long flags; };
int setup(struct ctx *c, unsigned long s) { struct page *p; if (pin_user_pages_fast(s, 1, FOLL_WRITE, &p) != 1) return -1; c->page = p; c->flags = page_to_pfn(p) & 7; return 0; }
struct page *look(struct ctx *c) { struct page *q = find_get_page(c->map, c->flags); put_page(q); return NULL; }
void destroy(struct ctx *c) { [[put_page||unpin_user_page]](c->page); }
""",
)
case(
    "innocent_zero_page_fallback",
    """
struct ctx { struct page *page; };
int setup(struct ctx *c, unsigned long s)
{
	struct page *p;
	if (pin_user_pages_fast(s, 1, FOLL_WRITE, &p) != 1) {
		p = alloc_page(GFP_KERNEL);
		fill(p);
		__free_page(p);
		return -EFAULT;
	}
	c->page = p;
	return 0;
}
void destroy(struct ctx *c) { [[put_page||unpin_user_page]](c->page); }
""",
)
case(
    "innocent_scoped_shadow",
    """
struct ctx { struct page *page; };
int setup(struct ctx *c, unsigned long s)
{
	{
		struct page *page = alloc_page(GFP_KERNEL);
		fill(page);
		__free_page(page);
	}
	{
		struct page *page;
		if (pin_user_pages_fast(s, 1, FOLL_WRITE, &page) != 1)
			return -EFAULT;
		c->page = page;
	}
	return 0;
}
void destroy(struct ctx *c) { [[put_page||unpin_user_page]](c->page); }
""",
)
case(
    "innocent_index_collision",
    """
struct ctx { struct page *pages[2]; };
int setup(struct ctx *c, unsigned long s)
{
	c->pages[0] = alloc_page(GFP_KERNEL);
	return pin_user_pages_fast(s, 1, FOLL_WRITE, &c->pages[1]);
}
void destroy(struct ctx *c) { __free_page(c->pages[0]); [[put_page||unpin_user_page]](c->pages[1]); }
""",
)
case(
    "same_function_two_pins_one_bad",
    """
int go(unsigned long s, int nr, struct page **src, struct page **dst)
{
	int a = pin_user_pages_fast(s, nr, 0, src);
	int b = pin_user_pages_fast(s, nr, FOLL_WRITE, dst);
	work(src, dst);
	unpin_user_pages(dst, b);
	[[release_pages||unpin_user_pages]](src, a);
	return 0;
}
""",
)
case(
    "site_in_macro",
    """
#define GRAB(s, n, p) pin_user_pages_fast(s, n, FOLL_WRITE, p)
int go(unsigned long s, int nr, struct page **p) { int a = GRAB(s, nr, p); [[release_pages||unpin_user_pages]](p, a); return a; }
""",
)
case(
    "site_in_header_macro",
    """
#include "x.h"
int go(unsigned long s, int nr, struct page **p) { int a = GRAB(s, nr, p); [[release_pages||unpin_user_pages]](p, a); return a; }
""",
    {"drivers/x/x.h": "#define GRAB(s, n, p) pin_user_pages_fast(s, n, FOLL_WRITE, p)\n"},
)
case(
    "site_through_pointer",
    """
static int (*pinner)(unsigned long, int, unsigned int, struct page **) = pin_user_pages_fast;
int go(unsigned long s, int nr, struct page **p) { int a = pinner(s, nr, FOLL_WRITE, p); [[release_pages||unpin_user_pages]](p, a); return a; }
""",
)
case(
    "site_ternary_callee",
    """
int go(bool d, unsigned long s, int nr, struct page **p) { int a = (d ? pin_user_pages_fast : get_user_pages_fast)(s, nr, FOLL_WRITE, p); [[release_pages||unpin_user_pages]](p, a); return a; }
""",
)
case(
    "site_paren_callee",
    """
int go(unsigned long s, int nr, struct page **p) { int a = (pin_user_pages_fast)(s, nr, FOLL_WRITE, p); [[release_pages||unpin_user_pages]](p, a); return a; }
""",
)
case(
    "site_alias_macro",
    """
#define my_pin pin_user_pages_fast
int go(unsigned long s, int nr, struct page **p) { int a = my_pin(s, nr, FOLL_WRITE, p); [[release_pages||unpin_user_pages]](p, a); return a; }
""",
)
case(
    "site_paste",
    """
#define X(k) k##_user_pages_fast
int go(unsigned long s, int nr, struct page **p) { int a = X(pin)(s, nr, FOLL_WRITE, p); [[release_pages||unpin_user_pages]](p, a); return a; }
""",
)
case(
    "site_in_initialiser_of_global_macro_fn",
    """
X_DEFINE(go, unsigned long s, int nr, struct page **p)
{ int a = pin_user_pages_fast(s, nr, FOLL_WRITE, p); [[release_pages||unpin_user_pages]](p, a); return a; }
""",
)
case(
    "site_knr",
    """
int go(s, nr, p)
	unsigned long s;
	int nr;
	struct page **p;
{
	int a = pin_user_pages_fast(s, nr, FOLL_WRITE, p);
	[[release_pages||unpin_user_pages]](p, a);
	return a;
}
""",
)
case(
    "site_in_for_header",
    """
int go(unsigned long s, int nr, struct page **p)
{
	int a;
	for (; (a = pin_user_pages_fast(s, 1, FOLL_WRITE, p)) == 1; s += 4096)
		[[put_page||unpin_user_page]](*p);
	return a;
}
""",
)
case(
    "site_in_sizeof_typeof",
    """
int go(unsigned long s, int nr, struct page **p)
{
	typeof(pin_user_pages_fast(s, 1, 0, p)) a = pin_user_pages_fast(s, 1, FOLL_WRITE, p);
	[[put_page||unpin_user_page]](*p);
	return a;
}
""",
)
case(
    "site_duplicate_fn_ifdef",
    """
#ifdef CONFIG_A
int go(unsigned long s, struct page **p) { int a = pin_user_pages_fast(s, 1, FOLL_WRITE, p); unpin_user_page(*p); return a; }
#else
int go(unsigned long s, struct page **p) { int a = pin_user_pages_fast(s, 1, FOLL_WRITE, p); [[put_page||unpin_user_page]](*p); return a; }
#endif
""",
)
case(
    "site_asm_file_inc",
    '#include "x.inc"\n',
    {
        "drivers/x/x.inc": "int go(unsigned long s, struct page **p) { int a = pin_user_pages_fast(s, 1, FOLL_WRITE, p); [[put_page||unpin_user_page]](*p); return a; }\n"
    },
)
case(
    "site_longname_crlf",
    "int go(unsigned long s, struct page **p)\r\n{\r\n\tint a = pin_user_pages_fast(s, 1, FOLL_WRITE, p);\r\n\t[[put_page||unpin_user_page]](*p);\r\n\treturn a;\r\n}\r\n",
)
case(
    "line_continuation_in_name",
    "int go(unsigned long s, struct page **p)\n{\n\tint a = pin_user_pages\\\n_fast(s, 1, FOLL_WRITE, p);\n\t[[put_page||unpin_user_page]](*p);\n\treturn a;\n}\n",
)
case(
    "moved_in_a_far_file",
    "#include <linux/shared.h>\n"
    + GRAB.replace("struct ctx", "struct shared")
    + VIS.replace("struct ctx", "struct shared"),
    {
        "include/linux/shared.h": "struct shared { struct page **pages; int nr; };\n",
        "drivers/y/b.c": f"""
#include <linux/shared.h>
struct own {{ struct page *page; }};
void take_over(struct own *o, struct shared *s) {{ o->page = s->pages[0]; }}
void release_own(struct own *o) {{ {P}(o->page); }}
""",
    },
)

_CHOICE = re.compile(r"\[\[(.*?)\|\|(.*?)\]\]", re.S)
_VISIBLE = re.compile(r"<<(.*?)>>", re.S)


def _filled(files: Mapping[str, str], *, good: bool, visible: bool) -> dict[str, str]:
    filled = {}
    for name, text in files.items():
        seen = _VISIBLE.sub(lambda found: found[1] if visible else "", text)
        filled[name] = _CHOICE.sub(lambda found: found[2 if good else 1], seen)
    return filled


def drivers(*, good: bool) -> dict[str, dict[str, str]]:
    """The files of every driver, by name: those that put, or the twins."""
    found = {}
    for name, files in TEMPLATES.items():
        found[name] = _filled(files, good=good, visible=False)
        if any("<<" in text and ">>" in text for text in files.values()):
            found[f"{name}, and one is seen"] = _filled(files, good=good, visible=True)
    return found
