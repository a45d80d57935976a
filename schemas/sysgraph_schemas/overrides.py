"""`--set a.b=value`: values from the command line, put into the file's before it is checked."""

from collections.abc import Sequence

from .diagnostics import Diagnostic, GraphError
from .located import Entry, Located
from .problems import bad_override
from .source import Source
from .yaml_reader import read_yaml

_NAMED = ("models", "parsers", "nodes", "vars")


def apply(root: Located, overrides: Sequence[str]) -> tuple[Located, list[Diagnostic]]:
    """The tree with every override applied, later ones last, and what is wrong with them."""
    diagnostics: list[Diagnostic] = []
    for text in overrides:
        try:
            root = _apply_one(root, text)
        except GraphError as error:
            diagnostics.extend(error.diagnostics)
    return root, diagnostics


def of_parts(root: Located, overrides: Sequence[str]) -> list[str]:
    """The overrides that name something inside a part: `models.solve.writer.id=gpt2`.

    They are for the graph in which the parts are put together.
    """
    found = []
    parts = {name for name, entry in _entries(root, "nodes").items() if "use" in entry.node.entries}
    for text in overrides:
        section, _, rest = text.partition("=")[0].partition(".")
        name, _, key = rest.partition(".")
        if (section in _NAMED and name in parts and name not in _entries(root, section)) or (
            section == "nodes" and name in parts and key.partition(".")[0] not in _PART_KEYS
        ):
            found.append(text)
    return found


_PART_KEYS = ("", "use", "inputs", "models", "vars", "when")


def _entries(root: Located, section: str) -> dict[str, Entry]:
    entry = root.entries.get(section)
    return entry.node.entries if entry else {}


def _whole_names(root: Located, steps: list[str]) -> list[str]:
    """The steps of a path, a name with dots as one of them: the longest that there is."""
    known = _entries(root, steps[0])
    for end in range(len(steps), 2, -1):
        if ".".join(steps[1:end]) in known:
            return [steps[0], ".".join(steps[1:end]), *steps[end:]]
    return steps


def _apply_one(root: Located, text: str) -> Located:
    shown = f"--set {text}"
    source = Source(shown, shown)
    path, equals, written = text.partition("=")
    steps = path.split(".")
    if not equals or not all(step.strip() == step and step for step in steps):
        raise GraphError([bad_override.no_assignment(source)])
    start = shown.index("=") + 1
    node = _value(source, written, start)
    steps = _whole_names(root, steps)
    return _put(root, steps, 0, node, source)


def _value(source: Source, written: str, start: int) -> Located:
    """The value as YAML, placed on the command line."""
    if not written.strip():
        return Located(source, start, start, "" if not written else None)
    node, _ = read_yaml(Source(source.name, " " * start + written, source.text))
    return node


def _put(node: Located, steps: list[str], at: int, value: Located, source: Source) -> Located:
    """A copy of `node` in which `steps[at:]` leads to `value`; nothing is changed in place."""
    if at == len(steps):
        return value
    step, start = steps[at], len("--set ") + sum(len(s) + 1 for s in steps[:at])
    within = ".".join(steps[:at])
    if isinstance(node.value, list) and step.isdigit() and int(step) < len(node.items):
        items = list(node.items)
        items[int(step)] = _put(items[int(step)], steps, at + 1, value, source)
        plain: object = [item.value for item in items]
        return Located(node.source, node.start, node.end, plain, node.style, items)
    if not isinstance(node.value, dict):
        raise GraphError([bad_override.not_a_section(source, start, step, within)])
    key = Located(source, start, start + len(step), step)
    known = node.entries.get(step)
    if known is None and at == 1 and steps[0] in _NAMED:
        raise GraphError([bad_override.no_such_name(source, start, step, node, within)])
    if known is None and at + 1 < len(steps):
        if at == 0 and step not in (*_NAMED, "fit"):
            raise GraphError([bad_override.no_such_name(source, start, step, node, within)])
        child = Located(source, start, start + len(step), {})
    else:
        child = known.node if known else value
    entry = Entry(
        known.key if known and at + 1 < len(steps) else key,
        _put(child, steps, at + 1, value, source),
    )
    entries = {**node.entries, step: entry}
    return Located(
        node.source,
        node.start,
        node.end,
        {name: part.node.value for name, part in entries.items()},
        node.style,
        entries=entries,
    )
