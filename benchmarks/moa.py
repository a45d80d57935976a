"""E: one step of seven LMs on one base, against a TRL trainer for each of them in turn.

Each node is a trainer's model: its prompts and texts of the very pair are the trainer's row, chosen
and rejected each with a prompt of its own, which TRL's model and loss take though its reader of
data has one prompt a row. One trainer stands for all seven: the node's adapter is put into it
before its step, so that loading seven models is not timed. The system's loss is not the sum of the
nodes' own: each node's gradient is TRL's times what the chain rule says from TRL's own margins.
"""

import json
import math
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from transformers import AutoTokenizer

import sysgraph
from sysgraph.engines.causal_lm.tokens import Encoded, encode
from sysgraph.engines.requests import requests

from . import seven
from .counting import flops
from .dpo_step import SPREAD
from .peaks import alone
from .row import Options, Row, ratio
from .sides.equality import (
    Gradients,
    copy,
    gradients_of,
    require_close,
    require_close_gradients,
)
from .sides.ours import Ours
from .sides.trls import Trl, collated
from .timing import interleaved, own

Batch = dict[str, Tensor]


def rows(options: Options) -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as folder:
        sides = Sides(options, Path(folder))
        steps = {"sysgraph": sides.ours, "TRL": sides.theirs}
        seconds = interleaved(
            steps, options.repetitions, clock=own, check=sides.check, tell=options.tell
        )
    peaks = {
        "sysgraph": alone("moa", options, "sysgraph"),
        "TRL, one model": alone("moa", options, "TRL"),
    }
    question, text = seven.LENGTHS
    work = f"step of seven LMs on one base, question {question} and texts of {text}"
    yield Row(
        "E",
        work,
        "a TRL trainer for each LM in turn",
        ratio(seconds["TRL"], seconds["sysgraph"]),
        2.0,
        flops=sides.flops["TRL"] / sides.flops["sysgraph"],
        times=seconds,
    )
    yield Row(
        "E",
        work,
        "one LM's TRL trainer",
        peaks["sysgraph"].total / peaks["TRL, one model"].total,
        1.15,
        at_most=True,
        measure="peak memory, ours / theirs",
        memory={name: peak.total for name, peak in peaks.items()},
        note="above what is taken before the step: "
        + ", ".join(f"{name} {peak.above:,.0f} MiB" for name, peak in peaks.items()),
    )


def step(options: Options, side: str) -> Callable[[], object]:
    """A step of one side; of TRL's, the aggregator's, whose rows are longest."""
    model = options.language_model
    made = seven.rows(model, 2)
    if side == "sysgraph":
        ours = Ours(seven.graph(model), made, device=options.device)
        ours.prepare()
        return ours.step
    with tempfile.TemporaryDirectory() as folder:
        trl = _trainer(options, Path(folder))
    batch = _batches(options, made[0])["answer"]
    return lambda: trl.step_on(batch)


class Sides:
    """Both sides with the same weights, ready for their steps."""

    def __init__(self, options: Options, folder: Path) -> None:
        model, device = options.language_model, options.device
        options.tell(f"{options.repetitions} repetitions of sysgraph, TRL")
        rows = seven.rows(model, options.repetitions + 1)
        fit = {"max_grad_norm": None}
        self._ours = Ours({**seven.graph(model), "fit": fit}, rows, device=device, spread=SPREAD)
        self._ours.prepare()
        self._order = [row for (row,) in self._ours.order]
        self._log_probs = self._ours.log_probs()
        self._trl = _trainer(options, folder)
        self._batches = [_batches(options, row) for row in rows]
        parameters = self._ours.parameters()
        self._parameters = {f"{m} {n}": p for m, of in parameters.items() for n, p in of.items()}
        self.start = {n: p.detach().clone() for n, p in self._parameters.items()}
        self._gradients: Gradients = {}
        self._loss = torch.zeros(0)
        self._theirs: dict[str, tuple[Gradients, Tensor, Tensor]] = {}
        self.flops: dict[str, int] = {}
        """Of the step that warms up, by side."""

    def ours(self, number: int) -> None:
        """sysgraph's step."""
        with gradients_of(self._parameters) as self._gradients:
            if number:
                self._loss = self._ours.step()
            else:
                self.flops["sysgraph"], self._loss = flops(self._ours.step)

    def theirs(self, number: int) -> None:
        """Seven steps of TRL."""
        batches = self._batches[self._order[number]]
        total = 0
        for name, batch in batches.items():
            copy(self._of(name, self.start), self._trl.parameters())
            with gradients_of(self._trl.parameters()) as gradients:
                if number:
                    loss = self._trl.step_on(batch)
                else:
                    count, loss = flops(partial(self._trl.step_on, batch))
                    total += count
            self._theirs[name] = (gradients, loss, self._trl.log_probs())
        if not number:
            self.flops["TRL"] = total

    def check(self, number: int, results: Mapping[str, object]) -> None:
        """That both took the same step; the weights are put back.

        Raises:
            MismatchError: they did not.
        """
        losses = torch.stack([loss.double().cpu() for _, loss, _ in self._theirs.values()])
        margins = -torch.log(torch.expm1(losses))  # of a loss -log sigmoid(margin)
        require_close(f"step {number}, loss", self._loss, -F.logsigmoid(margins.sum()))
        for i, (name, (gradients, _, log_probs)) in enumerate(self._theirs.items()):
            wanted = self._log_probs[name][self._order[number]]
            require_close(f"step {number}, log p of {name}", wanted, log_probs)
            scale = float(torch.sigmoid(-margins.sum()) / torch.sigmoid(-margins[i]))
            scaled = {n: scale * gradient for n, gradient in gradients.items()}
            found = self._of(name, self._gradients)
            require_close_gradients(f"step {number}, {name}", found, scaled)
        copy(self.start, self._parameters)

    def _of(self, model: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Those of one model, by name."""
        return {
            name.removeprefix(f"{model} "): tensor
            for name, tensor in tensors.items()
            if name.startswith(f"{model} ")
        }


def _trainer(options: Options, folder: Path) -> Trl:
    """A trainer of one node; its own rows are not used."""
    rows = [{"prompt": "a", "chosen": "b", "rejected": "c"}]
    return Trl(options.language_model, rows, folder, device=options.device, max_norm=math.inf)


def _batches(options: Options, row: Mapping[str, Any]) -> dict[str, Batch]:
    """Each node's prompts and texts, chosen and rejected, as TRL's collator lays them out."""
    model = options.language_model
    tokenizer = AutoTokenizer.from_pretrained(model)
    program = sysgraph.compile(sysgraph.load(json.dumps(seven.graph(model), indent=1)))
    (pair,) = sysgraph.load_pairs(program, [dict(row)])
    found: dict[str, list[Encoded]] = defaultdict(list)
    for side in (pair.chosen, pair.rejected):
        for name, request in requests(program, side):
            ids = encode(tokenizer, request.context, request.completion, vocabulary=len(tokenizer))
            found[name].append(ids)
    return {name: collated(several, options.device) for name, several in found.items()}
