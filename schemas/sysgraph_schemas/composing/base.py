"""`base: other.yaml`: a file says what differs from another one."""

from ..located import Entry, Located, mapping


def overlaid(over: Located, base: Located) -> Located:
    """`base` with what `over` says.

    Mappings go together key by key, null removes a key, and anything else (a list, a text, an
    entry of another kind) stands in place of what was there.
    """
    entries = dict(base.entries)
    for name, entry in over.entries.items():
        known = entries.get(name)
        if known is not None and entry.node.value is None:
            del entries[name]
        elif known is not None and _go_together(entry.node, known.node):
            entries[name] = Entry(entry.key, overlaid(entry.node, known.node))
        else:
            entries[name] = entry
    return mapping(over, entries)


def _go_together(over: Located, base: Located) -> bool:
    if not isinstance(over.value, dict) or not isinstance(base.value, dict):
        return False
    if "use" in over.value or "file" in over.value:
        return ("use" in over.value) == ("use" in base.value) and "file" not in over.value
    return "kind" not in over.value or over.value["kind"] == base.value.get("kind")
