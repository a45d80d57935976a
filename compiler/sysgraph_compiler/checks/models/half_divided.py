"""SG321: models of one base, of which some are to be divided over processes."""

from collections.abc import Iterator

from sysgraph_schemas import Code, Diagnostic, Note

from ...facts import Facts

CODE = Code(
    id="SG321",
    title="base divided for some of its models",
    severity="error",
    meaning="Models with one `id`, `revision` and `dtype` share one base in memory. It is divided "
    "over the processes of a run or it is whole in each, so they must agree: by `fit.shard`, or "
    "each by a `shard` of its own.",
    wrong="""\
models:
  ada: {kind: causal_lm, id: gpt2}
  bo: {kind: causal_lm, id: gpt2, shard: false}
fit:
  shard: true
""",
    right="""\
models:
  ada: {kind: causal_lm, id: gpt2, shard: false}
  bo: {kind: causal_lm, id: gpt2, shard: false}
fit:
  shard: true
""",
)


def check(facts: Facts) -> Iterator[Diagnostic]:
    """Each model that differs from the first with its base."""
    fit = facts.graph.fit
    first: dict[tuple[str, ...], str] = {}
    for name, model in facts.graph.models.items():
        if model.base is None:
            continue
        other = first.setdefault(model.base.key, name)
        is_divided = model.is_divided(fit)
        if facts.graph.models[other].is_divided(fit) == is_divided:
            continue
        place = facts.key(("models", other))
        said = ("is to be divided over processes", "is to be whole in each process")
        mine, others = said if is_divided else said[::-1]
        yield facts.diagnose(
            CODE,
            f"`{name}` {mine}, and `{other}`, which shares its base, {others}",
            ("models", name, "shard"),
            key=True,
            help="give both one `shard`, or neither",
            notes=(Note("the other one", place),) if place else (),
        )
