"""SG011: more, or bigger, files than a graph may be made of."""

from ..diagnostics import Code, Diagnostic, problem
from ..limits import MAX_BYTES, MAX_FILE_BYTES, MAX_FILE_DEPTH, MAX_FILES, MAX_YAML_NODES
from ..located import Located
from ..suggest import quoted

CODE = Code(
    id="SG011",
    title="too much in files",
    meaning="A graph is read within a second or so whatever files it names, so their number, their "
    "bytes, how deep they name one another and all values together (of a part as often as it is "
    "used) are capped.",
    wrong="draft: {kind: lm, model: ada, prompt: {file: prompts/big.txt}}\n",
    right="draft: {kind: lm, model: ada, prompt: {file: prompts/draft.txt}}\n",
)


def deep(reference: Located) -> Diagnostic:
    """Parts in parts in parts."""
    said = f"more than {MAX_FILE_DEPTH} files that name one another"
    return problem(CODE, said, span=reference.span)


def many(reference: Located) -> Diagnostic:
    """Too many."""
    return problem(CODE, f"the graph has more than {MAX_FILES} files", span=reference.span)


def one(reference: Located, shown: str) -> Diagnostic:
    """A big one."""
    said = f"{quoted(shown, 120)} has more than {MAX_BYTES:,} bytes"
    return problem(CODE, said, span=reference.span)


def big(reference: Located) -> Diagnostic:
    """All of them."""
    said = f"the graph's files have more than {MAX_FILE_BYTES:,} bytes"
    return problem(CODE, said, span=reference.span)


def many_values(reference: Located) -> Diagnostic:
    """Parts that are used many times."""
    said = f"with this, the graph has more than {MAX_YAML_NODES:,} values"
    return problem(CODE, said, span=reference.span)
