"""SG314: an adapter from a folder on a model that is trained."""

from collections.abc import Iterator

from sysgraph_schemas import Code, Diagnostic

from ...facts import Facts

CODE = Code(
    id="SG314",
    title="adapter that would be trained",
    meaning="A model with an `adapter` is `train: frozen`: it runs as that adapter left it. To "
    "train it further, merge the two into a checkpoint (`sysgraph export --merge`, or peft's "
    "`merge_and_unload`) and name that as its `id`.",
    wrong="models:\n  ada: {kind: causal_lm, id: gpt2, adapter: ./ada}\n",
    right="models:\n  ada: {kind: causal_lm, id: gpt2, adapter: ./ada, train: frozen}\n",
)


def check(facts: Facts) -> Iterator[Diagnostic]:
    """Each such adapter."""
    for name, model in facts.graph.models.items():
        if model.adapted is not None and model.is_trained:
            yield facts.diagnose(
                CODE,
                f"`{name}` has an `adapter` and is `train: {model.training}`",
                ("models", name, "adapter"),
                key=True,
                help="set `train: frozen`, or merge the adapter into the checkpoint and train that",
            )
