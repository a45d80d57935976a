"""C: a step of SysDPO-Sampling with its draws, beside eq. 9 in plain code on transformers 4.55.

A drafter and an answerer are adapters of one base; drafts are not observed, and every step draws
two a pair by diverse beam search. First every pair is new, so that the reference is computed as in
the plain code; then pairs come back with the same drafts, whose reference values are remembered.
All steps start from the same weights, which are put back between them.
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from torch import Tensor
from transformers import AutoTokenizer

from sysgraph.support.seeding import derive
from sysgraph.training.batches import batch_visits

from . import pairs
from .row import Options, Row, ratio
from .sides.equality import Gradients, copy, gradients_of, require_close, require_close_gradients
from .sides.ours import BETA, LEARNING_RATE, Ours
from .sides.trls import ALPHA, RANK
from .timing import interleaved, own
from .transformers4.group_beams import Settings
from .transformers4.process import Process

GOALS = {"new drafts": 2.5, "drafts of before, reference remembered": 4.0}
DRAFTS, PENALTY = 2, 10.0
_PROMPTS = {
    "draft": "Question: {question}\nNotes on how to solve it:",
    "answer": "Question: {question}\nNotes on how to solve it:{draft}\nAnswer:",
}
_SPREAD = 0.002
"""How far the policy is from the reference: see `dpo_step.SPREAD`."""
_AGAINST = "plain eq. 9, transformers 4.55.4"


def rows(options: Options) -> Iterator[Row]:
    with Process(folder=str(options.language_model), device=options.device) as other:
        sides = _Sides(options, other)
        work = f"two-LM Sampling, k = {DRAFTS}, {sides.pairs} pairs, drafts of {sides.new} tokens"
        for epoch, (what, goal) in enumerate(GOALS.items()):
            times = sides.timed(epoch)
            yield Row(
                "C",
                f"{work}, {what}",
                _AGAINST,
                ratio(times["plain code"], times["sysgraph"]),
                goal,
                times=times,
            )


class _Sides:
    """Both sides with the same weights.

    Attributes:
        pairs: of a step.
        new: tokens of a draft at most.
    """

    def __init__(self, options: Options, other: Process) -> None:
        self._options, self._other = options, other
        self.pairs, self.new = (1, 6) if options.quick else (2, 64)
        steps = options.repetitions + 1
        self._rows = _rows(steps * self.pairs, short=options.quick)
        model = options.language_model
        graph = two_lms(str(model), self.new, steps=len(GOALS) * steps)
        self._ours = Ours(
            graph,
            _preferences(self._rows),
            pairs=self.pairs,
            device=options.device,
            spread=_SPREAD,
        )
        self._ours.prepare()
        self._start = {  # on the CPU, where the other process can read it
            name: {n: p.detach().cpu().clone() for n, p in parameters.items()}
            for name, parameters in self._ours.parameters().items()
        }
        tokenizer = AutoTokenizer.from_pretrained(model)
        other.ask(
            "train",
            prompts=_PROMPTS,
            settings=Settings(
                DRAFTS, PENALTY, self.new, (tokenizer.eos_token_id,), len(tokenizer) - 1
            ),
            end=tokenizer.eos_token,
            beta=BETA,
            learning_rate=LEARNING_RATE,
            lora={"r": RANK, "lora_alpha": ALPHA, "target_modules": "all-linear"},
        )

    def timed(self, epoch: int) -> dict[str, list[float]]:
        """Seconds of each side's steps through all pairs once more.

        Raises:
            MismatchError: two steps differ in loss or gradient.
        """
        repetitions = self._options.repetitions
        first, seconds = epoch * (repetitions + 1), list[float]()
        gradients: dict[str, Gradients] = {}

        def ours(number: int) -> Tensor:
            with contextlib.ExitStack() as stack:
                for name, parameters in self._ours.parameters().items():
                    gradients[name] = stack.enter_context(gradients_of(parameters))
                return self._ours.step()

        def theirs(number: int) -> dict[str, Any]:
            took, found = self._other.ask("step", rows=self._batch(first + number))
            seconds.append(took)
            assert isinstance(found, dict)
            return found

        def check(number: int, found: Mapping[str, object]) -> None:
            loss, plain = found["sysgraph"], found["plain code"]
            assert isinstance(loss, Tensor)
            assert isinstance(plain, dict)
            require_close(f"step {number}, loss", loss, plain["loss"])
            require_close_gradients(f"step {number}", _flat(gradients), _flat(plain["gradients"]))
            self._put_back()

        self._put_back()
        sides: dict[str, Callable[[int], object]] = {"sysgraph": ours, "plain code": theirs}
        times = interleaved(sides, repetitions, clock=own, check=check, tell=self._options.tell)
        return {**times, "plain code": seconds[1:]}  # as its process measured

    def _batch(self, step: int) -> list[dict[str, str]]:
        count = len(self._rows)
        visits = batch_visits(count, self.pairs, step, derive(0, 0))
        return [self._rows[visit % count] for visit in visits]

    def _put_back(self) -> None:
        for name, parameters in self._ours.parameters().items():
            copy(self._start[name], parameters)
        self._other.ask("put", weights=self._start)


def _flat(gradients: Mapping[str, Gradients]) -> Gradients:
    """Of both adapters as one: a drafter whose drafts read alike has none of its own."""
    return {f"{name}.{n}": g for name, several in gradients.items() for n, g in several.items()}


def two_lms(model: str, new: int, **fit: Any) -> dict[str, Any]:
    """The graph: question -> draft -> answer, the draft not observed.

    Args:
        model: folder of the base.
        new: tokens of a draft at most.
    """
    spec = {"kind": "causal_lm", "id": model, "train": "lora", "max_new_tokens": new}
    templates = {
        name: text.format(question="{{ question }}", draft="{{ draft }}")
        for name, text in _PROMPTS.items()
    }
    return {
        "sysgraph": 1,
        "name": "two",
        "models": {"draft": spec, "answer": spec},
        "nodes": {
            "question": {"kind": "input"},
            "draft": {"kind": "lm", "model": "draft", "prompt": templates["draft"]},
            "answer": {"kind": "lm", "model": "answer", "prompt": templates["answer"]},
        },
        "edges": ["question -> draft", "question, draft -> answer"],
        "outputs": ["answer"],
        "fit": {
            "seed": 0,
            "sampling": {
                "sampler": "diverse_beam",
                "k": DRAFTS,
                "diversity_penalty": PENALTY,
                "redraw_every": 1,
            },
            **fit,
        },
    }


def _rows(count: int, *, short: bool) -> list[dict[str, str]]:
    found = [
        {"question": p["prompt"], "chosen": p["chosen"], "rejected": p["rejected"]}
        for p in pairs.real(count)
    ]
    if short:
        found = [{name: text[:20] for name, text in row.items()} for row in found]
    sides = ("chosen", "rejected")
    return [{**row, **{side: f" {row[side].strip()}" for side in sides}} for row in found]


def _preferences(found: list[dict[str, str]]) -> list[dict[str, Any]]:
    return [
        {
            "inputs": {"question": row["question"]},
            "chosen": {"answer": row["chosen"]},
            "rejected": {"answer": row["rejected"]},
        }
        for row in found
    ]
