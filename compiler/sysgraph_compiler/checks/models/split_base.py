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
    "adapters; with another `dtype`, `attn_implementation`, `device` or `load_in` they cannot, "
    "so the checkpoint is loaded once for each.",
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


_CHOICES = ("dtype", "attn_implementation", "device", "load_in")
"""What one base has one of."""


def check(facts: Facts) -> Iterator[Diagnostic]:
    """Each model that chooses otherwise than the first with its checkpoint."""
    first: dict[tuple[str, ...], tuple[str, Base]] = {}
    for name, model in facts.graph.models.items():
        base = model.base
        if base is None:
            continue
        other, of_other = first.setdefault(base.checkpoint, (name, base))
        place = facts.key(("models", other))
        for choice in _CHOICES:
            own, others = getattr(base, choice), getattr(of_other, choice)
            if own == others:
                continue
            one = others if others not in ("auto", None) else own
            yield facts.diagnose(
                CODE,
                f"`{name}` has the checkpoint of `{other}` with another `{choice}` "
                f"({own or 'the default'}, not {others or 'the default'}): it is loaded twice",
                ("models", name, choice),
                key=True,
                help=f"give both one `{choice}`: `{choice}: {one}`",
                notes=(Note("the other one", place),) if place else (),
            )
