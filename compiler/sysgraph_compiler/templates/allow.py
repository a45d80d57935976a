"""What a template may contain. All else is refused before anything is folded, compiled or rendered.

Refused are the ways to reach Python (calls, attributes, imports), to build huge values (`*`, `**`,
`%`, macros, assignments) and to fail (division). What stays is enough to lay out texts and lists.
"""

from collections.abc import Callable, Iterator

from jinja2 import nodes

from sysgraph_schemas.limits import MAX_ARMS, MAX_AST_DEPTH, MAX_LOOP_DEPTH
from sysgraph_schemas.suggest import suggestion
from sysgraph_schemas.visible import half_character, visible

from .filters import FILTERS, LOOP, TESTS
from .flaw import Flaw
from .parse import Parsed

_ALLOWED = (
    nodes.Template,
    nodes.Output,
    nodes.TemplateData,
    nodes.Name,
    nodes.Const,
    nodes.List,
    nodes.Tuple,
    nodes.For,
    nodes.If,
    nodes.CondExpr,
    nodes.Filter,
    nodes.Test,
    nodes.Compare,
    nodes.Operand,
    nodes.And,
    nodes.Or,
    nodes.Not,
    nodes.Concat,
    nodes.Add,
    nodes.Sub,
    nodes.Neg,
    nodes.Pos,
    nodes.Getattr,
    nodes.Getitem,
    nodes.Slice,
)

_NAMES: dict[type[nodes.Node], tuple[str, str]] = {  # what it is called, a word to find it by
    nodes.Mul: ("`*`", "*"),
    nodes.Pow: ("`**`", "**"),
    nodes.Div: ("`/`", "/"),
    nodes.FloorDiv: ("`//`", "//"),
    nodes.Mod: ("`%`", "%"),
    nodes.Call: ("a call", "("),
    nodes.Dict: ("a mapping", "{"),
    nodes.Macro: ("`macro`", "macro"),
    nodes.CallBlock: ("`call`", "call"),
    nodes.FilterBlock: ("`filter`", "filter"),
    nodes.With: ("`with`", "with"),
    nodes.Assign: ("`set`", "set"),
    nodes.AssignBlock: ("`set`", "set"),
    nodes.Include: ("`include`", "include"),
    nodes.Import: ("`import`", "import"),
    nodes.FromImport: ("`from ... import`", "from"),
    nodes.Extends: ("`extends`", "extends"),
    nodes.Block: ("`block`", "block"),
    nodes.Scope: ("`autoescape`", "autoescape"),
}

_LEGAL = "a template holds variables, loops, conditions, comparisons, + - ~ and a few filters"


def forbidden(parsed: Parsed) -> tuple[Flaw, ...]:
    """Everything in the template that is not allowed."""
    return tuple(_walk(parsed, parsed.tree, 0, 0, 0))


def _walk(parsed: Parsed, node: nodes.Node, depth: int, loops: int, arms: int) -> Iterator[Flaw]:
    loops += isinstance(node, nodes.For)
    if isinstance(node, nodes.If) and arms + len(node.elif_) > MAX_ARMS:
        # Python compiles each inside the one before.
        start, end = parsed.find("elif", node.elif_[0].lineno if node.elif_ else node.lineno)
        help = "a `for_each` key, an input or several nodes can do what so many cases do"
        yield Flaw(f"more than {MAX_ARMS} `elif` after one another", start, end, help)
        return
    if depth > MAX_AST_DEPTH or loops > MAX_LOOP_DEPTH:
        what = "loops" if loops > MAX_LOOP_DEPTH else "expressions and blocks"
        most = MAX_LOOP_DEPTH if loops > MAX_LOOP_DEPTH else MAX_AST_DEPTH
        start, end = parsed.find("for", node.lineno)
        yield Flaw(f"more than {most} {what} inside one another", start, end)
        return
    if not isinstance(node, _ALLOWED):
        name, word = _NAMES.get(type(node), (f"`{type(node).__name__.lower()}`", ""))
        callee = node.node if isinstance(node, nodes.Call) else None
        if isinstance(callee, nodes.Getattr):
            start, end = parsed.find(callee.attr, node.lineno, after=".")
        else:
            word = callee.name if isinstance(callee, nodes.Name) else word
            start, end = parsed.find(word, node.lineno)
        yield Flaw(f"{name} is not allowed in a template", start, end, _LEGAL)
        return
    rule = _RULES.get(type(node))
    if rule is not None:
        yield from rule(parsed, node)
    for child, before in _children(node):
        yield from _walk(parsed, child, depth + 1, loops, arms + before)


