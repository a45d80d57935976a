"""SG002: the text is no YAML."""

from yaml.error import MarkedYAMLError

from ..diagnostics import Code, Diagnostic, Note, problem
from ..located import Located
from ..source import Source
from ..suggest import suggestion

CODE = Code(
    id="SG002",
    title="YAML syntax",
    meaning="The text is not YAML 1.2: a bracket or quote is not closed, indentation does not line "
    "up, or a value starts with a character that means something to YAML. Text with `{{`, `: ` "
    "or ` #` in it needs quotes.",
    wrong="nodes:\n  draft: {kind: lm, model: ada, prompt: {{ question }}}\n",
    right='nodes:\n  draft: {kind: lm, model: ada, prompt: "{{ question }}"}\n',
)

_QUOTE_TEMPLATES = 'put templates in quotes: prompt: "{{ question }}"'


def diagnose(source: Source, error: MarkedYAMLError) -> Diagnostic:
    """Where the scanner or parser stopped."""
    mark = error.problem_mark or error.context_mark
    offset = mark.index if mark else 0
    notes: tuple[Note, ...] = ()
    context = error.context_mark
    if context is not None and error.context and context.index != offset:
        opened = source.span(context.index, context.index + 1)
        notes = (Note(str(error.context), opened),)
    line = source.line_text(source.line_of(offset))
    help = _QUOTE_TEMPLATES if "{{" in line or "{%" in line else None
    if "\t" in line[: offset - source.line_start(source.line_of(offset)) + 1]:
        help = "indent with spaces: YAML allows no tabs there"
    what = str(error.problem or error.context or "not readable")
    span = source.span(offset, offset + 1)
    return problem(CODE, f"this is no YAML: {what}", span=span, help=help, notes=notes)


def unprintable(source: Source, offset: int) -> Diagnostic:
    """A control character, or half of one that takes two."""
    what = f"the character U+{ord(source.text[offset]):04X} may not stand in YAML"
    return problem(CODE, what, span=source.span(offset, offset + 1), help="remove it")


def other(source: Source, error: Exception) -> Diagnostic:
    """What the parser stumbled over without saying where."""
    what = f"this is no YAML ({type(error).__name__})"
    return problem(CODE, what, span=source.span(0, 0))


def complex_key(source: Source, start: int) -> Diagnostic:
    """A list or mapping as a key, which is what an unquoted `{{ x }}` is to YAML."""
    before = source.text[:start].rstrip()
    if before.endswith("{") and source.text.startswith("{", start):
        what = "`{{` without quotes begins a mapping in a mapping"
        return problem(
            CODE, what, span=source.span(len(before) - 1, start + 1), help=_QUOTE_TEMPLATES
        )
    what = "a key must be text; this one is a list or a mapping"
    return problem(CODE, what, span=source.span(start, start + 1))


def recursive(source: Source, start: int, end: int, name: str) -> Diagnostic:
    """`&a [*a]`."""
    what = f"the alias `*{name}` stands inside the value that it repeats"
    return problem(CODE, what, span=source.span(start, end), help="write the value out")


def no_anchor(source: Source, start: int, end: int, name: str, anchors: list[str]) -> Diagnostic:
    """`*a` with no `&a` before it."""
    what = f"the alias `*{name}` repeats nothing: there is no `&{name}` before it"
    help = suggestion(name, anchors, "the anchors are")
    if not anchors:
        help = f"mark the value to repeat with `&{name}`, or put text that starts with * in quotes"
    return problem(CODE, what, span=source.span(start, end), help=help)


def bad_merge(node: Located) -> Diagnostic:
    """`<<: 3`."""
    what = "`<<:` merges a mapping, or a list of mappings, into this one"
    return problem(CODE, what, span=node.span, help="for example `<<: *defaults`")
