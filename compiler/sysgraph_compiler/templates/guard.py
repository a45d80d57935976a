"""A sandbox for templates of strangers: whatever could take long or grow charges a budget first.

Calls, operators, filters, tests and what is printed charge as they run. What Jinja2 compiles to
plain Python (loops, comparisons, `~`, slices, macros) gets filters that charge, put into the tree.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import wraps
from typing import Any, cast

from jinja2 import nodes, pass_context, pass_eval_context
from jinja2.runtime import Context, LoopContext, Macro
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.visitor import NodeTransformer

from .budget import current, length_of, size_of
from .costs import FILTER_COSTS, METHOD_COSTS, linear, operator_cost

# No template can name a filter with a space in it.
_TURNS, _TOLL, _WEIGHED, _COPIED, _SOUGHT = (
    f"sysgraph {name}" for name in ("turns", "toll", "weighed", "copied", "sought")
)

_CALL = 50
"""What it costs to call a macro, beside what the macro does."""


class GuardedEnvironment(ImmutableSandboxedEnvironment):
    """An environment whose templates, put together by `template_of`, charge the current budget."""

    intercepted_binops = frozenset(ImmutableSandboxedEnvironment.default_binop_table)

    def __init__(self, **options: Any) -> None:
        # Folding constants would run them when a template is compiled.
        super().__init__(**options, optimized=False, finalize=_printed)

    def guard(self) -> None:
        """Makes all filters and tests charge; to be called when they are complete."""
        self.filters = {
            name: _charging(cast(Any, run), FILTER_COSTS.get(name, linear))
            for name, run in self.filters.items()
        } | {
            _TURNS: _turns,
            _TOLL: _toll,
            _WEIGHED: _weighed,
            _COPIED: _copied,
            _SOUGHT: _sought,
        }
        self.tests = {name: _charging(cast(Any, run), _of_test) for name, run in self.tests.items()}

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """The operator's value, charged before."""
        current().charge(operator_cost(operator, left, right))
        return super().call_binop(context, operator, left, right)

    def call(__self, __context: Context, __obj: Any, *args: Any, **kwargs: Any) -> Any:
        """What a call gives, charged before."""
        given = [_settled(arg) for arg in args]
        current().charge(_call_cost(__obj, given, kwargs))
        return super().call(__context, __obj, *given, **kwargs)

    def wrap_str_format(self, value: Any) -> Callable[..., str] | None:
        """The sandbox's `format`, which remembers its text for `call` to charge."""
        wrapped = super().wrap_str_format(value)
        if wrapped is not None:
            wrapped.__self__ = value.__self__  # type: ignore[attr-defined]
        return wrapped


def guarded(tree: nodes.Template) -> nodes.Template:
    """The tree with what it needs to charge; it is changed in place."""
    _Guard().visit(tree)
    return tree


def _call_cost(function: Any, args: list[Any], kwargs: dict[str, Any]) -> int:
    if isinstance(function, Macro | LoopContext):
        return _CALL  # what they do charges for itself
    owner = getattr(function, "__self__", None)
    if isinstance(owner, str | bytes | dict | list | tuple):
        return METHOD_COSTS.get(function.__name__, linear)(owner, *args, **kwargs)
    numbers = [one for one in (*args, *kwargs.values()) if isinstance(one, int)]
    # `lipsum` and the like make so many of something.
    many = sum(map(abs, numbers)) if getattr(function, "__name__", "").endswith("ipsum") else 0
    return linear(*args, **kwargs) + 1000 * many


def _charging(run: Callable[..., Any], cost: Callable[..., int]) -> Callable[..., Any]:
    first = 1 if hasattr(run, "jinja_pass_arg") else 0

    @wraps(run)
    def charged(*args: Any, **kwargs: Any) -> Any:
        given = [_settled(arg) for arg in args[first:]]
        current().charge(cost(*given, **kwargs))
        return run(*args[:first], *given, **kwargs)

    return charged


def _of_test(value: Any, *args: Any) -> int:
    return 1 + (size_of(value, *args) if args else length_of(value))


def _settled(value: Any) -> Any:
    """A generator's items as a list, as nobody can tell what it will give."""
    return list(_each(value, 1)) if isinstance(value, Iterator) else value


def _each(items: Iterable[Any], work: int) -> Iterator[Any]:
    budget = current()
    for item in items:
        budget.turn(work)
        yield item


@pass_eval_context  # so that Jinja2 prints no constant when it compiles
def _printed(_: nodes.EvalContext, value: Any) -> Any:
    current().charge(size_of(value))
    return value


@pass_context
def _turns(_: Context, items: Iterable[Any], work: int) -> Iterator[Any]:
    return _each(items, work)


def _toll(work: int) -> str:
    current().charge(work)
    return ""


def _weighed(value: Any) -> Any:
    current().charge(size_of(value))
    return value


def _copied(value: Any) -> Any:
    current().charge(length_of(value))
    return value


def _sought(value: Any) -> Any:
    """What something is looked for in."""
    current().charge(1 if isinstance(value, dict) else size_of(value))
    return value


class _Guard(NodeTransformer):
    """Puts filters that charge around what cannot be intercepted when it runs."""

    def visit_For(self, node: nodes.For) -> nodes.For:
        self.generic_visit(node)
        node.iter = _filtered(
            cast(nodes.Expr, node.iter), _TURNS, 1 + _weight([node.test] if node.test else [])
        )
        node.body = _tolled(node.body)
        return node

    def _visit_body(self, node: nodes.Macro | nodes.CallBlock | nodes.Block) -> nodes.Node:
        self.generic_visit(node)
        node.body = _tolled(node.body)
        return node

    visit_Macro = visit_CallBlock = visit_Block = _visit_body

    def visit_Concat(self, node: nodes.Concat) -> nodes.Concat:
        self.generic_visit(node)
        node.nodes = [_filtered(each, _WEIGHED) for each in node.nodes]
        return node

    def visit_Compare(self, node: nodes.Compare) -> nodes.Compare:
        self.generic_visit(node)
        node.expr = _filtered(node.expr, _WEIGHED)
        for operand in node.ops:
            how = _SOUGHT if operand.op in ("in", "notin") else _WEIGHED
            operand.expr = _filtered(operand.expr, how)
        return node

    def visit_Getitem(self, node: nodes.Getitem) -> nodes.Getitem:
        self.generic_visit(node)
        if isinstance(node.arg, nodes.Slice):
            node.node = _filtered(node.node, _COPIED)
        return node

    def visit_Tuple(self, node: nodes.Tuple) -> nodes.Expr:
        self.generic_visit(node)
        # Python hashes tuples in tuples without a limit on their depth; a budget has one.
        return _filtered(node, _WEIGHED) if node.ctx == "load" else node


def _filtered(node: nodes.Expr, name: str, *args: int) -> nodes.Filter:
    numbers = [nodes.Const(arg, lineno=node.lineno) for arg in args]
    return nodes.Filter(node, name, numbers, [], None, None, lineno=node.lineno)


def _tolled(body: list[nodes.Node]) -> list[nodes.Node]:
    """A body that charges for itself whenever it runs."""
    if not body:
        return body
    line = body[0].lineno
    toll = _filtered(nodes.Const(_weight(body), lineno=line), _TOLL)
    return [nodes.Output([toll], lineno=line), *body]


def _weight(body: Iterable[nodes.Node]) -> int:
    """Nodes and characters that one run of a body goes through at most."""
    total, stack = 0, list(body)
    while stack:
        node = stack.pop()
        total += 1 + (len(node.data) if isinstance(node, nodes.TemplateData) else 0)
        stack.extend(node.iter_child_nodes())
    return total
