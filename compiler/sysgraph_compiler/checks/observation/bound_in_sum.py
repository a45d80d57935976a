"""SG806: a diffusion node inside Sampling's sum."""

from collections.abc import Iterator

from sysgraph_schemas import Code, Diagnostic

from ...facts import Facts
from ...inside_sum import misfits

CODE = Code(
    id="SG806",
    title="bound inside Sampling's sum",
    meaning="A diffusion model has a bound on its log-likelihood, and SysDPO-Sampling sums "
    "likelihoods over what data does not hold: a bound on a summand is none on the objective. So "
    "data holds an image, and the texts that its caption is made of.",
    wrong="""\
models:
  painter: {kind: diffusion, id: stabilityai/sd-turbo}
nodes:
  answer: {kind: diffusion, model: painter, prompt: "{{ question }} {{ draft }}"}
fit: {observed: [answer]}
""",
    right="""\
models:
  painter: {kind: diffusion, id: stabilityai/sd-turbo}
nodes:
  answer: {kind: diffusion, model: painter, prompt: "{{ question }} {{ draft }}"}
fit: {observed: [draft, answer]}
""",
)


def check(facts: Facts) -> Iterator[Diagnostic]:
    """Each such node, placed at its name."""
    for one in misfits(facts):
        if one.likelihood == "bound":
            has = f"`{one.model}` has only a bound on the likelihood of `{one.node}`"
            said = f"{has}, and {one.lack}: it can not stand inside Sampling's sum"
            yield facts.diagnose(CODE, said, ("nodes", one.node), key=True, help=one.help)
