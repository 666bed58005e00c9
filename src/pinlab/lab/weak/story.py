"""What a step of a weak program did to what others see, for a reader of a counterexample."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from pinlab.lab.language.access import access
from pinlab.lab.language.primitives import TABLE
from pinlab.lab.language.program import Node, Program, Shared, System
from pinlab.lab.weak.machine import KEPT, OLD
from pinlab.lab.weak.masks import BITS
from pinlab.lab.weak.weaken import LOADS, STORES

Values = Mapping[str, Sequence[int]]
"""The values of shared variables by name, one an element."""

Cell = tuple[int, int]

Name = Callable[[int, int], str]
"""How a person calls an element of a variable."""

Show = Callable[[int, int], str]
"""How a person reads a value of a variable."""


def is_hidden(name: str) -> bool:
    """Whether a variable is a memory model's own."""
    return name.startswith((OLD, KEPT))


class Buffers:
    """A memory model's own variables as a reader thinks of them: cells of the program that wait."""

    def __init__(self, program: Program) -> None:
        self.twins = _twins(program)
        """By variable that is a part of a word, the one with its old values."""
        self.cells = _cells(program, self.twins)
        self._newest = {old: var for var, old in self.twins.items()}
        names = ((number, var.name) for number, var in enumerate(program.vars))
        self._hidden = {number for number, name in names if is_hidden(name)}

    def visible(self, cells: Iterable[Cell]) -> Iterator[Cell]:
        """The cells of the program; what one was before is taken for it."""
        for var, i in cells:
            if var in self._newest:
                yield self._newest[var], i
            elif var not in self._hidden:
                yield var, i

    def landed(self, before: Values, after: Values) -> Iterator[Cell]:
        """The cells that waited in a buffer, and do not any more."""
        left = _owners(before).keys() - _owners(after).keys() if self.twins else ()
        for word in left:
            yield from self.cells[word]


class Story:
    """Tells the steps of one system. Under sequential consistency there is nothing to tell."""

    def __init__(self, system: System, name: Name, show: Show) -> None:
        self.system = system
        self.program = system.program
        self.name = name
        self.show = show
        buffers = Buffers(system.program)
        self.twins, self.cells = buffers.twins, buffers.cells

    def old_reads(self, node: Node, choice: int, looked_at: Mapping[Cell, int]) -> dict[Cell, int]:
        """The cells of which the step saw the value before the newest, and that value."""
        order = TABLE[node.primitive].order if node.primitive else None
        it = access(node)
        if choice == 0 or (order not in LOADS and not any(w.success for w in it.writes)):
            return {}
        words: dict[tuple[str, object], list[Shared]] = {}
        for read in it.reads:
            if read.var in self.twins:
                word = self.program.vars[read.var].of_word, read.index
                words.setdefault(word, []).append(read)
        chosen = [
            read
            for number, cells in enumerate(words.values())
            if choice >> number & 1
            for read in cells
        ]
        vars = {read.var for read in chosen}
        return {
            (var, i): looked_at[self.twins[var], i]
            for var, i in looked_at
            if var in vars and (self.twins[var], i) in looked_at
        }

    def notes(
        self,
        actor: int,
        node: Node,
        choice: int,
        old: Mapping[Cell, int],
        states: tuple[Values, Values],
    ) -> Iterator[str]:
        """What happened in the step from one state to the other, a sentence each."""
        before, after = states
        if not self.twins:
            return
        own = _owners(before), _owners(after)
        for (var, i), value in old.items():
            newest = before[self.program.vars[var].name][i]
            if newest != value:
                yield self._seen_old(var, i, value, newest, own[0])
        order = TABLE[node.primitive].order if node.primitive else None
        if choice and order in STORES:
            yield "lands before the store that is in another CPU's buffer"
        for word, cpu in own[1].items():
            if own[0].get(word) != cpu and cpu == self.system.cpu(actor):
                yield f"into {self._who(cpu)}'s buffer: {self._changed(word, after)}"
        for word, cpu in own[0].items():
            if word not in own[1]:
                yield f"visible now: {self._who(cpu)}'s store to {self._changed(word, before)}"

    def _seen_old(self, var: int, i: int, value: int, newest: int, own: Mapping[int, int]) -> str:
        seen = f"{self.name(var, i)} is {self.show(var, value)} here, not {self.show(var, newest)}"
        word = next((n for n, cells in self.cells.items() if (var, i) in cells), -1)
        if word in own:
            return f"{seen}: {self._who(own[word])}'s store is still in its buffer"
        return f"{seen}: the load was done before that store was visible"

    def _who(self, cpu: int) -> str:
        return self.system.actors[cpu].name

    def _changed(self, word: int, values: Values) -> str:
        """The cells of a word that differ from what they were; the word if none does."""
        cells = self.cells[word]
        vars = self.program.vars
        found = [
            (var, i)
            for var, i in cells
            if values[vars[var].name][i] != values[vars[self.twins[var]].name][i]
        ]
        if found:
            return ", ".join(self.name(*cell) for cell in found)
        first, i = cells[0]
        structure, dot, _ = self.name(first, i).rpartition(".")
        return structure + dot + vars[first].of_word.rpartition(".")[2]


def _twins(program: Program) -> dict[int, int]:
    numbers = {var.name: number for number, var in enumerate(program.vars)}
    return {
        numbers[name.removeprefix(OLD)]: number
        for name, number in numbers.items()
        if name.startswith(OLD)
    }


def _cells(program: Program, twins: Mapping[int, int]) -> dict[int, list[Cell]]:
    """The cells of each word, in the order in which `words` numbers them."""
    named: dict[str, list[int]] = {}
    for var in twins:
        named.setdefault(program.vars[var].of_word, []).append(var)
    found: dict[int, list[Cell]] = {}
    for vars in named.values():
        for i in range(program.vars[vars[0]].length):
            found[len(found)] = [(var, i) for var in vars]
    return found


def _owners(values: Values) -> dict[int, int]:
    """In whose buffer the newest value of a word is."""
    found: dict[int, int] = {}
    for name, sets in values.items():
        if name.startswith(f"{KEPT}own."):
            first = int(name.rpartition(".")[2]) * BITS
            for cpu, bits in enumerate(sets):
                found |= {first + n: cpu for n in range(BITS) if bits >> n & 1}
    return found
