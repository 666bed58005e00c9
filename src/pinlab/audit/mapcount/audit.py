"""A tree -> its readers of a mapcount, judged under a scheme."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pinlab.audit import cache, tree
from pinlab.audit.mapcount.effects import Effect, Reader, judged
from pinlab.audit.mapcount.readers import Raw, readers
from pinlab.audit.mapcount.scheme import Scheme
from pinlab.audit.tree import About, Progress
from pinlab.garbage import uncollected


@dataclass(frozen=True, slots=True)
class Mapcounts:
    """Every reader of a tree, worst first."""

    tree: str
    release: str
    scheme: Scheme
    files: int
    left_out: Mapping[str, int]
    readers: tuple[Reader, ...]

    @property
    def wrong(self) -> tuple[Reader, ...]:
        """Those that would be wrong under the scheme."""
        return tuple(each for each in self.readers if each.is_wrong)


_ORDER = tuple(Effect)


def mapcounts(where: Path, scheme: Scheme, progress: Progress = lambda _: None) -> Mapcounts:
    """Audit a folder or a tar. Raises UsageError if it is no kernel's source."""
    key = cache.name_of_file(where, b"mapcount") if where.is_file() else None
    known = None if key is None else cache.load(key)
    read = known if isinstance(known, _Read) else _read(where, progress)
    if key is not None and read is not known:
        cache.store(key, read)
    every = [judged(raw, scheme) for raw in read.raws]
    every.sort(key=lambda each: (each.wanted, _ORDER.index(each.effect), each.file, each.line))
    return Mapcounts(
        str(where), read.release, scheme, read.files, dict(read.left_out), tuple(every)
    )


@dataclass(frozen=True, slots=True)
class _Read:
    """What was read of a tree, whatever the scheme."""

    release: str
    files: int
    left_out: Mapping[str, int]
    raws: tuple[Raw, ...]


def _read(where: Path, progress: Progress) -> _Read:
    with uncollected(), tree.unpacked(where, progress) as root, tree.workers() as pool:
        found = tree.contents(root, pool, progress)
        paths = sorted(each.path for each in found.candidates if About.mapcount in each.about)
        progress(f"parsing {len(paths)} files")
        parsed = pool.map(_readers, [str(root)] * len(paths), paths, chunksize=4)
        raws = tuple(raw for raws in parsed for raw in raws)
        return _Read(tree.release(root), found.files, dict(found.left_out), raws)


def _readers(root: str, path: str) -> list[Raw]:
    """The readers of one file, read now or before."""
    try:
        source = Path(root, path).read_bytes()
    except OSError:
        return []
    key = cache.name(source, b"readers")
    known = cache.load(key)
    if isinstance(known, list):
        return [each._replace(file=path) for each in known]
    made = readers(path, source)
    cache.store(key, made)
    return made
