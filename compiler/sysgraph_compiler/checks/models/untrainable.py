"""SG305: `fit.train` names what cannot be trained."""

from collections.abc import Iterator

from sysgraph_schemas import Code, Diagnostic
from sysgraph_schemas.suggest import quoted, suggestion

from ...facts import Facts

CODE = Code(
    id="SG305",
    title="model that cannot be trained",
    meaning="`fit.train` lists models to train: models of the graph that are not `train: frozen`.",
    wrong="models:\n  ada: {kind: causal_lm, id: gpt2, train: frozen}\nfit: {train: [ada]}\n",
    right="models:\n  ada: {kind: causal_lm, id: gpt2, train: lora}\nfit: {train: [ada]}\n",
)


def check(facts: Facts) -> Iterator[Diagnostic]:
    """Unknown, frozen and repeated names."""
    models = facts.graph.models
    trainable = [name for name, spec in models.items() if spec.is_trained]
    seen: set[str] = set()
    for index, name in enumerate(facts.graph.fit.train or []):
        path = ("fit", "train", index)
        if facts.is_broken("models", name):
            continue
        help = suggestion(name, trainable, "the models that train are")
        if name not in models:
            said = f"`fit.train` names the model {quoted(name)}, which does not exist"
            yield facts.diagnose(CODE, said, path, help=help)
        elif not models[name].is_trained:
            said = f"`fit.train` names the model `{name}`, which is frozen"
            help = f"give `{name}` another `train`, or leave it out here"
            yield facts.diagnose(CODE, said, path, help=help)
        elif name in seen:
            yield facts.diagnose(CODE, f"`{name}` is given twice", path, help="remove it")
        seen.add(name)
