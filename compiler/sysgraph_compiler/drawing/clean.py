"""Texts of a graph file, made fit to stand in a picture."""

from sysgraph_schemas.visible import visible


def line(text: str) -> str:
    """A text on one line; characters that would reorder or hide it are spelled out."""
    return visible(" ".join(text[:10_000].split()))
