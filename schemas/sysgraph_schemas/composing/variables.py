"""`vars:` of a file: values with defaults, which its texts use as `${name}`."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from ..diagnostics import Diagnostic, GraphError, Path
from ..limits import MAX_REPORTED
from ..located import Entry, Located, listing, mapping, rewrite, scalar
from ..problems import bad_variable, unknown_variable, unused_variable
from ..spec import IDENTIFIER

USE = re.compile(r"(\$+)\{([A-Za-z_][A-Za-z0-9_]*)\}")
"""`${name}`; of several `$` before the brace, two stand for one."""

_UNSET = ("vars", "base")
_SECTIONS = ("models", "parsers", "nodes", "loops", "fit")


def escaped(text: str) -> str:
    """The text as a file must write it so that nothing in it is a variable."""
    return USE.sub(lambda found: found[1] * 2 + found[0].removeprefix(found[1]), text)


def declared(root: Located) -> tuple[dict[str, Entry], list[Diagnostic]]:
    """The variables of a file with their defaults, and what is wrong with how they are written."""
    entry = root.entries.get("vars")
    if entry is None or entry.node.value is None:
        return {}, []
    if not isinstance(entry.node.value, dict):
        return {}, [bad_variable.no_section(entry.node)]
    found = entry.node.entries
    problems: list[Diagnostic] = []
    for name, one in found.items():
        if not re.fullmatch(IDENTIFIER, name):
            problems.append(bad_variable.name(one.key))
        elif not _is_value(one.node.value):
            problems.append(bad_variable.no_value(name, one.node))
    return found, problems


def given(
    defaults: Mapping[str, Entry], values: Mapping[str, Located], path: Path
) -> tuple[dict[str, Located], list[Diagnostic]]:
    """The variables with the values that somebody gives them: of the type of the default."""
    found = {name: entry.node for name, entry in defaults.items()}
    problems: list[Diagnostic] = []
    for name, node in values.items():
        default = found[name].value
        if node is found[name] or _fits(node.value, default):
            found[name] = node
        else:
            problems.append(bad_variable.other_type(name, node, default, (*path, name)))
    return found, problems


def _is_value(value: object) -> bool:
    items = value if isinstance(value, list) else [value]
    return not any(isinstance(item, list | dict) for item in items)


def _fits(value: object, default: object) -> bool:
    if not _is_value(value):
        return False
    if default is None or value is None:
        return default is None
    number = isinstance(default, float) and type(value) is int
    return type(value) is type(default) or number


@dataclass
class Variables:
    """Puts the values in, and remembers which were used.

    Args:
        values: by name.
        problems: where to tell of what is wrong; `wrong` counts the errors.
        on: whether the file has `vars`; the texts of one that has none stay as they are.
        anywhere: whether the file can have a `${` in it; where none is, nothing is gone through.
    """

    values: Mapping[str, Located]
    problems: list[Diagnostic]
    on: bool
    anywhere: bool = True
    wrong: int = 0
    used: set[str] = field(default_factory=set)
    _done: dict[int, Located] = field(default_factory=dict)

    def fill(self, root: Located) -> tuple[Located, set[Path]]:
        """The file with every value in its place, without the keys that are read by now.

        Also the paths of what lacks a value, which is left out.
        """
        if not self.anywhere:
            kept = {key: entry for key, entry in root.entries.items() if key not in _UNSET}
            return mapping(root, kept), set()
        entries: dict[str, Entry] = {}
        lost: set[Path] = set()
        for key, entry in root.entries.items():
            if key in _UNSET:
                continue
            if key in _SECTIONS and isinstance(entry.node.value, dict):
                entries[key] = Entry(entry.key, self._section(key, entry.node, lost))
            else:
                entries[key] = Entry(entry.key, self.within(entry.node))
        return mapping(root, entries), lost

    def _section(self, key: str, node: Located, lost: set[Path]) -> Located:
        kept: dict[str, Entry] = {}
        for name, entry in node.entries.items():
            wrong = self.wrong
            filled = self.within(entry.node)
            if self.wrong > wrong:
                lost.add((key, name))
            else:
                kept[name] = Entry(entry.key, filled)
        same = len(kept) == len(node.entries)
        same = same and all(kept[name].node is entry.node for name, entry in node.entries.items())
        return node if same else mapping(node, kept)

    def within(self, node: Located) -> Located:
        """A part of the file with every value in its place; itself, where it uses none."""
        if isinstance(node.value, str):
            return self._text(node)
        if not node.items and not node.entries:
            return node
        if id(node) not in self._done:  # an alias stands for one value in many places
            self._done[id(node)] = self._filled(node)
        return self._done[id(node)]

    def unused(self, declared: Mapping[str, Entry]) -> None:
        """Tells of variables that nothing uses."""
        for name, entry in declared.items():
            if name not in self.used:
                self.problems.append(unused_variable.diagnose(name, entry.key))

    def _filled(self, node: Located) -> Located:
        if isinstance(node.value, dict):
            inner = {name: self.within(entry.node) for name, entry in node.entries.items()}
            if all(inner[name] is entry.node for name, entry in node.entries.items()):
                return node
            return mapping(
                node, {name: Entry(node.entries[name].key, one) for name, one in inner.items()}
            )
        items = [self.within(item) for item in node.items]
        same = all(one is other for one, other in zip(items, node.items, strict=True))
        return node if same else listing(node, items)

    def _text(self, node: Located) -> Located:
        assert isinstance(node.value, str)
        found = list(USE.finditer(node.value)) if "${" in node.value else []
        if not self.on:
            plain = [unknown_variable.plain(u[2], node, u.span()) for u in found[:MAX_REPORTED]]
            self.problems += plain
            return node
        if len(found) == 1 and found[0][0] == node.value and found[0][1] == "$":
            value = self._value(node, found[0])
            return scalar(node, "") if value is None else value
        changes = []
        for use in found:
            half, odd = divmod(len(use[1]), 2)
            text = "$" * half + (self._inserted(node, use) if odd else f"{{{use[2]}}}")
            changes.append((use.start(), use.end(), text))
        return rewrite(node, changes)

    def _tell(self, problem: Diagnostic) -> None:
        self.wrong += 1
        if self.wrong <= MAX_REPORTED:
            self.problems.append(problem)

    def _value(self, node: Located, use: re.Match[str]) -> Located | None:
        name = use[2]
        if name not in self.values:
            self._tell(unknown_variable.used(name, node, use.span(), self.values))
            return None
        self.used.add(name)
        if self.values[name].value is None:
            self._tell(bad_variable.not_given(name, node, use.span()))
            return None
        return self.values[name]

    def _inserted(self, node: Located, use: re.Match[str]) -> str:
        found = self._value(node, use)
        if found is None:
            return ""
        if isinstance(found.value, list):
            self._tell(bad_variable.list_in_text(use[2], node, use.span()))
            return ""
        if isinstance(found.value, str):
            return found.value
        if found.style is None:  # as it is written: 1e-3 stays 1e-3
            return found.source.text[found.start : found.end]
        return str(found.value)


def unknown(values: Mapping[str, Entry], known: Mapping[str, Entry], path: Path) -> None:
    """Refuses values for variables that a file does not have.

    Raises:
        GraphError: there are some.
    """
    found = [
        unknown_variable.given(name, entry.key, known, (*path, name))
        for name, entry in values.items()
        if name not in known
    ]
    if found:
        raise GraphError(found)
