"""SG705: importance weights for texts that are not drawn as the model has them."""

from collections.abc import Iterator

from sysgraph_schemas import Code, Decoding, Diagnostic

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


def latent_draws(facts: Facts) -> list[tuple[str, str, Decoding]]:
    """How what may be unobserved is drawn: (node, model, settings)."""
    given = facts.observation
    said_so = given.names is not None or in_file(facts.graph, given)
    latent = unobserved(facts.graph, given if said_so else OUTPUTS)
    nodes = {name.partition("[")[0] for name in latent}
    return [one for one in facts.decodings if one[0] in nodes]


def check(facts: Facts) -> Iterator[Diagnostic]:
    """Each model of a node that may be unobserved, outputs never are; or the node's own setting."""
    sampling = facts.graph.fit.sampling
    if sampling.estimator != "importance" or facts.is_broken("fit", "sampling"):
        return
    places = {
        facts.setting(node, model, key): value
        for node, model, decoding in latent_draws(facts)
        for key, value in decoding.warp.items()
    }
    for path, value in places.items():
        said = f"`estimator: importance` needs the model's own draws, not `{path[-1]}: {value:g}`"
        help = f"set `{path[-1]}: 1`, or use `estimator: set_sum` with another sampler"
        yield facts.diagnose(CODE, said, path, help=help)
