"""SG504: a parser that can fail and does not say what then."""

from collections.abc import Iterator

from sysgraph_schemas import Code, Diagnostic

from ...facts import Facts

CODE = Code(
    id="SG504",
    title="no failure policy",
    meaning="Some texts do not parse. `on_failure: reject` ends the trace there: what hangs on it "
    "never existed and has no term, and without an output the trace loses. `on_failure: abstain` "
    "ends it too, and the scorer judges it. `on_failure: default` goes on with `default`.",
    wrong='parsers:\n  answer: {kind: regex, pattern: "answer: (.+)"}\n',
    right='parsers:\n  answer: {kind: regex, pattern: "answer: (.+)", on_failure: reject}\n',
)


def check(facts: Facts) -> Iterator[Diagnostic]:
    """Each such parser."""
    for name, parser in facts.graph.parsers.items():
        if parser.can_fail and parser.on_failure is None:
            yield facts.diagnose(
                CODE,
                f"the parser `{name}` can fail, and does not say what a failure means",
                ("parsers", name),
                key=True,
                help="add `on_failure: reject` (the trace ends there, and loses), "
                "`on_failure: abstain` (it ends there, and the scorer judges it), "
                "or `on_failure: default` with a `default`",
            )
