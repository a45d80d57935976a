"""SG307: one checkpoint, loaded twice."""

from collections.abc import Iterator

from sysgraph_schemas import Code, Diagnostic, Note
from sysgraph_schemas.models.base import Base

from ...facts import Facts

CODE = Code(
    id="SG307",
    title="base loaded twice",
    severity="warning",
    meaning="Models with one `id` and `revision` share one base in memory, whatever their "
    "adapters; with another `dtype` they cannot, so the checkpoint is loaded once for each.",
    wrong="""\
models:
  ada: {kind: causal_lm, id: gpt2, dtype: bfloat16}
  bo: {kind: causal_lm, id: gpt2}
""",
    right="""\
models:
  ada: {kind: causal_lm, id: gpt2, dtype: bfloat16}
  bo: {kind: causal_lm, id: gpt2, dtype: bfloat16}
""",
)


def check(facts: Facts) -> Iterator[Diagnostic]:
    """Each model whose type differs from that of the first with its checkpoint."""
    first: dict[tuple[str, ...], tuple[str, Base]] = {}
    for name, model in facts.graph.models.items():
        base = model.base
        if base is None:
            continue
        other, of_other = first.setdefault(base.key[:-1], (name, base))
        dtype = of_other.dtype
        if dtype == base.dtype:
            continue
        place = facts.key(("models", other))
        yield facts.diagnose(
            CODE,
            f"`{name}` has the checkpoint of `{other}` with another `dtype` "
            f"({base.dtype}, not {dtype}): it is loaded twice",
            ("models", name, "dtype"),
            key=True,
            help=f"give both one `dtype`: `dtype: {dtype if dtype != 'auto' else base.dtype}`",
            notes=(Note("the other one", place),) if place else (),
        )
