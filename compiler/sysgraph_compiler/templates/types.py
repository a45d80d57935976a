"""Types inside a template: a list is looped over or joined, a text is printed, not the reverse."""

from collections.abc import Iterable, Iterator, Mapping

from jinja2 import nodes

from sysgraph_schemas.suggest import suggestion

from .filters import FILTERS, LOOP, OTHERS
from .flaw import Flaw
from .kinds import COPY, RECORD, element, fields_of, is_list
from .names import dotted
from .parse import Parsed

ANY = "any"
IMAGE = "image"
"""The type of an image, and of a text with images in it: it can be printed, and nothing else."""
_INSTEAD = {
    "messages": "put them in among `messages:`, as `- insert: {name}`",
}
"""What to do with values of types that templates cannot use."""


def misuses(parsed: Parsed, scope: Mapping[str, str]) -> list[Flaw]:
    """Where the template uses a value as what it is not.

    Args:
        parsed: A template in which nothing is forbidden.
        scope: The type of each name: `text`, `number`, `list[text]`, `list[list[text]]`, `any`;
            items of groups, and records, with the types of their fields (`kinds`). Under `COPY`
            what the node's own copies are called.
    """
    walker = _Walker(parsed)
    walker.block(parsed.tree.body, dict(scope))
    return walker.flaws


