"""The vocabulary head: log-probabilities of tokens from hidden states, a few positions at a time.

With vocabularies of 100,000s the logits of a pass can take more memory than all its other numbers,
forward and backward. Here they exist a chunk at a time, and only of positions that are scored.
"""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import torch
import torch.nn.functional as F
from peft.tuners.tuners_utils import BaseTunerLayer
from torch import Tensor, nn
from torch.autograd import Function
from torch.autograd.function import once_differentiable
from torch.utils.checkpoint import checkpoint

from ..checkpoints import shapes

_CHUNK_BYTES = 64 * 2**20
"""Logits that exist at once, in float32."""

Finish = Callable[[Tensor], Tensor]
"""What a model does to the numbers of its output layer before they are logits."""


def token_log_probs(logits: Tensor, targets: Tensor) -> Tensor:
    """Log p of each target: [N], nats, float32.

    Args:
        logits: [N, V], any float type.
        targets: [N] token ids.
    """
    logits = logits.float()
    return logits.gather(1, targets[:, None])[:, 0] - logits.logsumexp(-1)


def head_log_probs(head: nn.Module, finish: Finish, hidden: Tensor, targets: Tensor) -> Tensor:
    """Log p of each target: [N], nats, float32; no more than a chunk of logits at once.

    Args:
        head: the model's output layer.
        finish: see `finish_of`.
        hidden: [N, H] what the head sees.
        targets: [N] token ids.
    """
    size = max(1, _CHUNK_BYTES // (4 * _vocabulary(head)))
    if type(head) is nn.Linear and finish is as_is:
        trained = any(parameter.requires_grad for parameter in head.parameters())
        dtype = _computed_in(hidden)
        weight = head.weight.to(dtype)
        bias = None if head.bias is None else head.bias.to(dtype)
        function = _TrainedHead if trained else _FrozenHead
        found: Tensor = function.apply(hidden.to(dtype), targets, weight, bias, size)  # type: ignore[no-untyped-call]
        return found

    def chunk(hidden: Tensor, targets: Tensor) -> Tensor:
        return token_log_probs(finish(head(hidden)), targets)

    parts = zip(hidden.split(size), targets.split(size), strict=True)
    if not torch.is_grad_enabled():
        return torch.cat([chunk(h, t) for h, t in parts])
    return torch.cat([checkpoint(chunk, h, t, use_reentrant=False) for h, t in parts])


class _FrozenHead(Function):
    """Log p of tokens, and in the same pass what a change of each hidden state does to it.

    A token's log p depends on its own hidden state alone, so its slope is known before it is known
    what it will be weighted with: a graph has to keep neither logits nor the work of making them
    again.
    """

    @staticmethod
    def forward(
        ctx: Any, hidden: Tensor, targets: Tensor, weight: Tensor, bias: Tensor | None, size: int
    ) -> Tensor:
        """[N], of `hidden` [N, H] and `targets` [N], `size` of them at once."""
        log_probs, slopes = [], []
        for states, tokens in zip(hidden.split(size), targets[:, None].split(size), strict=True):
            found, raised, totals = _chunk(states, tokens, weight, bias)
            log_probs.append(found)
            if ctx.needs_input_grad[0]:
                slopes.append(_slopes(raised, totals, tokens).to(weight.dtype) @ weight)
        if slopes:
            ctx.save_for_backward(torch.cat(slopes))
        return torch.cat(log_probs)[:, 0]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, weights: Tensor) -> tuple[Tensor | None, ...]:
        (slopes,) = ctx.saved_tensors
        return (weights[:, None] * slopes).to(slopes.dtype), None, None, None, None


class _TrainedHead(Function):
    """As `_FrozenHead`, to the bit, of a layer that is trained.

    What a change of the layer does adds up over tokens, so it has to wait for their weights: the
    backward pass makes the logits again.
    """

    @staticmethod
    def forward(
        ctx: Any, hidden: Tensor, targets: Tensor, weight: Tensor, bias: Tensor | None, size: int
    ) -> Tensor:
        """[N], of `hidden` [N, H] and `targets` [N], `size` of them at once."""
        ctx.size = size
        ctx.save_for_backward(hidden, targets, weight, bias)
        chunks = zip(hidden.split(size), targets[:, None].split(size), strict=True)
        return torch.cat([_chunk(*chunk, weight, bias)[0] for chunk in chunks])[:, 0]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, weights: Tensor) -> tuple[Tensor | None, ...]:
        hidden, targets, weight, bias = ctx.saved_tensors
        by_hidden = []
        by_weight = torch.zeros_like(weight, dtype=torch.float32)
        by_bias = None if bias is None else torch.zeros_like(bias, dtype=torch.float32)
        columns = (targets[:, None], weights[:, None])
        for states, tokens, given in zip(
            *(part.split(ctx.size) for part in (hidden, *columns)), strict=True
        ):
            _, raised, totals = _chunk(states, tokens, weight, bias)
            slopes = _slopes(raised, totals, tokens)  # (n, V)
            if by_bias is not None:
                by_bias.addmv_(slopes.T, given[:, 0])
            slopes, weighted = slopes.to(weight.dtype), given * states
            by_hidden.append(given * (slopes @ weight))
            if weight.dtype == by_weight.dtype:
                torch.addmm(by_weight, slopes.T, weighted, out=by_weight)  # no second [V, H]
            else:
                by_weight += slopes.T @ weighted.to(weight.dtype)
        return torch.cat(by_hidden).to(hidden.dtype), None, by_weight, by_bias, None


