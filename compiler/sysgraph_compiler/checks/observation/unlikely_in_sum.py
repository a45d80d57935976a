"""SG807: a node whose model gives no likelihood, inside Sampling's sum."""

from collections.abc import Iterator

from sysgraph_schemas import Code, Diagnostic

from ...facts import Facts
from ...inside_sum import misfits

CODE = Code(
    id="SG807",
    title="no likelihood inside Sampling's sum",
    meaning="SysDPO-Sampling sums likelihoods over what data does not hold. A hosted model "
    "(`kind: endpoint`) says texts, and not how likely they are: what it says is in the data, and "
    "what it is shown. Where data holds both, its term cancels, as it is frozen.",
    wrong="""\
models:
  far: {kind: endpoint, id: gpt-4o-mini}
nodes:
  draft: {kind: lm, model: far, prompt: "{{ question }}"}
fit: {observed: [answer]}
""",
    right="""\
models:
  far: {kind: endpoint, id: gpt-4o-mini}
nodes:
  draft: {kind: lm, model: far, prompt: "{{ question }}"}
fit: {observed: [draft, answer]}
""",
)


def check(facts: Facts) -> Iterator[Diagnostic]:
    """Each such node, placed at its name."""
    for one in misfits(facts):
        if one.likelihood == "none":
            said = f"`{one.model}` gives no likelihood of `{one.node}`, and {one.lack}: "
            said += "it can not stand inside Sampling's sum"
            yield facts.diagnose(CODE, said, ("nodes", one.node), key=True, help=one.help)
