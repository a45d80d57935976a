"""SG318: a device for a model that is divided over several."""

from collections.abc import Iterator

from sysgraph_schemas import Checkpoint, Code, Diagnostic

from ...facts import Facts

CODE = Code(
    id="SG318",
    title="device of a divided model",
    meaning="`fit.shard`, or a model's own `shard`, divides it over the devices of all processes; "
    "`device` puts it on one. It can have one or the other.",
    wrong="""\
models:
  ada: {kind: causal_lm, id: gpt2, device: cpu}
fit: {shard: true}
""",
    right="""\
models:
  ada: {kind: causal_lm, id: gpt2, device: cpu, shard: false}
fit: {shard: true}
""",
)


def check(facts: Facts) -> Iterator[Diagnostic]:
    """Each such model."""
    for name, model in facts.graph.models.items():
        if not isinstance(model, Checkpoint) or model.device is None:
            continue
        if model.is_divided(facts.graph.fit):
            yield facts.diagnose(
                CODE,
                f"`{name}` is divided over all processes, and has a `device` of its own",
                ("models", name, "device"),
                key=True,
                help="leave out `device`, or give it `shard: false`",
            )
