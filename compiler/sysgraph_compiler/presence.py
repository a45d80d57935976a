"""When a node runs: over every way that choices can come out and lists can be empty.

A set of ways is an integer with a bit for each, so that "and" and "or" of conditions are one
operation each.
"""

from collections.abc import Iterable
from functools import cached_property
from itertools import accumulate
from math import prod
from operator import mul
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .facts import Facts

MAX_WAYS = 1 << 12
_SWEEPS = 4

Question = tuple[str, tuple[str, ...]]
"""What decides: a choice and its options, or a list and whether it has elements."""
_EMPTY, _FULL = "is empty", "has elements"


class Presence:
    """The ways in which each node of a graph without cycles runs."""

    def __init__(self, facts: "Facts") -> None:
        self._facts = facts

    @cached_property
    def questions(self) -> list[Question]:
        """Every choice that gates something, and every list that may be empty."""
        nodes = self._facts.graph.nodes
        gating = {name for node in nodes.values() for name in node.gates}
        spread = self._facts.expansion.lists
        choices: list[Question] = [
            (name, tuple(node.choices))
            for name, node in nodes.items()
            if name in gating and node.choices
        ]
        fewest = self._facts.expansion.fewest
        lists = [name for name in nodes if name in spread and not fewest(name)]
        return [*choices, *((name, (_EMPTY, _FULL)) for name in lists)]

    @cached_property
    def is_known(self) -> bool:
        """Whether the ways are few enough to be gone through."""
        return prod(len(answers) for _, answers in self.questions) <= MAX_WAYS

    @cached_property
    def everything(self) -> int:
        """All ways."""
        return (1 << prod(len(answers) for _, answers in self.questions)) - 1

    @cached_property
    def _strides(self) -> list[int]:
        """For each question, how many ways lie between two of its answers."""
        sizes = (len(answers) for _, answers in self.questions)
        return [1, *accumulate(sizes, mul)][: len(self.questions)]

    @cached_property
    def _where(self) -> dict[tuple[str, str], int]:
        """The ways in which a question has an answer."""
        found: dict[tuple[str, str], int] = {}
        count = prod(len(answers) for _, answers in self.questions)
        for (name, answers), stride in zip(self.questions, self._strides, strict=True):
            for index, answer in enumerate(answers):
                block = ((1 << stride) - 1) << (index * stride)
                found[name, answer] = _repeated(block, stride * len(answers), count)
        return found

    def _whatever(self, question: Question, stride: int, ways: int) -> int:
        """The ways that are among `ways` whatever the answer to a question is."""
        name, answers = question
        shifts = [index * stride for index in range(len(answers))]
        every = self._where[name, answers[0]]
        for shift in shifts:
            every &= ways >> shift
        return _any(every << shift for shift in shifts)

    @cached_property
    def first(self) -> dict[str, int]:
        """The ways in which some copy of each node runs, in the first turn of its loop."""
        found: dict[str, int] = {}
        for name in self._order:
            found[name] = self._below(name, found) & self._own[name]
        return found

    @cached_property
    def of(self) -> dict[str, int]:
        """The ways in which some copy of each node runs, in every turn of its loop.

        Of a loop that may end before, in its first turn: what is outside reads the last that ran.
        """
        found = dict(self.first)
        for _ in range(_SWEEPS if self._facts.expansion.carried else 0):
            before = dict(found)
            for name in self._order:
                found[name] = (
                    self._below(name, found) & self._carried(name, found) & self._own[name]
                )
            if found == before:
                break
        return found

    @cached_property
    def _order(self) -> list[str]:
        return self._facts.dag.order()

    @cached_property
    def _own(self) -> dict[str, int]:
        """The ways in which a node's own gates are open and its list has elements."""
        return {name: self._gate(name) & self._elements(name) for name in self._order}

    def _below(self, name: str, found: dict[str, int]) -> int:
        """The ways in which the parents run: all of them, or for a selection one that it reads."""
        parents = [*self._facts.dag.parents(name)]
        both = self.everything
        if self._facts.graph.nodes[name].takes_any:
            reads = {*self._facts.reads(name)}
            both = _any(found[parent] for parent in parents if parent in reads)
            parents = [parent for parent in parents if parent not in reads]
        elif past := self._facts.remembered(name):
            both = _any(found[parent] for parent in past)
            parents = [parent for parent in parents if parent not in past]
        for parent in parents:
            both &= found[parent]
        return both

    def _carried(self, name: str, found: dict[str, int]) -> int:
        """The ways in which a next turn has what is carried into it.

        The loop's own choices can come out differently in the turn before.
        """
        loop_of = self._facts.expansion.loop_of
        ways = self.everything
        if self._facts.expansion.is_open(name):
            return ways
        for parent in self._facts.expansion.carried_into.get(name, ()):
            before = found.get(parent, self.everything)
            for question, stride in zip(self.questions, self._strides, strict=True):
                if before != self.everything and loop_of.get(question[0]) == loop_of[parent]:
                    before = self._whatever(question, stride, before)
            ways &= before
        return ways

    def _gate(self, name: str) -> int:
        ways = self.everything
        for choice, options in self._facts.graph.nodes[name].gates.items():
            possible = self._facts.possible(name, options)
            ways &= _any(self._where.get((choice, option), 0) for option in possible)
        return ways

    def _elements(self, name: str) -> int:
        ways = self.everything
        loop = self._facts.expansion.loop(name)
        over = [loop.over] if loop is not None and loop.over is not None else []
        for source in (*self._facts.graph.nodes[name].spread.values(), *over):
            ways &= self._where.get((source, _FULL), self.everything)
        return ways

    def shown(self, ways: int) -> str:
        """One of the ways, as text: `route` is `code` and `captions` is empty."""
        matters = self.matters(ways)
        return " and ".join(f"`{name}` {_said(answer)}" for name, answer in matters.items())

    def matters(self, ways: int) -> dict[str, str]:
        """The answers that make one of the ways, without those that can be any."""
        decisive: list[Question] = []
        for question, stride in zip(self.questions, self._strides, strict=True):
            if wider := self._whatever(question, stride, ways):
                ways = wider
            else:
                decisive.append(question)
        lowest = ways & -ways
        return {
            name: answer
            for name, answers in decisive
            for answer in answers
            if self._where[name, answer] & lowest
        }


def _said(answer: str) -> str:
    return answer if answer in (_EMPTY, _FULL) else f"is `{answer}`"


def _any(ways: Iterable[int]) -> int:
    found = 0
    for one in ways:
        found |= one
    return found


def _repeated(block: int, period: int, count: int) -> int:
    """`block` at every multiple of `period` bits, `count` bits in all."""
    size = period
    while size < count:  # doubling
        block |= block << size
        size *= 2
    return block & ((1 << count) - 1)
