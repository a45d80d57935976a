"""What is wrong with a template, and where in its text."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Flaw:
    """`start` and `end` are offsets in the template."""

    message: str
    start: int
    end: int
    help: str | None = None


class TemplateError(ValueError):
    """A template is not allowed, or could not be rendered."""
