"""SG705: importance weights for texts that are not drawn as the model has them."""

from collections.abc import Iterator

from sysgraph_schemas import Code, Diagnostic

from ...facts import Facts
from ...observation import OUTPUTS, in_file, unobserved

CODE = Code(
    id="SG705",
    title="importance weights of warped draws",
    meaning="`estimator: importance` divides by the probability of drawing each text. With "
    "`temperature: 1` and `top_p: 1` it is the model's own; other settings draw from another "
    "distribution.",
    wrong="""\
models:
  ada: {kind: causal_lm, id: gpt2, temperature: 0.7}
fit: {sampling: {sampler: ancestral, estimator: importance}}
""",
    right="""\
models:
  ada: {kind: causal_lm, id: gpt2}
fit: {sampling: {sampler: ancestral, estimator: importance}}
""",
)


def check(facts: Facts) -> Iterator[Diagnostic]:
    """Each model of a node that may be unobserved: outputs never are."""
    sampling = facts.graph.fit.sampling
    if sampling.estimator != "importance" or facts.is_broken("fit", "sampling"):
        return
    given = facts.observation
    said_so = given.names is not None or in_file(facts.graph, given)
    latent = unobserved(facts.graph, given if said_so else OUTPUTS)
    nodes = {name.partition("[")[0] for name in latent}
    for model in dict.fromkeys(model for node, _, model, _ in facts.used_models if node in nodes):
        spec = facts.graph.models.get(model)
        for key, value in (spec.warp if spec is not None else {}).items():
            said = f"`estimator: importance` needs the model's own draws, not `{key}: {value:g}`"
            help = f"set `{key}: 1`, or use `estimator: set_sum` with another sampler"
            yield facts.diagnose(CODE, said, ("models", model, key), help=help)
