"""SG319: quantized weights that would be divided over processes."""

from collections.abc import Iterator

from sysgraph_schemas import Code, Diagnostic

from ...facts import Facts

CODE = Code(
    id="SG319",
    title="quantized weights that would be divided",
    meaning="`shard` divides every weight by its rows. What `load_in` makes of weights has none: "
    "numbers are packed, and their scales lie beside, of which each process needs all.",
    wrong="models:\n  ada: {kind: causal_lm, id: gpt2, load_in: 4bit}\nfit: {shard: true}\n",
    right="models:\n  ada: {kind: causal_lm, id: gpt2, load_in: 4bit, shard: false}\n"
    "fit: {shard: true}\n",
)


def check(facts: Facts) -> Iterator[Diagnostic]:
    """Each such model."""
    for name, model in facts.graph.models.items():
        base = model.base
        if base is None or base.load_in is None or not model.is_divided(facts.graph.fit):
            continue
        yield facts.diagnose(
            CODE,
            f"`{name}` is `load_in: {base.load_in}`, and `shard` would divide its weights",
            ("models", name, "load_in"),
            key=True,
            help="add `shard: false` to it, for a copy in each process, or remove `load_in`",
        )
