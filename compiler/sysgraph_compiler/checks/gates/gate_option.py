"""SG903: a gate on an option that the router has not."""

from collections.abc import Iterator

from sysgraph_schemas import Code, Diagnostic
from sysgraph_schemas.diagnostics import Path
from sysgraph_schemas.suggest import listed, quoted, suggestion

from ...facts import Facts
from ...templates.model_name import flaw_of, keys_of

CODE = Code(
    id="SG903",
    title="gate on an unknown option",
    meaning="`when` names options of the choice, or templates over the `for_each` keys that give "
    'one for each copy (`when: {route: "{{ agent }}"}`).',
    wrong="""\
nodes:
  route: {kind: choice, model: ada, prompt: "{{ question }}", options: [math, other]}
  hint: {kind: lm, model: ada, prompt: "{{ question }}", when: {route: maths}}
edges:
  - question -> route
  - question, route -> hint
""",
    right="""\
nodes:
  route: {kind: choice, model: ada, prompt: "{{ question }}", options: [math, other]}
  hint: {kind: lm, model: ada, prompt: "{{ question }}", when: {route: math}}
edges:
  - question -> route
  - question, route -> hint
""",
)


def check(facts: Facts) -> Iterator[Diagnostic]:
    """Each such option, a template's for each copy."""
    nodes = facts.graph.nodes
    for name, node in nodes.items():
        for gate, options in node.gates.items():
            router = nodes.get(gate)
            if router is None or not router.choices:
                continue
            path: Path = ("nodes", name, "when", gate)
            if not options:
                help = suggestion("", router.choices, f"the options of `{gate}` are")
                yield facts.diagnose(CODE, f"`{name}` runs under no option", path, help=help)
            for index, option in enumerate(options):
                at = path if node.is_single(gate) else (*path, index)
                if "{" in option and option not in router.choices:
                    yield from _template(facts, name, gate, option, at)
                elif option not in router.choices:
                    said = f"`{gate}` has no option {quoted(option)}"
                    help = suggestion(option, router.choices, "its options are")
                    yield facts.diagnose(CODE, said, at, help=help)


def _template(facts: Facts, name: str, gate: str, option: str, at: Path) -> Iterator[Diagnostic]:
    flaw = flaw_of(option)
    if flaw is not None:
        yield facts.diagnose(CODE, flaw.message, at, help=f"write an option of `{gate}`")
        return
    known = [key for key in facts.keys(name) if key not in facts.graph.nodes[name].spread]
    for key, place in keys_of(option).items():
        if key not in known:
            said = f"{quoted(key)} is no `for_each` key of `{name}` with listed items"
            help = suggestion(key, known, "its keys are")
            yield facts.diagnose(CODE, said, at, within=place, help=help)
            return
    if name in facts.oversized:
        return
    legal = facts.graph.nodes[gate].choices
    bad = [value for value in facts.possible(name, [option]) if value not in legal]
    if bad:
        said = f"for some copies of `{name}` this is no option of `{gate}`: {listed(bad, 8)}"
        yield facts.diagnose(CODE, said, at, help=suggestion(bad[0], legal, "its options are"))