def _chunk(
    states: Tensor, tokens: Tensor, weight: Tensor, bias: Tensor | None
) -> tuple[Tensor, Tensor, Tensor]:
    """Log p of `tokens` [n, 1], their exp(logits) up to a factor [n, V], and the sums [n, 1]."""
    logits = F.linear(states, weight, bias).float()
    logits.sub_(logits.amax(-1, keepdim=True))
    chosen = logits.gather(1, tokens)
    raised = logits.exp_()
    totals = raised.sum(-1, keepdim=True)
    return chosen - totals.log(), raised, totals


def _slopes(raised: Tensor, totals: Tensor, tokens: Tensor) -> Tensor:
    """Of log p of `tokens` by the logits, [n, V], in the memory of `raised`."""
    slopes = raised.div_(-totals)
    return slopes.scatter_add_(1, tokens, torch.ones_like(totals))


def as_is(raw: Tensor) -> Tensor:
    """The output layer's numbers are the logits, as in most models."""
    return raw


@torch.no_grad()
def finish_of(module: nn.Module) -> Finish | None:
    """What makes a model's logits of its output layer's numbers, found on one token.

    Nothing, a factor (Cohere, Granite), or a soft cap (Gemma 2: c * tanh(raw / c)); None where it
    is neither: the output layer cannot be run by itself.

    Args:
        module: a causal LM of transformers.
    """
    if shapes.are_all():
        return as_is
    seen: list[Tensor] = []
    head = module.get_output_embeddings()  # type: ignore[operator]
    handle = head.register_forward_hook(lambda _, args, out: seen.append(out))
    try:
        ids = torch.zeros(1, 2, dtype=torch.long, device=next(module.parameters()).device)
        logits = module(input_ids=ids, use_cache=False).logits.float()
    finally:
        handle.remove()
    if len(seen) != 1 or seen[0].shape != logits.shape:
        return None
    raw = seen[0].float()
    config: Any = module.config
    cap = getattr(config.get_text_config(), "final_logit_softcapping", None) or 0.0
    factor = float((logits * raw).sum() / (raw * raw).sum())

    def scaled(raw: Tensor) -> Tensor:
        return raw * factor

    def capped(raw: Tensor) -> Tensor:
        return cap * torch.tanh(raw / cap)

    candidates: list[Finish] = [as_is, scaled, *([capped] if cap else [])]
    exact = torch.finfo(seen[0].dtype).eps * 8
    fits = (f for f in candidates if torch.allclose(f(raw), logits, rtol=exact, atol=exact))
    return next(fits, None)


@contextlib.contextmanager
def hidden_states_at(module: nn.Module, flat: Tensor) -> Iterator[list[Tensor]]:
    """Gives what the output layer would see at the positions `flat` [N] of [B * T]: one [N, H].

    The layer itself is shown a single position.
    """
    seen: list[Tensor] = []

    def keep(_: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...]:
        seen.append(args[0].flatten(0, 1)[flat])
        return (args[0][:1, :1], *args[1:])

    with _before_head(module, keep):
        yield seen


@contextlib.contextmanager
def head_only_at(module: nn.Module, flat: Tensor) -> Iterator[None]:
    """Lets the output layer see only the positions `flat` [N] of [B * T], as one row: [1, N, H].

    `logits_to_keep` saves only what is left of the shortest prompt, on models that have it.
    """

    def select(_: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...]:
        return (args[0].flatten(0, 1)[flat][None], *args[1:])

    with _before_head(module, select):
        yield


@contextlib.contextmanager
def _before_head(module: nn.Module, hook: Callable[..., tuple[Any, ...]]) -> Iterator[None]:
    handle = module.get_output_embeddings().register_forward_pre_hook(hook)  # type: ignore[operator]
    try:
        yield
    finally:
        handle.remove()


def _computed_in(hidden: Tensor) -> torch.dtype:
    """What matrix products of `hidden` are computed in, as autocast has it."""
    device = hidden.device.type
    if torch.is_autocast_enabled(device):
        return torch.get_autocast_dtype(device)
    return hidden.dtype


def _vocabulary(head: nn.Module) -> int:
    layer: Any = head.get_base_layer() if isinstance(head, BaseTunerLayer) else head
    return int(layer.weight.shape[0])
