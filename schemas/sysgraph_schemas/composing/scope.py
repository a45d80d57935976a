"""What the names of a file stand for that has parts."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import ParamSpec

from ..diagnostics import Diagnostic, Path
from ..limits import MAX_REPORTED
from ..located import Entry, Located
from ..problems import part_output
from .flat import section
from .names import Renames
from .part import Use

P = ParamSpec("P")


@dataclass
class Scope:
    """One file's names.

    Args:
        root: the file.
        uses: its parts, in order.
        lost: paths to what could not be read, which was told already.
        problems: where to tell of what is wrong.
    """

    root: Located
    uses: dict[str, Use]
    lost: set[Path]
    problems: list[Diagnostic]
    told: int = 0

    def own(self, name: str) -> Iterable[tuple[str, Entry]]:
        """The entries of a section of the file itself."""
        return section(self.root, name).items()

    def means(self, name: str, at: Located, within: tuple[int, int]) -> str:
        """What a name of this file stands for: of a part, its output."""
        part, _, inner = name.partition(".")
        use = self.uses.get(part)
        if use is None:
            return name
        outputs = use.flat.outputs
        if not inner and len(outputs) == 1:
            return use.outer(next(iter(outputs.values())))
        if not inner:
            self.tell(part_output.several, part, [*outputs], at, within)
            return name
        end = len(inner)
        while end > 0:  # what is behind an output's name is a field of it
            if inner[:end] in outputs:
                return use.outer(outputs[inner[:end]]) + inner[end:]
            end = inner.rfind(".", 0, end)
        if len(outputs) == 1 and inner not in use.flat.nodes and use.flat.is_read:
            return f"{use.outer(next(iter(outputs.values())))}.{inner}"
        self.tell(part_output.inside, part, name, [*outputs], at, within)
        return name

    def model(self, name: str, at: Located, within: tuple[int, int]) -> str:
        """What the name of a model stands for: of a part, its own or what stands for that."""
        part, _, inner = name.partition(".")
        use = self.uses.get(part)
        return use.model(inner) if use is not None and inner in use.flat.models else name

    @property
    def renames(self) -> Renames:
        """The file's names, by what they stand for."""
        return Renames(self.means, self.model, lambda name, at, within: name)

    def tell(self, problem: Callable[P, Diagnostic], *args: P.args, **more: P.kwargs) -> None:
        """Tells of a problem, unless too many are told; each takes a look at all names."""
        self.told += 1
        if self.told <= MAX_REPORTED:
            self.problems.append(problem(*args, **more))

    def is_node(self, name: str) -> bool:
        """Whether a name of this file is a node, a field of one, or a part."""
        own = section(self.root, "nodes")
        return name in own or name.partition(".")[0] in own
