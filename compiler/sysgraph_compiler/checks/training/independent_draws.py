"""SG704: a sum over distinct texts, of texts that were drawn independently."""

from collections.abc import Iterator

from sysgraph_schemas import Code, Diagnostic

from ...facts import Facts
from .equal_draws import draws_are_equal

CODE = Code(
    id="SG704",
    title="plain sum of independent draws",
    severity="warning",
    meaning="`estimator: set_sum` adds the probabilities of the texts that were found, so it wants "
    "the likeliest ones. Of independent draws, likely texts come up more often and weigh more in "
    "the sum as well: they count twice, however many are drawn. `estimator: importance` takes that "
    "out.",
    wrong="""\
fit: {sampling: {sampler: ancestral, k: 4}}
""",
    right="""\
fit: {sampling: {sampler: ancestral, k: 4, estimator: importance}}
""",
)


def check(facts: Facts) -> Iterator[Diagnostic]:
    """With one draw there is no sum, and equal ones are SG709's."""
    sampling = facts.graph.fit.sampling
    if not sampling.counts_twice or draws_are_equal(facts):
        return
    if not facts.is_broken("fit", "sampling"):
        said = f"a plain sum over {sampling.k} independent draws is biased, however many are drawn"
        help = "use `estimator: importance`, or another `sampler`; with `k: 1` there is no sum"
        yield facts.diagnose(CODE, said, ("fit", "sampling", "sampler"), help=help)