def _children(node: nodes.Node) -> Iterator[tuple[nodes.Node, int]]:
    """What a node consists of, and how many `elif` must fail before each is reached."""
    if not isinstance(node, nodes.If):
        yield from ((child, 0) for child in node.iter_child_nodes())
        return
    yield from ((child, 0) for child in (node.test, *node.body))
    yield from ((child, before) for before, child in enumerate(node.elif_, 1))
    yield from ((child, len(node.elif_)) for child in node.else_)


def _attribute(parsed: Parsed, node: nodes.Node) -> Iterator[Flaw]:
    assert isinstance(node, nodes.Getattr)
    of_loop = isinstance(node.node, nodes.Name) and node.node.name == "loop"
    if of_loop and node.attr in LOOP:
        return
    if not of_loop and not node.attr.startswith("_"):
        return  # a field, or SG501: rendering looks for fields alone, never for Python's attributes
    start, end = parsed.find(node.attr, node.lineno, after=".")
    if of_loop:
        help = suggestion(node.attr, LOOP, "`loop` has")
        yield Flaw(f"`loop` has no `{node.attr}`", start, end, help)
    else:
        help = "records, items of groups and turns of a loop have fields here, and `loop` has: "
        help += ", ".join(LOOP)
        yield Flaw(f"the attribute `.{node.attr}` is not allowed in a template", start, end, help)


def _filter(parsed: Parsed, node: nodes.Node) -> Iterator[Flaw]:
    assert isinstance(node, nodes.Filter)
    start, end = parsed.find(node.name, node.lineno, after="|")
    if node.name not in FILTERS:
        help = suggestion(node.name, sorted(FILTERS), "the filters are")
        yield Flaw(f"the filter `{node.name}` is not allowed in a template", start, end, help)
        return
    fewest, most = FILTERS[node.name].arguments
    if node.kwargs or node.dyn_args or node.dyn_kwargs or not fewest <= len(node.args) <= most:
        wanted = f"{fewest}" if fewest == most else f"{fewest} to {most}"
        said = f"the filter `{node.name}` takes {wanted} argument(s), without names"
        yield Flaw(said, start, end)


def _test(parsed: Parsed, node: nodes.Node) -> Iterator[Flaw]:
    assert isinstance(node, nodes.Test)
    if node.name in TESTS and not (node.args or node.kwargs or node.dyn_args or node.dyn_kwargs):
        return
    start, end = parsed.find(node.name, node.lineno)
    help = suggestion(node.name, TESTS, "the tests are")
    yield Flaw(f"the test `is {node.name}` is not allowed in a template", start, end, help)


def _loop(parsed: Parsed, node: nodes.Node) -> Iterator[Flaw]:
    assert isinstance(node, nodes.For)
    start, end = parsed.find("for", node.lineno)
    if not isinstance(node.target, nodes.Name):
        yield Flaw("a loop has one variable: {% for d in draft %}", start, end)
    if node.recursive:
        yield Flaw("a recursive loop is not allowed in a template", start, end)


def _constant(parsed: Parsed, node: nodes.Node) -> Iterator[Flaw]:
    assert isinstance(node, nodes.Const)
    half = half_character(node.value) if isinstance(node.value, str) else None
    if half is not None:
        start, end = parsed.find(visible(half), node.lineno)
        help = "write the character itself, or its code as `\\U0001F600`"
        yield Flaw(f"`{visible(half)}` is half of a character, which is no text", start, end, help)


_RULES: dict[type[nodes.Node], Callable[[Parsed, nodes.Node], Iterator[Flaw]]] = {
    nodes.Getattr: _attribute,
    nodes.Filter: _filter,
    nodes.Test: _test,
    nodes.For: _loop,
    nodes.Const: _constant,
}
