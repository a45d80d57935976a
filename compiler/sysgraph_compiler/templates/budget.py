"""What one rendering may cost: operations charge it, where they can before they allocate."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

from jinja2.runtime import Undefined

from sysgraph_schemas.limits import MAX_RENDERED, MAX_STEPS, MAX_WORK

from .flaw import TemplateError

_STEP = 20
"""What any operation costs beside what it works on: as copying so many characters, or more."""
_DEEPEST = 100
"""Lists inside one another that a value may have."""


class Budget:
    """What is left for one rendering.

    Args:
        size: work, about the characters it may read, copy and make.
    """

    def __init__(self, size: int = MAX_WORK) -> None:
        self.size = self.work = size
        self.turns = MAX_STEPS

    def charge(self, work: int) -> None:
        """Takes `work` off.

        Raises:
            TemplateError: there is not so much left.
        """
        if work > MAX_RENDERED:
            raise TemplateError(f"one expression gives more than {MAX_RENDERED:,} characters")
        self.work -= work + _STEP
        if self.work < 0:
            said = f"the template reads, copies and makes more than {self.size:,} characters"
            raise TemplateError(said)

    def turn(self, work: int) -> None:
        """One turn of a loop, whose body costs `work`."""
        self.turns -= 1
        if self.turns < 0:
            raise TemplateError(f"the template's loops take more than {MAX_STEPS:,} turns")
        self.charge(work)


_CURRENT: ContextVar[Budget] = ContextVar("budget")


@contextmanager
def spending(budget: Budget) -> Iterator[None]:
    """What renders inside charges `budget`."""
    token = _CURRENT.set(budget)
    try:
        yield
    finally:
        _CURRENT.reset(token)


def current() -> Budget:
    """The budget of the rendering that is under way."""
    return _CURRENT.get()


def size_of(*values: object) -> int:
    """About the characters of `values` as text; what is shared counts as often as it would print.

    Raises:
        TemplateError: they are more than a rendering may have, or nested too deeply.
    """
    total = 0
    stack = [(value, 0) for value in values]
    while stack:
        value, depth = stack.pop()
        total += _own_size(value)
        if total > MAX_RENDERED:
            raise TemplateError(f"a value has more than {MAX_RENDERED:,} characters")
        if depth > _DEEPEST:
            raise TemplateError(f"a value has more than {_DEEPEST} lists inside one another")
        if isinstance(value, Mapping):
            stack.extend((item, depth + 1) for pair in value.items() for item in pair)
        elif _is_collection(value):
            assert isinstance(value, Collection)
            stack.extend((item, depth + 1) for item in value)
    return total


def length_of(value: object) -> int:
    """The characters of a text, the items of a list: what copying it costs."""
    return len(value) if isinstance(value, str | bytes) or _is_collection(value) else 1  # type: ignore[arg-type]


def _own_size(value: object) -> int:
    if isinstance(value, str | bytes):
        return len(value) + 4
    if isinstance(value, int):
        return value.bit_length() // 3 + 4
    return 4 + 4 * len(value) if _is_collection(value) else 8  # type: ignore[arg-type]


def _is_collection(value: object) -> bool:
    return isinstance(value, Collection) and not isinstance(value, str | bytes | Undefined)