class _Walker:
    def __init__(self, parsed: Parsed) -> None:
        self.parsed = parsed
        self.flaws: list[Flaw] = []

    def block(self, body: list[nodes.Node], scope: dict[str, str]) -> None:
        for node in body:
            if isinstance(node, nodes.Output):
                for part in node.nodes:
                    self.printed(part, self.type(part, scope))
            elif isinstance(node, nodes.For):
                self.loop(node, scope)
            elif isinstance(node, nodes.If):
                self.type(node.test, scope)
                for branch in (node.body, node.elif_, node.else_):
                    self.block(list(branch), scope)

    def printed(self, part: nodes.Expr, kind: str) -> None:
        if kind != RECORD and not is_list(kind):
            return
        name = _name(part)
        if kind == RECORD:
            said = f"`{name}` is {in_words(kind)} and would be printed with braces"
            fields = fields_of(kind) or ("field",)
            shown = " or ".join(f"{{{{ {name}.{one} }}}}" for one in fields)
            self.flaw(part, said, f"print a field, {shown}, or {{{{ {name} | tojson }}}}")
            return
        if element(kind) == RECORD:
            one = [*(fields_of(kind) or ("x",))][-1]
            item = _item_name(name)
            help = f"write {{% for {item} in {name} %}}{{{{ {item}.{one} }}}}{{% endfor %}}"
            said = f"`{name}` is {in_words(kind)} and would be printed with brackets"
            self.flaw(part, said, help)
            return
        item = _item_name(name)
        help = f"write {{% for {item} in {name} %}}{{{{ {item} }}}}{{% endfor %}}"
        help += f' or {{{{ {name} | join(", ") }}}}' if kind == "list[text]" else ""
        self.flaw(part, f"`{name}` is {in_words(kind)} and would be printed with brackets", help)

    def loop(self, node: nodes.For, scope: dict[str, str]) -> None:
        kind = self.type(node.iter, scope)
        if kind not in (ANY,) and not is_list(kind):
            name = _name(node.iter)
            help = "loops are for nodes with `for_each` and for parsers that give lists"
            self.flaw(
                node.iter, f"`{name}` is {in_words(kind)}, so there is no list to loop over", help
            )
            kind = ANY
        assert isinstance(node.target, nodes.Name)
        inner = {**scope, node.target.name: element(kind), "loop": "loop"}
        if node.test is not None:
            self.type(node.test, inner)
        self.block(node.body, inner)
        self.block(node.else_, scope)

    def type(self, node: nodes.Node, scope: dict[str, str]) -> str:
        """The type of an expression; flaws inside it are noted."""
        if isinstance(node, nodes.Name):
            return self.name(node, scope.get(node.name, ANY))
        if isinstance(node, nodes.TemplateData | nodes.Concat):
            kinds = {self.type(child, scope) for child in node.iter_child_nodes()}
            return IMAGE if IMAGE in kinds else "text"
        if isinstance(node, nodes.Const):
            return _const(node.value)
        if isinstance(node, nodes.List | nodes.Tuple):
            kinds = {self.type(item, scope) for item in node.items}
            return f"list[{kinds.pop() if len(kinds) == 1 else ANY}]"
        if isinstance(node, nodes.Filter):
            return self.filter(node, scope)
        if isinstance(node, nodes.Getattr):
            return self.field(node, scope)
        if isinstance(node, nodes.Getitem):
            return self.item(node, scope)
        if isinstance(node, nodes.CondExpr):
            return self.either(node, scope)
        if isinstance(node, nodes.Add | nodes.Sub):
            return self.sum(node, scope)
        self.all(node.iter_child_nodes(), scope)
        if isinstance(node, nodes.Neg | nodes.Pos):
            return "number"
        return ANY if isinstance(node, nodes.And | nodes.Or) else "true or false"

    def field(self, node: nodes.Getattr, scope: dict[str, str]) -> str:
        if isinstance(node.node, nodes.Name) and node.node.name == "loop":
            return LOOP.get(node.attr, ANY)
        name = dotted(node)
        if name in scope:  # a record's field that the node sees
            return self.name(nodes.Name(name, "load", lineno=node.lineno), scope[name])
        kind = self.type(node.node, scope)
        known = fields_of(kind) if not is_list(kind) else None
        if kind == ANY or (kind == RECORD and known is None):
            return ANY
        if known is None or node.attr not in known:
            name = _name(node.node)
            said = f"`{name}` is {in_words(kind)} and has no `.{node.attr}`"
            help = "records, items of a node with `for_each` and turns of a `history` have fields"
            if known is None and is_list(kind) and fields_of(kind):
                item = _item_name(name)
                help = f"its items do: {{% for {item} in {name} %}}{{{{ {item}.{node.attr} }}}}"
            elif known is not None:
                help = suggestion(node.attr, known, "its fields are")
            self.flaw(node, said, help)
            return ANY
        return known[node.attr]

    def name(self, node: nodes.Name, kind: str) -> str:
        """A variable's type; of what no template can do anything with, it is noted."""
        instead = _INSTEAD.get(kind.removeprefix("list[").removesuffix("]"))
        if instead is None:
            return kind
        said = f"`{node.name}` is {in_words(kind)}, and prompts are made of texts"
        self.flaw(node, said, instead.format(name=node.name))
        return ANY

    def all(self, children: Iterator[nodes.Node], scope: dict[str, str]) -> None:
        for child in children:
            self.type(child, scope)

    def filter(self, node: nodes.Filter, scope: dict[str, str]) -> str:
        rule = FILTERS[node.name]
        self.all(iter(node.args), scope)
        if node.node is None:
            return ANY
        kind = self.type(node.node, scope)
        shows = IMAGE in (kind, element(kind))
        fits = kind == ANY or (rule.takes == ANY and not shows) or _family(kind) in rule.takes
        if not fits and shows and rule.takes == ANY:
            name = _name(node.node)
            said = f"the filter `{node.name}` makes no text of {in_words(kind)}, as `{name}` is"
            self.flaw(node.node, said, "print images as they are: {{ " + name + " }}")
            return ANY
        if not fits:
            name = _name(node.node)
            said = f"the filter `{node.name}` takes {rule.takes}; `{name}` is {in_words(kind)}"
            self.flaw(node.node, said, _filter_help(node.name, name, kind))
            return ANY
        if node.name == OTHERS and kind != ANY:
            self.others(node, kind, scope)
        if rule.gives == "element" or (shows and rule.gives == "text"):
            return element(kind)
        return kind if rule.gives == "same" else rule.gives

    def others(self, node: nodes.Filter, kind: str, scope: dict[str, str]) -> None:
        """Whether it can be told which of the items is the copy's own."""
        own, theirs = fields_of(scope.get(COPY, ANY)) or {}, fields_of(kind) or {}
        if own.keys() & theirs.keys():
            return
        assert node.node is not None
        said = "`others` leaves out this copy's own item"
        said += f", and `{_name(node.node)}` has none that belongs to it"
        help = (
            "it is for nodes with `for_each`, and lists of the copies of a node with an equal key"
        )
        self.flaw(node.node, said, help)

    def item(self, node: nodes.Getitem, scope: dict[str, str]) -> str:
        kind = self.type(node.node, scope)
        is_slice = isinstance(node.arg, nodes.Slice)
        index = "number" if is_slice else self.type(node.arg, scope)
        if is_slice:
            self.all(node.arg.iter_child_nodes(), scope)
        if index not in ("number", ANY):
            self.flaw(node.node, f"`{_name(node.node)}` is indexed by numbers only")
            return ANY
        if kind != ANY and _family(kind) not in ("list", "text"):
            self.flaw(node.node, f"`{_name(node.node)}` is {in_words(kind)} and has no items")
            return ANY
        return kind if is_slice else element(kind)

    def either(self, node: nodes.CondExpr, scope: dict[str, str]) -> str:
        self.type(node.test, scope)
        one = self.type(node.expr1, scope)
        other = self.type(node.expr2, scope) if node.expr2 is not None else one
        return one if one == other else ANY

    def sum(self, node: nodes.BinExpr, scope: dict[str, str]) -> str:
        left, right = self.type(node.left, scope), self.type(node.right, scope)
        wanted = ("number",) if isinstance(node, nodes.Sub) else ("number", "text", "list")
        sign = "-" if isinstance(node, nodes.Sub) else "+"
        kinds = {_family(kind) for kind in (left, right) if kind != ANY}
        if len(kinds) > 1 or not kinds <= set(wanted):
            said = f"`{sign}` cannot join {in_words(left)} and {in_words(right)}"
            help = "`~` joins any two values as text" if sign == "+" else None
            self.flaw(node, said, help)
            return ANY
        return left if left != ANY else right

    def flaw(self, node: nodes.Node, message: str, help: str | None = None) -> None:
        if isinstance(node, nodes.Getattr):
            place = self.parsed.find(node.attr, node.lineno, after=".")
            self.flaws.append(Flaw(message, *place, help))
            return
        names = [node] if isinstance(node, nodes.Name) else list(node.find_all(nodes.Name))
        name = names[0] if names else None
        place = self.parsed.find(name.name if name else "", node.lineno)
        self.flaws.append(Flaw(message, *place, help))


