"""SG709: independent draws that are all the same."""

from collections.abc import Iterator

from sysgraph_schemas import Code, Diagnostic

from ...facts import Facts
from .warped_draws import latent_draws

CODE = Code(
    id="SG709",
    title="draws that are all the same",
    severity="warning",
    meaning="`sampler: ancestral` draws unobserved texts as their nodes do. At `temperature: 0` "
    "the draws are one and the same text, and the sum over `k` of them has one member.",
    wrong="""\
models:
  ada: {kind: causal_lm, id: gpt2, temperature: 0}
fit: {sampling: {sampler: ancestral, k: 4}}
""",
    right="""\
models:
  ada: {kind: causal_lm, id: gpt2, temperature: 0}
fit: {sampling: {sampler: beam, k: 4}}
""",
)


def check(facts: Facts) -> Iterator[Diagnostic]:
    """With one draw, or weights (SG705), there is nothing to say."""
    if draws_are_equal(facts) and not facts.is_broken("fit", "sampling"):
        said = f"the {facts.graph.fit.sampling.k} draws are all the same: `temperature: 0`"
        help = "use another `sampler`, or give a node that may be unobserved a `temperature`"
        yield facts.diagnose(CODE, said, ("fit", "sampling", "sampler"), help=help)


def draws_are_equal(facts: Facts) -> bool:
    """Whether a plain sum is fed draws that do not differ."""
    if not facts.graph.fit.sampling.counts_twice:
        return False
    draws = latent_draws(facts)
    return bool(draws) and all(decoding.is_greedy for _, _, decoding in draws)
