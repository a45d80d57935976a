"""SG102: a key that a section must have."""

import json

from ..diagnostics import Code, Diagnostic, problem
from ..shape import in_words
from ..spec import keys_of
from .fault import Fault

CODE = Code(
    id="SG102",
    title="missing key",
    meaning="A section lacks a key that has no default.",
    wrong='draft: {kind: lm, prompt: "{{ question }}"}\n',
    right='draft: {kind: lm, model: ada, prompt: "{{ question }}"}\n',
)


def diagnose(fault: Fault) -> Diagnostic:
    """Placed at the section's own key; the help shows the line to add."""
    key, owner = str(fault.path[-1]), fault.shape.owner
    examples = keys_of(owner)[key].examples or []
    example = f": for example `{key}: {json.dumps(examples[0])}`" if examples else ""
    section = fault.path[:-1]
    return problem(
        CODE,
        f"{owner.noun} needs the key `{key}`",
        path=fault.path,
        span=fault.places.key(section)
        if section
        else fault.places.value(())
        and fault.places.root.source.span(fault.places.root.start, fault.places.root.start + 1),
        help=f"`{key}` is {in_words(fault.shape.type)}{example}",
    )
