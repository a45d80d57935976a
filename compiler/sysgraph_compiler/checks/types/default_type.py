"""SG506: a parser's default of another type than its values."""

from collections.abc import Iterator

from sysgraph_schemas import Code, Diagnostic
from sysgraph_schemas.parsers.record import misfit
from sysgraph_schemas.suggest import listed, quoted, suggestion

from ...facts import Facts

CODE = Code(
    id="SG506",
    title="type of a parser's default",
    meaning="`default` stands in for the parser's value, so it is a list where the parser gives a "
    "list, a text where it gives a text, one of the options where it gives a choice, and has the "
    "fields of a record.",
    wrong="items: {kind: lines, min_items: 1, on_failure: default, default: none}\n",
    right="items: {kind: lines, min_items: 1, on_failure: default, default: [none]}\n",
)


def check(facts: Facts) -> Iterator[Diagnostic]:
    """Each such default."""
    for name, parser in facts.graph.parsers.items():
        if parser.default is None:
            continue
        path = ("parsers", name, "default")
        wanted, got = _WORDS[_SHAPES[parser.value_type]], _WORDS[type(parser.default)]
        if wanted != got:
            said = f"the parser `{name}` gives {wanted}, and its `default` is {got}"
            yield facts.diagnose(CODE, said, path, help=_HELP[_SHAPES[parser.value_type]])
        elif parser.choices and parser.default not in parser.choices:
            given = str(parser.default)
            said = f"the `default` of the parser `{name}` is no option: {quoted(given)}"
            help = suggestion(given, parser.choices, "its options are")
            yield facts.diagnose(CODE, said, path, help=help)
        elif isinstance(parser.default, dict) and (found := misfit(parser.parts, parser.default)):
            said = f"the `default` of the parser `{name}` {found}"
            help = f"it has the fields of the record: {listed(parser.parts)}"
            yield facts.diagnose(CODE, said, path, help=help)


_SHAPES: dict[str, type] = {"text": str, "choice": str, "list[text]": list, "record": dict}
_WORDS: dict[type, str] = {str: "a text", list: "a list of texts", dict: "a record"}
_HELP: dict[type, str] = {
    str: "write one text, without brackets",
    list: "write it in brackets: [...]",
    dict: "write its fields in braces: {...}",
}
