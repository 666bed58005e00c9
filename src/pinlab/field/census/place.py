"""What the folios of a census are part of: files and processes, each asked for once."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pinlab.field.census import Census, Confidence, Kind
from pinlab.field.census.files import MappedFile, file_of, mounts_here
from pinlab.field.census.mappers import Mapper, Mappers
from pinlab.field.memory.reader import OWN, Reader
from pinlab.field.memory.view import Structs
from pinlab.names import printable


@dataclass(frozen=True, slots=True)
class PinnedFolio:
    """One row of a census."""

    pfn: int
    order: int
    pins: int
    refcount: int
    mapcount: int
    expected: int
    unexplained: int
    confidence: Confidence
    kind: Kind
    hugetlb: bool
    flags: tuple[str, ...]
    index: int
    mapping: int
    file: MappedFile | None
    mapper: Mapper | None

    @property
    def pages(self) -> int:
        """Base pages."""
        return 1 << self.order

    @property
    def where(self) -> str:
        """The file or the process in a few words, without the place in it, as it may be shown."""
        if self.file is not None:
            file = self.file
            return printable(file.path or f"{file.file_system} {file.device} inode {file.inode}")
        if self.mapper is not None and self.mapper.pid:
            return printable(f"{self.mapper.command} ({self.mapper.pid})")
        if self.kind is Kind.ANON:
            return "anonymous, mapped by nobody" if not self.mapcount else "anonymous"
        words = {Kind.NONE: "no mapping", Kind.KSM: "merged by KSM", Kind.MOVABLE: "a driver's"}
        return words.get(self.kind, "a file that went away")

    @property
    def group(self) -> Hashable:
        """What folios of one file, or of one process, have in common."""
        if self.file is not None:
            return self.file.device, self.file.inode
        if self.mapper is not None:
            return self.mapper.pid
        return self.where


@dataclass(frozen=True)
class Placed:
    """A census, and for each row the file or who maps it; a row has at most one of the two."""

    census: Census
    files: tuple[MappedFile | None, ...]
    mappers: tuple[Mapper | None, ...]

    def __len__(self) -> int:
        return len(self.files)

    def rows(self) -> Iterator[PinnedFolio]:
        """Row by row."""
        folios = self.census.folios
        columns = (
            folios.pfn,
            folios.order,
            folios.pins,
            folios.refcount,
            folios.mapcount,
            folios.expected,
            folios.unexplained,
            folios.confidence,
            folios.kind,
            folios.hugetlb,
            folios.flags,
            folios.index,
            folios.mapping,
        )
        names: dict[tuple[int, int], tuple[str, ...]] = {}
        confidences = {each.value: each for each in Confidence}  # calling an enum takes long
        kinds = {each.value: each for each in Kind}
        for i, values in enumerate(zip(*(column.tolist() for column in columns), strict=True)):
            pfn, order, pins, refcount, mapcount, expected, unexplained, *rest = values
            confidence, kind, hugetlb, flags, index, mapping = rest
            if (flags, kind) not in names:
                names[flags, kind] = self.census.flags_of(flags, kind)
            yield PinnedFolio(
                pfn,
                order,
                pins,
                refcount,
                mapcount,
                expected,
                unexplained,
                confidences[confidence],
                kinds[kind],
                hugetlb,
                names[flags, kind],
                index,
                mapping,
                self.files[i],
                self.mappers[i],
            )

    def take(self, rows: NDArray[np.intp]) -> Placed:
        """Some of the rows, in the order given; the totals stay those of all."""
        census = replace(self.census, folios=self.census.folios.take(rows))
        chosen = rows.tolist()
        return Placed(
            census,
            tuple(self.files[i] for i in chosen),
            tuple(self.mappers[i] for i in chosen),
        )


def place(reader: Reader, census: Census) -> Placed:
    """Find the file or who maps it of every folio."""
    structs = Structs(reader)
    mappers = Mappers(structs)
    mounts = mounts_here() if reader.name in OWN else {}
    found: dict[int, MappedFile | None] = {}
    of_file: list[MappedFile | None] = []
    of_mapper: list[Mapper | None] = []
    folios = census.folios
    for kind, mapping, index, mapcount in zip(
        folios.kind.tolist(),
        folios.mapping.tolist(),
        folios.index.tolist(),
        folios.mapcount.tolist(),
        strict=True,
    ):
        file: MappedFile | None = None
        mapper: Mapper | None = None
        if kind == Kind.FILE:
            if mapping not in found:
                found[mapping] = file_of(structs.at("address_space", mapping), mounts)
            file = found[mapping]
        elif kind == Kind.ANON and mapcount > 0:
            mapper = mappers.mapper(mapping, index)
        of_file.append(file)
        of_mapper.append(mapper)
    return Placed(census, tuple(of_file), tuple(of_mapper))
