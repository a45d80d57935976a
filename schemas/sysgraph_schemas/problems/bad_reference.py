"""SG008: a file that a graph file names, and that cannot be read."""

from ..diagnostics import Code, Diagnostic, Note, Span, problem
from ..located import Located
from ..suggest import quoted

CODE = Code(
    id="SG008",
    title="file of a graph that cannot be read",
    meaning="`use`, `base` and `file` name a file by its path from the file that they stand in. "
    "There is no such file, it is none (a folder, a pipe), or it is no UTF-8 text. A graph that is "
    "given as text, not as a file, has no folder and names no files.",
    wrong="draft: {kind: lm, model: ada, prompt: {file: prompts/drafft.txt}}\n",
    right="draft: {kind: lm, model: ada, prompt: {file: prompts/draft.txt}}\n",
)


def unreadable(reference: Located, shown: str, why: str, help: str | None = None) -> Diagnostic:
    """Placed at the reference."""
    said = f"{quoted(shown, 120)} {why}"
    return problem(CODE, said, span=reference.span, help=help)


def no_name(reference: Located) -> Diagnostic:
    """Something else than text."""
    help = "write its path from the folder of this file: prompts/draft.txt"
    return problem(CODE, "this names no file", span=reference.span, help=help)


def of_a_text(reference: Located) -> Diagnostic:
    """The graph is no file."""
    help = "save the graph as a file, and give its path"
    said = "a graph that is given as text, or through a pipe, has no folder, so it names no files"
    return problem(CODE, said, span=reference.span, help=help)


def no_text(key: Located, more: str) -> Diagnostic:
    """`{file: a.txt, fiel: b.txt}`."""
    said = f"{quoted(more)} beside `file`"
    return problem(CODE, said, span=key.span, help="a text from a file is `{file: path}` alone")


def no_graph(reference: Located, source_span: Span | None) -> Diagnostic:
    """A file that is no mapping."""
    said = f"{quoted(str(reference.value))} holds no graph"
    notes = (Note("it begins here", source_span),) if source_span else ()
    help = "a part or a base is a graph file: a mapping (key: value)"
    return problem(CODE, said, span=reference.span, help=help, notes=notes)
