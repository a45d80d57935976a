"""Tabular categoricals: p(value | context) as rows of logits, small enough to enumerate."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from sysgraph_schemas import Table
from sysgraph_schemas.suggest import suggestion

from ..support.errors import InputError, RunError
from ..support.seeding import uniforms
from ..traces.prompt import Context
from ..traces.trace import Completion
from .asked import Draw, Request, Search
from .digest import digest_of
from .passes import Pass
from .picking import pick

_FILE = "table.safetensors"


class TableEngine:
    """All `table` models of a system. For the methods see `engines.base`."""

    def __init__(self, models: Mapping[str, Table], *, device: torch.device, seed: int) -> None:
        del seed  # tables start from their declared probabilities
        self._specs = dict(models)
        self._values = {m: {v: i for i, v in enumerate(s.values)} for m, s in models.items()}
        self._rows = {m: {c: i for i, c in enumerate(s.contexts or ())} for m, s in models.items()}
        self._initial = {m: _initial_logits(s).to(device) for m, s in models.items()}
        self._reference = dict(self._initial)
        self._logits = {
            m: nn.Parameter(self._initial[m].clone(), requires_grad=s.train == "full")
            for m, s in models.items()
        }

    def problem(self, request: Request) -> str | None:
        """Why `request` cannot be scored (no such value or context), or None."""
        if request.completion.text not in self._values[request.model]:
            near = suggestion(
                request.completion.text, self._values[request.model], "they are", most=5
            )
            return f"{request.completion.text!r} is no value of table {request.model!r}; {near}"
        return self._context_problem(request.model, request.context)

    def warning(self, request: Request) -> None:
        """None: what can be scored is scored whole."""

    def length(self, request: Request) -> int:
        """1: a value is one outcome."""
        return 1

    def passes(
        self, requests: Sequence[Request], *, reference: bool, gradients: bool = False
    ) -> list[Pass]:
        """One: a table is small. Computed in float64."""

        def values() -> Tensor:
            found = [
                self._log_probs(r.model, r.context, reference)[self._index(r)] for r in requests
            ]
            return torch.stack(found).float()

        return [Pass(tuple(range(len(requests))), values)] if requests else []

    @torch.no_grad()
    def sample(self, draws: Sequence[Draw], *, batch_size: int | None = None) -> list[Completion]:
        """One value per draw, by its own seed alone."""
        u = uniforms([draw.seed for draw in draws], 1)[:, 0].tolist()
        out = []
        for draw, point in zip(draws, u, strict=True):
            cdf = self._distribution(draw.model, draw.context).exp().cumsum(0).cpu()
            index = int(torch.searchsorted(cdf, point * cdf[-1], right=True))
            values = self._specs[draw.model].values
            out.append(Completion(values[min(index, len(values) - 1)]))
        return out

    def refusal(self, draw: Draw) -> str | None:
        """Why nothing can be drawn (the table has no such context), or None."""
        return self._context_problem(draw.model, draw.context)

    def room(self, model: str) -> None:
        """None: a value costs nothing."""

    @torch.no_grad()
    def search(self, searches: Sequence[Search]) -> list[list[Completion]]:
        """(Diverse) beam search over texts of one token; values of probability 0 are not found."""
        return [self._search(search) for search in searches]

    def _search(self, search: Search) -> list[Completion]:
        log_probs = self._distribution(search.model, search.context)  # (V,)
        taken = torch.zeros_like(log_probs)
        groups = []
        for _ in range(search.groups):
            scores = log_probs - search.diversity_penalty * taken
            best = scores.argsort(descending=True, stable=True)[: search.beams // search.groups]
            best = best[scores[best] > -torch.inf]
            taken[best] += 1
            groups.append(list(zip(best.tolist(), scores[best].tolist(), strict=True)))
        values = self._specs[search.model].values
        return [Completion(values[index]) for index in pick(groups, search.k)]

    def parameters(self, model: str) -> dict[str, nn.Parameter]:
        """The logits, [contexts, values], float64; empty for a frozen table."""
        return {"logits": self._logits[model]} if self._specs[model].train == "full" else {}

    def set_reference(self, model: str, weights: dict[str, Tensor] | None) -> None:
        """Makes `weights` the reference's logits; None: the declared probabilities."""
        self._reference[model] = weights["logits"].clone() if weights else self._initial[model]

    def digest(self, model: str) -> str:
        """Of the contexts, the values and their declared probabilities."""
        spec = self._specs[model]
        said = repr((spec.contexts, spec.values)).encode()
        named = hashlib.blake2b(said, digest_size=16).hexdigest()
        return digest_of({named: self._initial[model]})

    def save(self, model: str, folder: Path) -> None:
        """Writes the logits into `folder`."""
        folder.mkdir(parents=True, exist_ok=True)
        save_file({"logits": self._logits[model].detach().cpu().contiguous()}, folder / _FILE)

    def load(self, model: str, folder: Path) -> None:
        """Reads what `save` wrote, or raises InputError and changes nothing."""
        try:
            saved = load_file(folder / _FILE)["logits"]
        except (OSError, KeyError, SafetensorError) as error:
            raise InputError(f"{folder} holds no table {model!r}: {error}") from error
        if saved.shape != self._logits[model].shape:
            raise InputError(
                f"{folder / _FILE}: shape {tuple(saved.shape)}, but table {model!r} has "
                f"{tuple(self._logits[model].shape)}"
            )
        with torch.no_grad():
            self._logits[model].copy_(saved)

    def export(self, model: str, adapter: Path, whole: Path, *, merge: bool) -> Mapping[str, Any]:
        """The probabilities, which the graph itself says; see `Exported`."""
        return {"probs": self._logits[model].detach().softmax(-1).tolist()}

    def _log_probs(self, model: str, context: Context, reference: bool) -> Tensor:
        """[V] over the values, in the row of `context`."""
        problem = self._context_problem(model, context)
        if problem is not None:
            raise InputError(problem)
        logits = (self._reference if reference else self._logits)[model]
        return logits[self._rows[model].get(str(context), 0)].log_softmax(-1)

    def _distribution(self, model: str, context: Context) -> Tensor:
        """[V] log p of the values, to draw from."""
        log_probs = self._log_probs(model, context, reference=False)
        if bool(log_probs.isnan().any()):
            raise RunError(
                f"model {model!r}: its logits in the context {str(context)!r:.200} are NaN or "
                "+infinite: training diverged"
            )
        return log_probs

    def _index(self, request: Request) -> int:
        problem = self.problem(request)
        if problem is not None:
            raise InputError(problem)
        return self._values[request.model][request.completion.text]

    def _context_problem(self, model: str, context: Context) -> str | None:
        if self._specs[model].contexts is None or context in self._rows[model]:
            return None
        if not isinstance(context, str):
            return f"table {model!r} has rows for plain prompts; its node gives it chat `messages`"
        near = suggestion(context, self._rows[model], "its contexts are", most=5)
        return f"table {model!r} has no row for the context {context!r}; {near}"


def _initial_logits(spec: Table) -> Tensor:
    """[C, V], float64: tables are the oracle, so their own arithmetic is exact to rounding."""
    rows, values = len(spec.contexts) if spec.contexts else 1, len(spec.values)
    if spec.probs is None:
        return torch.zeros(rows, values, dtype=torch.float64)
    return torch.tensor(spec.probs, dtype=torch.float64).log()
