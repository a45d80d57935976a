"""SG316: a model that is trained whole, drawn from by a server."""

from collections.abc import Iterator

from sysgraph_schemas import Code, Diagnostic

from ...facts import Facts

CODE = Code(
    id="SG316",
    title="weights that no server takes",
    meaning="A server that samples a model while it is trained is sent what was trained: an "
    "adapter. It takes no whole checkpoint while it runs, and would draw from the one of before.",
    wrong="models:\n  ada: {kind: causal_lm, id: gpt2, train: full, sampler: {server: gpu}}\n",
    right="models:\n  ada: {kind: causal_lm, id: gpt2, train: lora, sampler: {server: gpu}}\n",
)


def check(facts: Facts) -> Iterator[Diagnostic]:
    """Each such model."""
    for name, model in facts.graph.models.items():
        if model.server is not None and model.is_trained and not model.trains_adapter:
            yield facts.diagnose(
                CODE,
                f"`{name}` is `train: {model.training}`, and a `sampler` takes adapters alone",
                ("models", name, "sampler"),
                key=True,
                help="set `train: lora`, or remove `sampler`",
            )
