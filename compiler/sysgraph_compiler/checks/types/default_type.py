"""SG506: a parser's default of another type than its values."""

from collections.abc import Iterator

from sysgraph_schemas import Code, Diagnostic, gives_list

from ...facts import Facts

CODE = Code(
    id="SG506",
    title="type of a parser's default",
    meaning="`default` stands in for the parser's value, so it is a list where the parser gives a "
    "list, and a text where it gives a text.",
    wrong="items: {kind: lines, min_items: 1, on_failure: default, default: none}\n",
    right="items: {kind: lines, min_items: 1, on_failure: default, default: [none]}\n",
)


def check(facts: Facts) -> Iterator[Diagnostic]:
    """Each such default."""
    for name, parser in facts.graph.parsers.items():
        wants = gives_list(parser)
        if parser.default is None or isinstance(parser.default, list) == wants:
            continue
        kinds = ("a list of texts", "a text")
        wanted, got = kinds if wants else kinds[::-1]
        said = f"the parser `{name}` gives {wanted}, and its `default` is {got}"
        help = "write it in brackets: [...]" if wants else "write one text, without brackets"
        yield facts.diagnose(CODE, said, ("parsers", name, "default"), help=help)
