"""SG308: settings of a training that does not happen."""

from collections.abc import Iterator

from sysgraph_schemas import Code, Diagnostic

from ...facts import Facts

CODE = Code(
    id="SG308",
    title="setting without effect",
    severity="warning",
    meaning="`lora` is for `train: lora`, and `learning_rate` for a model that trains. Beside "
    "another `train` they say something that does not happen.",
    wrong="""\
models:
  ada: {kind: causal_lm, id: gpt2, train: full, lora: {r: 8}}
""",
    right="""\
models:
  ada: {kind: causal_lm, id: gpt2, train: lora, lora: {r: 8}}
""",
)


def check(facts: Facts) -> Iterator[Diagnostic]:
    """Each such key."""
    for name, model in facts.graph.models.items():
        said = model.model_fields_set
        idle = ["lora"] if "lora" in said and model.training != "lora" else []
        idle += ["learning_rate"] if model.step_size and not model.is_trained else []
        for key in idle:
            other = "lora" if key == "lora" else "` or `train: ".join(model.ways)
            yield facts.diagnose(
                CODE,
                f"`{key}` has no effect on `{name}`, which is `train: {model.training}`",
                ("models", name, key),
                key=True,
                help=f"remove it, or set `train: {other}`",
            )
