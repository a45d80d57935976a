"""SG619: a loop that ends by an option that its choice has not."""

from collections.abc import Iterator

from sysgraph_schemas import Code, Diagnostic
from sysgraph_schemas.diagnostics import Path
from sysgraph_schemas.suggest import quoted, suggestion

from ...facts import Facts

CODE = Code(
    id="SG619",
    title="until on an unknown option",
    meaning="`until` says under which options of a choice the loop ends: one of them, or a list.",
    wrong="""\
nodes:
  draft: {kind: lm, model: ada, prompt: "{{ question }} {{ draft }}"}
  verdict: {kind: choice, model: ada, prompt: "{{ draft }}", options: [ok, bad]}
edges:
  - draft -> verdict
loops:
  refine: {repeat: 3, until: {verdict: okay}, nodes: [draft, verdict], carry: [draft -> draft]}
""",
    right="""\
nodes:
  draft: {kind: lm, model: ada, prompt: "{{ question }} {{ draft }}"}
  verdict: {kind: choice, model: ada, prompt: "{{ draft }}", options: [ok, bad]}
edges:
  - draft -> verdict
loops:
  refine: {repeat: 3, until: {verdict: ok}, nodes: [draft, verdict], carry: [draft -> draft]}
""",
)


def check(facts: Facts) -> Iterator[Diagnostic]:
    """Each such option, and an empty list of them."""
    for loop, spec in facts.graph.loops.items():
        if spec.options is None or spec.until is None:
            continue
        name, options = spec.options
        node = facts.graph.nodes.get(name)
        if node is None or not node.choices:
            continue  # SG618
        path: Path = ("loops", loop, "until", name)
        if not options:
            help = suggestion("", node.choices, f"the options of `{name}` are")
            yield facts.diagnose(CODE, f"`{loop}` ends under no option", path, help=help)
        for index, option in enumerate(options):
            if option not in node.choices:
                at = path if isinstance(spec.until[name], str) else (*path, index)
                help = suggestion(option, node.choices, "its options are")
                said = f"`{name}` has no option {quoted(option)}"
                yield facts.diagnose(CODE, said, at, help=help)