def type_of_items(items: Iterable[str | int | float]) -> str:
    """The type of a `for_each` key."""
    kinds = {"text" if isinstance(item, str) else "number" for item in items}
    return kinds.pop() if len(kinds) == 1 else ANY


def in_words(kind: str) -> str:
    """The type as a message says it."""
    names = {
        "text": "a text",
        "number": "a number",
        "list[text]": "a list of texts",
        "choice": "a choice",
        "image": "an image",
        RECORD: "a record",
        f"list[{RECORD}]": "a list of records",
        "list[choice]": "a list of choices",
        "list[image]": "a list of images",
        "messages": "messages",
        ANY: "a value",
    }
    return names.get(kind, "a list of lists" if kind.startswith("list[list") else f"a {kind}")


def _family(kind: str) -> str:
    return "list" if is_list(kind) else kind


def _const(value: object) -> str:
    if isinstance(value, bool) or value is None:
        return "true or false"
    return "text" if isinstance(value, str) else "number"


def _name(node: nodes.Node) -> str:
    if isinstance(node, nodes.Name):
        return node.name
    if name := dotted(node):
        return name
    inner = next(iter(node.find_all(nodes.Name)), None)
    return inner.name if inner is not None else "this"


def _item_name(name: str) -> str:
    return name[0] if name[0].isalpha() and len(name) > 1 else "item"


def _filter_help(name: str, value: str, kind: str) -> str | None:
    if kind == "list[text]":
        item = _item_name(value)
        loop = f"{{% for {item} in {value} %}}{{{{ {item} | {name} }}}}{{% endfor %}}"
        return f"apply it to each: {loop}"
    return None
