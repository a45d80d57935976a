"""SG317: quantized weights that would be trained whole."""

from collections.abc import Iterator

from sysgraph_schemas import Code, Diagnostic

from ...facts import Facts

CODE = Code(
    id="SG317",
    title="quantized weights that would be trained",
    meaning="`load_in` rounds weights to a few bits: a step of training is far smaller than the "
    "distance between two numbers of those, so they stay as they are. An adapter beside them is "
    "trained, as in QLoRA.",
    wrong="models:\n  ada: {kind: causal_lm, id: gpt2, load_in: 4bit, train: full}\n",
    right="models:\n  ada: {kind: causal_lm, id: gpt2, load_in: 4bit, train: lora}\n",
)


def check(facts: Facts) -> Iterator[Diagnostic]:
    """Each such model."""
    for name, model in facts.graph.models.items():
        base = model.base
        if base is None or base.load_in is None or not model.is_trained or model.trains_adapter:
            continue
        yield facts.diagnose(
            CODE,
            f"`{name}` is `train: {model.training}`, and its weights are rounded: `load_in: "
            f"{base.load_in}`",
            ("models", name, "load_in"),
            key=True,
            help="set `train: lora`, or remove `load_in`",
        )
