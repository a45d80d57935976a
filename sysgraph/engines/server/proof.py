"""Whether a server draws from the model that is trained: its own texts, scored here."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch

from sysgraph_schemas import Decoding

from ...support.errors import InputError
from ...support.seeding import derive
from ...traces.prompt import Context
from ..asked import Draw, Request
from ..base import Scored
from ..ordering import Ordering
from .protocol import Drawn
from .remote import Remote

_PROMPTS = 4
_LENGTH = 16
"""Of the texts: enough that another template or precision shows, and little to wait for."""
_TOLERANCES = {torch.float32: 1e-3, torch.float16: 0.1, torch.bfloat16: 0.75}
"""Nats by which the log-probability of a token may differ, by the type that a model is run in.
Other kernels add in another order: seen between two CPU backends on SmolLM2-135M, over 64 tokens,
4e-5 in float32 and 0.15 to 0.31 in bfloat16. What is wrong is off by more: other weights and
templates by whole nats, bfloat16 for float32 by 0.2.
"""


class Scoring(Scored, Ordering, Protocol):
    """A model's own engine."""


@dataclass(frozen=True)
class Difference:
    """The largest one of a token's log-probability, and what it is of."""

    nats: float
    served: float
    trained: float
    prompt: str
    text: str
    tokens: int


def prove(remote: Remote, draws: Sequence[Draw], own: Scoring) -> str:
    """Has texts drawn as the model is, without temperature and top_p, and scores them here.

    Args:
        draws: what the model is to be asked for next; texts are drawn for their prompts.
        own: the engine that scores the model.

    Returns:
        What was found, for people.

    Raises:
        InputError: the server draws from something else.
        ServiceError: it is away.
    """
    import openai

    first = {draw.context: draw for draw in reversed(draws)}
    probes = [_probe(draw, own) for draw in [*first.values()][:_PROMPTS]]
    drawn: list[Drawn] = []
    for probe in probes:
        order = own.order(probe)
        try:
            (one,) = remote.ask(order, seed=derive("proof", 0) % 2**31, n=1, log_probs=True)
        except openai.APIStatusError as error:
            raise InputError(
                f"{remote.site} refuses model {remote.name!r}: {remote.site.said(error)}"
            ) from None
        drawn.append(one)
    found = _largest(probes, drawn, own)
    dtype = own.dtype(remote.name)
    name, most = str(dtype).removeprefix("torch."), _TOLERANCES.get(dtype, 1e-3)
    if not found.nats <= most:  # NaN is not
        raise InputError(_differs(remote, found, name, most))
    return (
        f"{remote.site} draws from model {remote.name!r} as it is here: over {found.tokens} "
        f"tokens, log p differs by {found.nats:.1e} at most ({name}: {most:g} may be)"
    )


def _probe(draw: Draw, own: Ordering) -> Draw:
    """A short text for the same prompt, from the model's own distribution."""
    room = min(_LENGTH, own.order(draw).room)
    plain = Decoding(max_new_tokens=room, temperature=1.0, top_p=1.0, stop=())
    return Draw(draw.model, draw.context, 0, decoding=plain)


def _largest(probes: Sequence[Draw], drawn: Sequence[Drawn], own: Scoring) -> Difference:
    """Scores every beginning of each text: their differences are the tokens'."""
    parts, requests = [], []
    for probe, one in zip(probes, drawn, strict=True):
        for end in range(1, len(one.ids) + 1):
            value = own.finished(probe, one.ids[:end]).value
            requests.append(Request(probe.model, probe.context, value, stop=()))
        parts.append(len(one.ids))
    with torch.no_grad():
        sums = torch.zeros(len(requests))
        for part in own.passes(requests, reference=False):
            sums.index_add_(0, torch.tensor(part.rows), part.run().cpu())
    worst: Difference | None = None
    for probe, text, whole in zip(probes, drawn, sums.split(parts), strict=True):
        tokens = torch.diff(whole, prepend=torch.zeros(1)).tolist()
        for place, (theirs, ours) in enumerate(zip(_said(text), tokens, strict=True), start=1):
            nats = abs(theirs - ours)
            if worst is None or not nats <= worst.nats:
                said = own.finished(probe, text.ids[:place]).value.text
                worst = Difference(nats, theirs, ours, _shown(probe.context), said, sum(parts))
    assert worst is not None, "every text has a token"
    return worst


def _shown(context: Context) -> str:
    """A prompt, for people."""
    turns = context if not isinstance(context, str) else ()
    return "; ".join(f"{turn.role}: {turn.content}" for turn in turns) if turns else str(context)


def _said(one: Drawn) -> Sequence[float]:
    """What a server says of each token; NaN where it does not."""
    return one.log_probs if len(one.log_probs) == len(one.ids) else [float("nan")] * len(one.ids)


def _differs(remote: Remote, found: Difference, dtype: str, most: float) -> str:
    name, root = remote.site.base
    return (
        f"{remote.site} does not draw from model {remote.name!r} as it is trained: at the end of "
        f"{found.text!r:.80}, after the prompt {found.prompt!r:.120}, it says log p = "
        f"{found.served:.4f}, and the trainer {found.trained:.4f} ({dtype}: {most:g} may differ). "
        f"It serves {root!r} as {name!r}: serve the model's own base and revision, with --dtype "
        f"{dtype}, without quantization, and with --logprobs-mode processed_logprobs"
    )
