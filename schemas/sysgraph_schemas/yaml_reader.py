"""YAML text to `Located` values.

Scanning is libyaml's (twenty times faster than any scanner in Python, which decides what a hostile
file can cost); composing is ours, so that caps hold while the text is read, every key and value
keeps its place, plain scalars mean what YAML 1.2 says, and nothing but plain data comes out.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import yaml
from yaml import events as ev
from yaml.error import MarkedYAMLError, YAMLError

from .diagnostics import Diagnostic, GraphError
from .limits import MAX_DEPTH, MAX_REPORTED, MAX_YAML_NODES
from .located import Entry, Located
from .problems import bad_tag, duplicate_key, not_one_document, too_big, yaml_syntax
from .scalars import TAGS, resolve, resolve_tagged
from .source import Source
from .yaml_12 import Text

# Only the scanner and parser of it are used; it is the one in Python where PyYAML has no libyaml.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_CONTAINER_TAGS = {
    "{": {"tag:yaml.org,2002:map"},
    "[": {"tag:yaml.org,2002:seq"},
}


@dataclass(slots=True)
class _Open:
    """A list or mapping that is still being read."""

    node: Located
    anchor: str | None
    key: Located | None = None
    merges: list[Located] = field(default_factory=list)


def read_yaml(source: Source) -> tuple[Located, list[Diagnostic]]:
    """The document in `source`, and the problems that leave it readable (duplicate keys).

    Raises:
        GraphError: the text is no YAML, or beyond what a graph file may be.
    """
    text = Text(source.text)
    if (offset := text.unprintable()) is not None:
        raise GraphError([yaml_syntax.unprintable(source, offset)])
    composer = _Composer(source, text)
    try:
        for event in yaml.parse(text.scanned, Loader=_LOADER):
            composer.take(event)
    except MarkedYAMLError as error:
        raise GraphError([yaml_syntax.diagnose(source, error)]) from None
    except (YAMLError, ValueError, RecursionError, AttributeError, IndexError, TypeError) as error:
        if isinstance(error, GraphError):
            raise
        raise GraphError([yaml_syntax.other(source, error)]) from None
    if composer.root is None:
        raise GraphError([not_one_document.empty(source)])
    return composer.root, composer.diagnostics


class _Composer:
    def __init__(self, source: Source, text: Text) -> None:
        self.source = source
        self.text = text
        self.root: Located | None = None
        self.diagnostics: list[Diagnostic] = []
        self._open: list[_Open] = []
        self._anchors: dict[str, Located] = {}
        self._count = 0

    def take(self, event: ev.Event) -> None:
        if isinstance(event, ev.ScalarEvent):
            self._add(self._scalar(event), event.anchor)
        elif isinstance(event, ev.MappingStartEvent | ev.SequenceStartEvent):
            self._begin(event)
        elif isinstance(event, ev.MappingEndEvent | ev.SequenceEndEvent):
            self._finish(_place(event)[1])
        elif isinstance(event, ev.AliasEvent):
            self._add(self._alias(event), None)
        elif isinstance(event, ev.DocumentStartEvent) and self.root is not None:
            raise GraphError([not_one_document.second(self.source, _place(event)[0])])

    def _scalar(self, event: ev.ScalarEvent) -> Located:
        start, end = _place(event)
        tag, style = event.tag, event.style or None
        text = self.text.value(event.value, style, start, end)
        value: object = text
        if not tag and style is None and event.implicit[0]:
            value = resolve(text)
        elif tag and tag != "!":
            if tag not in TAGS:
                raise GraphError([bad_tag.diagnose(self.source, start, end, tag)])
            try:
                value = resolve_tagged(tag, text)
            except ValueError:
                raise GraphError([bad_tag.misfit(self.source, start, end, tag, text)]) from None
        return Located(self.source, start, end, value, style)

    def _begin(self, event: ev.MappingStartEvent | ev.SequenceStartEvent) -> None:
        start, end = _place(event)
        bracket = "{" if isinstance(event, ev.MappingStartEvent) else "["
        tag = str(event.tag) if event.tag else None
        if tag is not None and tag != "!" and tag not in _CONTAINER_TAGS[bracket]:
            raise GraphError([bad_tag.diagnose(self.source, start, end, tag)])
        if len(self._open) >= MAX_DEPTH:
            raise GraphError([too_big.deep(self.source, start)])
        if self._open and self._wants_key():
            raise GraphError([yaml_syntax.complex_key(self.source, start)])
        value: object = {} if bracket == "{" else []
        self._open.append(_Open(Located(self.source, start, start, value), event.anchor))

    def _wants_key(self) -> bool:
        top = self._open[-1]
        return isinstance(top.node.value, dict) and top.key is None

    def _finish(self, end: int) -> None:
        top = self._open.pop()
        node = top.node
        node.end = end
        for merge in top.merges:
            _merge(node, merge)
        parts = [entry.node for entry in node.entries.values()] or node.items
        node.size = 1 + sum(part.size for part in parts)
        node.height = 1 + max((part.height for part in parts), default=0)
        self._add(node, top.anchor, counted=False)

    def _alias(self, event: ev.AliasEvent) -> Located:
        (start, end), name = _place(event), str(event.anchor)
        if any(part.anchor == name for part in self._open):
            raise GraphError([yaml_syntax.recursive(self.source, start, end, name)])
        target = self._anchors.get(name)
        if target is None:
            near = list(self._anchors)
            raise GraphError([yaml_syntax.no_anchor(self.source, start, end, name, near)])
        if len(self._open) + target.height > MAX_DEPTH:
            raise GraphError([too_big.deep(self.source, start)])
        return target

    def _add(self, node: Located, anchor: str | None, *, counted: bool = True) -> None:
        self._count += node.size if counted else 1
        if self._count > MAX_YAML_NODES:
            raise GraphError([too_big.many_values(self.source, node.start)])
        if anchor is not None:
            self._anchors[anchor] = node
        if not self._open:
            self.root = node
            return
        top = self._open[-1]
        if isinstance(top.node.value, list):
            top.node.items.append(node)
            top.node.value.append(node.value)
        elif top.key is None:
            top.key = self._as_key(node)
        else:
            key, top.key = top.key, None
            self._entry(top, key, node)

    def _as_key(self, node: Located) -> Located:
        if node.items or node.entries or isinstance(node.value, list | dict):
            raise GraphError([yaml_syntax.complex_key(self.source, node.start)])
        if isinstance(node.value, str):
            return node
        written = node.source.text[node.start : node.end]  # 1: and true: are names like any other
        return Located(node.source, node.start, node.end, written, "key")

    def _entry(self, top: _Open, key: Located, node: Located) -> None:
        name = str(key.value)
        if name == "<<" and key.style is None:
            top.merges.extend(self._merged(node))
        elif name in top.node.entries:
            first = top.node.entries[name].key
            if len(self.diagnostics) < MAX_REPORTED:
                self.diagnostics.append(duplicate_key.diagnose(name, key.span, first.span))
        else:
            top.node.entries[name] = Entry(key, node)
            assert isinstance(top.node.value, dict)
            top.node.value[name] = node.value

    def _merged(self, node: Located) -> Iterator[Located]:
        for part in node.items if isinstance(node.value, list) else [node]:
            if not isinstance(part.value, dict):
                raise GraphError([yaml_syntax.bad_merge(part)])
            yield part


def _place(event: ev.Event) -> tuple[int, int]:
    start, end = event.start_mark, event.end_mark
    assert start is not None
    assert end is not None
    return start.index, end.index


def _merge(node: Located, other: Located) -> None:
    """`<<: *other`: what `node` does not say itself (YAML merge keys)."""
    assert isinstance(node.value, dict)
    for name, entry in other.entries.items():
        if name not in node.entries:
            node.entries[name] = entry
            node.value[name] = entry.node.value
