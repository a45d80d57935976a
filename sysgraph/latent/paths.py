"""The paths along which trajectories are drawn: node by node, in topological order."""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import cycle

from sysgraph_compiler import Program, Variable
from sysgraph_schemas import Decoding

from ..engines import Draw, Request, Search
from ..support.errors import InputError, RunError
from ..support.seeding import derive
from ..system import System
from ..traces.course import call_ahead, complete, context
from ..traces.prompt import Context
from ..traces.scope import Unobserved
from ..traces.trace import Completion, Trace, Value
from .branches import answer, doubtful
from .gaps import Gaps
from .trajectory import Trajectory

Coin = Callable[[str], bool]


@dataclass
class Path:
    """One trajectory while it is drawn.

    Args:
        side: whose observed values it is drawn under.
        owner: equal for the paths that share beams where they see one context.
        seed: of its random numbers.
        coin: tossed for a branch that may be the one taken: whether it is drawn.
        source: where its pair came from, for messages.
        assumed: the values of branches that are taken for those that the selections take.
        is_over: whether what was drawn lets a value exist that the side does not have.
    """

    gaps: Gaps
    side: int
    owner: Hashable
    seed: int
    coin: Coin
    source: str
    values: dict[str, Completion] = field(default_factory=dict)
    assumed: dict[str, Value] = field(default_factory=dict)
    tosses: int = 0
    is_over: bool = False

    def trace(self, program: Program) -> Trace:
        """What is there so far, computed values included."""
        return complete(program, self.known)

    @property
    def known(self) -> Trace:
        """What is there so far, without what follows from it."""
        side = self.gaps.sides[self.side]
        known = {**side.given.values, **side.answers.values, **self.values, **self.assumed}
        return replace(side.given, values=known)

    def assumes(self, program: Program, variable: Variable, trace: Trace) -> bool:
        """Whether a latent variable that came to be has the value of a selection instead."""
        if variable.name not in self.gaps.plan.branches:
            return False
        answers = self.gaps.sides[self.side].answers
        doubt = doubtful(program, trace)
        found = answer(self.gaps.plan.selections, variable, trace, answers, doubt)
        if found is None:
            return False
        value, is_sure = found
        if not is_sure:
            self.tosses += 1
            if self.coin(variable.name):
                return False
        self.assumed[variable.name] = value
        return True

    @property
    def trajectory(self) -> Trajectory:
        """What was drawn."""
        return Trajectory(self.values)


@dataclass(frozen=True)
class Asked:
    """A value that a path needs."""

    path: Path
    variable: str
    model: str
    context: Context
    options: tuple[str, ...]
    decoding: Decoding

    def draw(self, seed: int) -> Draw:
        """Drawn by a seed."""
        return Draw(self.model, self.context, seed, self.options, self.decoding)

    def request(self, value: Completion) -> Request:
        """Scored as `value`."""
        return Request(self.model, self.context, value, self.options, stop=self.decoding.stop)

    def search(self, count: int, *, diverse: bool, penalty: float) -> Search:
        """The `count` texts of a search with as many beams."""
        return Search(
            self.model,
            self.context,
            k=count,
            beams=count,
            groups=count if diverse else 1,
            diversity_penalty=penalty if diverse and count > 1 else 0.0,
            options=self.options,
            decoding=self.decoding,
        )


class Layers:
    """A program's latent variables by how many layers come before them."""

    def __init__(self, program: Program) -> None:
        self._program = program

    def of(self, paths: Sequence[Path]) -> list[int]:
        """Those in which one of the paths has a latent variable, in order."""
        return sorted({depth for path in paths for depth in path.gaps.plan.layers})

    def asked(self, path: Path, depth: int) -> Iterator[Asked]:
        """What a path needs in one layer, when it has the values of those before it.

        Nothing more where a prompt sees what has no value under the path's side.
        """
        if path.is_over:
            return
        trace = path.trace(self._program)
        for name in path.gaps.plan.layers.get(depth, ()):
            variable = self._program.variable(name)
            if name in trace.nonexistent:
                continue
            if not path.assumes(self._program, variable, trace):
                try:
                    prompt = _prompt(variable, trace, path)
                except Unobserved:
                    path.is_over = True
                    return
                model = str(self._program.model_of(name))
                yield Asked(path, name, model, prompt, variable.options, variable.decoding)


def walk(system: System, paths: Sequence[Path]) -> Iterator[list[Asked]]:
    """What the paths need next, layer by layer of the graph; values are to be filled in between."""
    layers = Layers(system.program)
    for depth in layers.of(paths):
        call_ahead(system.program, [path.known for path in paths])
        yield [asked for path in paths for asked in layers.asked(path, depth)]


def fill_by_search(
    system: System, asked: Sequence[Asked], *, diverse: bool, penalty: float
) -> None:
    """Gives paths of one owner that see one context the different beams of one search.

    As many beams as paths; where they find fewer texts, paths share them in turn.
    """
    groups: dict[Hashable, list[Asked]] = defaultdict(list)
    for one in asked:
        groups[(one.path.owner, one.variable, one.model, one.context)].append(one)
    searches = [
        several[0].search(len(several), diverse=diverse, penalty=penalty)
        for several in groups.values()
    ]
    unique = list(dict.fromkeys(searches))
    try:
        found = dict(zip(unique, system.search(unique), strict=True))
    except (InputError, RunError):
        _blame(asked, lambda one: system.search([one.search(1, diverse=False, penalty=0.0)]))
        raise
    for search, several in zip(searches, groups.values(), strict=True):
        for one, completion in zip(several, cycle(found[search]), strict=False):
            one.path.values[one.variable] = completion


def fill_by_sampling(system: System, asked: Sequence[Asked]) -> None:
    """Gives every path a draw of its own, at the node's or the model's temperature and top_p."""
    draws = [one.draw(derive(one.path.seed, one.variable)) for one in asked]
    try:
        found = system.draw(draws)
    except (InputError, RunError):
        _blame(asked, lambda one: system.draw([one.draw(0)]))
        raise
    for one, completion in zip(asked, found, strict=True):
        assert isinstance(completion, Completion)  # a latent image is refused before
        one.path.values[one.variable] = completion


def _prompt(variable: Variable, trace: Trace, path: Path) -> Context:
    try:
        return context(variable, trace)
    except Unobserved:
        raise
    except InputError as error:
        raise RunError(f"{path.source}: {variable.name}: {error}") from error


def _blame(asked: Sequence[Asked], draw: Callable[[Asked], object]) -> None:
    """Names the pair whose prompt its model cannot take."""
    for one in asked:
        try:
            draw(one)
        except RunError as error:
            where = f"{one.path.source}: {one.variable}, to be drawn"
            raise RunError(f"{where}: {error}") from error
        except InputError as error:
            raise RunError(
                f"{one.path.source}: {one.variable}, to be drawn: {error}. Lower `max_new_tokens` "
                "of its model and of those before it, or leave the pair out"
            ) from error
