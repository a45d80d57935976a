"""Choices: p(option | context) = p_model(option | context) / sum over options of p_model.

What a model gives each option is asked of its engine; the rest of a choice (normalising, drawing,
finding the likeliest) is the same for every kind of model, and is here.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NoReturn

import torch
from torch import Tensor

from sysgraph_schemas import Decoding, ModelSpec
from sysgraph_schemas.suggest import suggestion

from ..support.device import on_device
from ..support.errors import RunError
from ..support.seeding import uniforms
from ..traces.trace import Completion
from .asked import Draw, Request, Search

Score = Callable[[Sequence[Request]], Tensor]


def option_requests(choice: Request | Draw | Search) -> list[Request]:
    """The request of each option, as engines score it."""
    return [
        Request(choice.model, choice.context, Completion(option), choice.options)
        for option in choice.options
    ]


def parts(request: Request) -> list[Request]:
    """What engines score of it: each option, or itself."""
    return option_requests(request) or [request]


def scored(requests: Sequence[Request], score: Score) -> Tensor:
    """Log p of each request, those with options over the sum of all options': [N], nats, float32.

    Gradients flow through every option.

    Args:
        score: what the engines give for requests; equal options are asked for once.
    """
    if not any(request.options for request in requests):
        return score(requests)
    asked: dict[Request, int] = {}
    rows = [[asked.setdefault(part, len(asked)) for part in parts(request)] for request in requests]
    values = score(list(asked))
    where = [i for i, request in enumerate(requests) if request.options]
    chosen = [r.options.index(r.completion.text) for r in requests if r.options]
    table = _padded(values, [rows[i] for i in where]).log_softmax(-1)  # (C, O)
    picked = table.gather(1, on_device(chosen, values.device)[:, None])[:, 0]
    out = values[on_device([row[0] for row in rows], values.device)]
    return out.index_copy(0, on_device(where, values.device), picked)


def drawn(draws: Sequence[Draw], models: Mapping[str, ModelSpec], score: Score) -> list[Completion]:
    """An option for each draw, by its own seed, at its node's or its model's temperature.

    Args:
        models: by name.

    Raises:
        RunError: see `log_probs`.
    """
    temperatures = [_temperature(draw.decoding.over(models[draw.model].decoding)) for draw in draws]
    seeds = [draw.seed for draw in draws]
    picked = inverse_cdf(log_probs(draws, score), seeds, temperatures)
    return [Completion(d.options[index]) for d, index in zip(draws, picked, strict=True)]


def _temperature(decoding: Decoding) -> float:
    """1, the model's own distribution, where nothing else is said."""
    return 1.0 if decoding.temperature is None else decoding.temperature


def likeliest(searches: Sequence[Search], score: Score) -> list[list[Completion]]:
    """The `k` options of most probability, best first; none of probability 0.

    Raises:
        RunError: see `log_probs`.
    """
    table = log_probs(searches, score)
    order = table.argsort(dim=-1, descending=True, stable=True).tolist()
    possible = (table > -torch.inf).sum(-1).tolist()
    return [
        [Completion(search.options[index]) for index in row[: min(search.k, count)]]
        for search, row, count in zip(searches, order, possible, strict=True)
    ]


def log_probs(choices: Sequence[Draw | Search], score: Score) -> Tensor:
    """Log p of every option: [len(choices), most options], -inf where there are fewer.

    Raises:
        RunError: a model gives no option of a choice any probability, or one NaN.
    """
    asked: dict[Request, int] = {}
    rows = [[asked.setdefault(r, len(asked)) for r in option_requests(c)] for c in choices]
    values = _padded(score(list(asked)), rows)
    found = values.log_softmax(-1)
    bad = found.isnan().any(-1).tolist()
    if any(bad):
        _refuse(choices[bad.index(True)], values[bad.index(True)])
    return found


def _refuse(choice: Draw | Search, values: Tensor) -> NoReturn:
    where = f"in the context {choice.context!r:.200}"
    if bool((values == -torch.inf).all()):
        raise RunError(
            f"model {choice.model!r} gives none of the options {', '.join(choice.options)} any "
            f"probability {where}"
        )
    raise RunError(
        f"model {choice.model!r} gives the options {', '.join(choice.options)} logits that are NaN "
        f"or +infinite {where}: training diverged, or its dtype is too narrow for it"
    )


def inverse_cdf(
    log_probs: Tensor, seeds: Sequence[int], temperatures: Sequence[float]
) -> list[int]:
    """The option that each row's own seed picks.

    Args:
        log_probs: [N, O].
        temperatures: what each row is divided by first; 0 takes the likeliest option.
    """
    table = log_probs.cpu().double()
    divisors = torch.tensor(temperatures, dtype=torch.float64)[:, None]
    greedy = divisors[:, 0] == 0
    cdf = (table / divisors.where(divisors > 0, 1)).softmax(-1).cumsum(-1)  # (N, O)
    point = uniforms(seeds, 1).double() * cdf[:, -1:]
    last = torch.searchsorted(cdf, cdf[:, -1:].contiguous())  # the last option of any probability
    picked = torch.searchsorted(cdf, point, right=True).minimum(last)[:, 0]
    out: list[int] = torch.where(greedy, table.argmax(-1), picked).tolist()
    return out


def problem(request: Request) -> str | None:
    """Why its value is no outcome of the choice, or None."""
    if request.completion.text in request.options:
        return None
    near = suggestion(request.completion.text, request.options, "the options are")
    return f"{request.completion.text!r} is no option of this choice; {near}"


def _padded(values: Tensor, rows: Sequence[Sequence[int]]) -> Tensor:
    """[N, widest row] of `values` at `rows`, -inf where a row is shorter."""
    width = max(map(len, rows), default=0)
    index = [[*row, *[len(values)] * (width - len(row))] for row in rows]
    padded = torch.cat([values, values.new_full((1,), -torch.inf)])
    return padded[on_device(index, values.device, torch.long)]
