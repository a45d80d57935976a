"""SG003: one key, twice."""

from ..diagnostics import Code, Diagnostic, Note, Span, problem
from ..suggest import quoted

CODE = Code(
    id="SG003",
    title="duplicate key",
    meaning="A mapping has a key twice. Other YAML readers silently take the last one.",
    wrong="models:\n  ada: {kind: causal_lm, id: gpt2}\n  ada: {kind: causal_lm, id: distilgpt2}\n",
    right="models:\n  ada: {kind: causal_lm, id: gpt2}\n  bo: {kind: causal_lm, id: distilgpt2}\n",
)


def diagnose(name: str, second: Span, first: Span) -> Diagnostic:
    """Placed at the second, with a note at the first."""
    return problem(
        CODE,
        f"duplicate key {quoted(name)}",
        span=second,
        help="rename one of them, or remove it",
        notes=(Note("first given here", first),),
    )
