"""The fields of records in templates: `{{ call.query }}` never reaches an attribute of Python."""

from collections.abc import Mapping
from typing import Any

from jinja2 import nodes
from jinja2.visitor import NodeTransformer

from .flaw import TemplateError
from .kinds import Labelled

FIELD = "sysgraph field"
"""The filter that gives a field. No template can name one with a space in it."""


def nested(scope: Mapping[str, object]) -> dict[str, object]:
    """The scope with what stands for `call.query` as a field of `call`, unless that is there."""
    found: dict[str, object] = {name: value for name, value in scope.items() if "." not in name}
    for name in scope.keys() - found.keys():
        *owners, last = name.split(".")
        if ".".join(owners) in scope:
            continue
        inside = found
        for owner in owners:
            there = inside.get(owner)
            inside[owner] = inner = dict(there) if isinstance(there, Mapping) else {}
            inside = inner
        inside[last] = scope[name]
    return found


def with_lookups(tree: nodes.Template) -> nodes.Template:
    """The tree with fields looked up by a filter; it is changed in place."""
    _Lookups().visit(tree)
    return tree


class _Lookups(NodeTransformer):
    def visit_Getattr(self, node: nodes.Getattr) -> nodes.Expr:
        self.generic_visit(node)
        if isinstance(node.node, nodes.Name) and node.node.name == "loop":
            return node
        name = nodes.Const(node.attr, lineno=node.lineno)
        return nodes.Filter(node.node, FIELD, [name], [], None, None, lineno=node.lineno)


def field(value: Any, name: str) -> object:
    """A field of a record, of each record of a group, or what an item of a group is called.

    Raises:
        TemplateError: it has none of that name.
    """
    if isinstance(value, Mapping) and name in value:
        return value[name]
    if isinstance(value, Labelled) and name in value.fields:
        return value.fields[name]
    if isinstance(value, list):
        return [field(item, name) for item in value]
    raise TemplateError(f"there is no field `{name}` here")
