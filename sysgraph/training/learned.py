"""What a finished or stopped run has learned: its system, its pairs, and who learned what."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from sysgraph_compiler import Program

from ..data import load_inputs, load_pairs
from ..data.rows import Source
from ..measuring.evaluation import Estimate, answered, estimate
from ..measuring.samples import Scored
from ..measuring.scorers import Scorer, find_scorer
from ..reports.credit import Credit, credit
from ..reports.facts import read_program
from ..reports.ledger import ledger
from ..support.errors import InputError
from ..support.progress import Reporter
from ..support.seeding import derive
from ..system import System
from ..tools import bind
from ..traces.pair import Pair
from .checkpoint import load_state
from .folder import RunFolder
from .pairs import split_pairs
from .record import gradient_shares, spread
from .snapshots import Snapshot, copy_of, put

PAIRS = 1000
"""Most pairs of a run's own that credit is worked out of; of data that is given, all are."""
INPUTS = 200
"""Most held-out inputs that are answered with each model put back."""


def credit_of(
    root: Path | str,
    data: Source | None = None,
    *,
    endpoints: Mapping[str, str] | None = None,
    tools: Mapping[str, Any] | None = None,
    reporter: Reporter | None = None,
) -> Credit:
    """Which model of a run learned what, against the models before training.

    Args:
        root: the run's folder. A run that was stopped is taken as its last state has it.
        data: preference pairs; default: those that the run's last round held out.
        endpoints: addresses of hosted models, as `System` takes them.
        tools: by name, before those that packages register.

    Raises:
        InputError: it is no run, or has no weights or pairs, or the data are wrong.
    """
    folder, reporter = RunFolder(Path(root)), reporter or Reporter()
    program = read_program(folder.root)
    bind(program, tools)
    if data is None:
        pairs, name = _own_pairs(folder, program)
    else:
        pairs, name = load_pairs(program, data), data if isinstance(data, str) else "the data"
    if not pairs:
        raise InputError(f"nothing to credit: {name} has no pairs")
    scorer = find_scorer(program.fit.scorer) if program.fit.scorer else None
    source = program.fit.eval_inputs
    inputs = load_inputs(program, source)[:INPUTS] if scorer and source else []
    system = System(program, endpoints=endpoints)
    before = copy_of(_weights(system))
    _load(system, folder)
    found = ledger(system, pairs, seed=program.fit.seed, reporter=reporter)
    score, lost = None, None
    if scorer is not None and inputs:
        try:
            score, lost = _scores(system, before, inputs, scorer, reporter)
        except InputError as error:  # as of a hosted model without an address
            reporter.line(f"warning: no score was measured: {error}")
    gradient = gradient_shares(folder.metrics)
    return credit(program, found, data=name, gradient=gradient, score=score, score_lost=lost)


def _weights(system: System) -> dict[str, Any]:
    return {model: system.parameters(model) for model in system.trained()}


def _load(system: System, folder: RunFolder) -> None:
    """Gives the system the run's weights: the finished ones, or those of its state."""
    if folder.models.is_dir():
        system.load(folder.root)
        return
    state = load_state(folder.state)
    if state is None:
        raise InputError(
            f"{folder.root} holds no weights yet: neither `models` nor `state` is there. Go on "
            f"with it: {folder.resume_command()}"
        )
    put(_weights(system), state.under("policy"))


def _own_pairs(folder: RunFolder, program: Program) -> tuple[Sequence[Pair], str]:
    """The last round's pairs, those held out if some are, and what to call them."""
    fit = program.fit
    last = next((n for n in range(fit.rounds - 1, -1, -1) if folder.has_pairs(n)), None)
    if last is not None:
        sides: Mapping[str, Sequence[Pair]] = folder.load_pairs(
            last, program, folder.pairs_digest(last)
        )
        where = f" of round {last + 1}"
    elif fit.data is not None and not fit.rounds:
        sides = split_pairs(load_pairs(program, fit.data), fit.eval_fraction, fit.seed)
        where = f" of {fit.data}"
    else:
        raise InputError(f"{folder.root} keeps no pairs of its own: give some (--data FILE)")
    side = "held_out" if sides["held_out"] else "train"
    name = "pairs held out" if side == "held_out" else "pairs trained on"
    return spread(sides[side], PAIRS), name + where


def _scores(
    system: System,
    before: Snapshot,
    inputs: Sequence[Mapping[str, Any]],
    scorer: Scorer,
    reporter: Reporter,
) -> tuple[Estimate, dict[str, Estimate]]:
    """The mean score, and by how much it falls with each model put back, input by input."""
    seed = derive(system.program.fit.seed, "evaluate")
    weights = _weights(system)
    whole = answered(system, inputs, scorer, seed=seed, reporter=reporter)
    worst = min((one.score for one in whole if one.score != -torch.inf), default=0.0)
    scores = _scores_of(whole, worst)
    lost = {}
    for model, parameters in weights.items():
        after = copy_of({model: parameters})
        put({model: parameters}, before)
        back = answered(system, inputs, scorer, seed=seed, reporter=reporter)
        put({model: parameters}, after)
        lost[model] = estimate(
            [a - b for a, b in zip(scores, _scores_of(back, worst), strict=True)]
        )
    return estimate(scores), lost


def _scores_of(answers: Sequence[Scored], worst: float) -> list[float]:
    """A failed answer counts as the worst of the whole system's that did not fail."""
    return [max(one.score, worst) for one in answers]
