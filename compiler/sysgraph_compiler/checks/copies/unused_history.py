"""SG624: a history that no template reads."""

from collections.abc import Iterator

from sysgraph_schemas import Code, Diagnostic

from ...facts import Facts

CODE = Code(
    id="SG624",
    title="history never used",
    severity="warning",
    meaning="A loop's `history` is read by its name, in the templates of the loop and in those of "
    "nodes that edges lead to from all that it remembers. No template uses the name.",
    wrong="""\
nodes:
  draft: {kind: lm, model: ada, prompt: "{{ question }} {{ draft }}"}
loops:
  turns: {repeat: 3, nodes: [draft], carry: [draft -> draft], history: [draft]}
""",
    right="""\
nodes:
  draft:
    kind: lm
    model: ada
    prompt: "{{ question }}{% for t in turns %} {{ t.draft }}{% endfor %}"
loops:
  turns: {repeat: 3, nodes: [draft], history: [draft]}
""",
)


def check(facts: Facts) -> Iterator[Diagnostic]:
    """Each such loop, if all templates can be read."""
    if any(name not in facts.uses for name in facts.graph.nodes) or facts.doubtful:
        return
    for loop, spec in facts.graph.loops.items():
        uses = facts.uses.items()
        if not spec.history or any(facts.loop_said(name, loop) in used for name, used in uses):
            continue
        said = f"no template uses `{loop}`, the turns that `history` remembers"
        own, one = (name.rpartition(".")[2] for name in (loop, spec.history[0]))
        help = f"write {{% for turn in {own} %}}{{{{ turn.{one} }}}}{{% endfor %}} in a prompt of"
        path = ("loops", loop, "history")
        yield facts.diagnose(CODE, said, path, key=True, help=f"{help} the loop, or remove it")
