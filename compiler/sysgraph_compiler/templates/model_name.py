"""`model: "{{ agent }}"`: a template over the `for_each` keys that names a model.

It may hold text and keys only, and is put together here, without Jinja2's compiler: checking and
compiling a graph executes no generated code.
"""

from collections.abc import Iterable, Mapping

from jinja2 import nodes

from .flaw import Flaw, TemplateError
from .names import free_names
from .parse import Parsed, parse

_HELP = 'it may hold text and `for_each` keys: model: "{{ agent }}"'


def flaw_of(text: str) -> Flaw | None:
    """What is wrong with the template, if anything is."""
    parsed = parse(text)
    if isinstance(parsed, Flaw):
        return parsed
    for node in parsed.tree.body:
        parts = node.nodes if isinstance(node, nodes.Output) else [node]
        for part in parts:
            if not isinstance(part, nodes.TemplateData | nodes.Name):
                start = text.find("{")
                return Flaw("this is too much for the name of a model", start, len(text), _HELP)
    return None


def keys_of(text: str) -> dict[str, tuple[int, int]]:
    """The keys the template uses, with their places."""
    parsed = parse(text) if "{" in text else None
    if not isinstance(parsed, Parsed):
        return {}
    return {name: parsed.find(name, line) for name, line in free_names(parsed).items()}


def model_name(text: str, bindings: Mapping[str, object]) -> str:
    """The model's name for one copy.

    Raises:
        TemplateError: the template is flawed, or uses a key that `bindings` lacks.
    """
    if "{" not in text:
        return text
    parsed = parse(text)
    flaw = parsed if isinstance(parsed, Flaw) else flaw_of(text)
    if flaw is not None or not isinstance(parsed, Parsed):
        raise TemplateError(flaw.message if flaw else text)
    try:
        return "".join(_part(part, bindings) for part in parsed.tree.find_all(_PARTS))
    except KeyError as error:
        raise TemplateError(f"there is no for_each key {error}") from None


def gate_options(options: Iterable[str], bindings: Mapping[str, object]) -> tuple[str, ...]:
    """The options of a gate for one copy: templates as a model's name may be one.

    What is flawed or uses other keys stands as it is written.
    """
    return tuple(
        option
        if "{" not in option or flaw_of(option) or not keys_of(option).keys() <= bindings.keys()
        else model_name(option, bindings)
        for option in options
    )


_PARTS = (nodes.TemplateData, nodes.Name)


def _part(node: nodes.Node, bindings: Mapping[str, object]) -> str:
    if isinstance(node, nodes.TemplateData):
        return node.data
    assert isinstance(node, nodes.Name)
    return str(bindings[node.name])
