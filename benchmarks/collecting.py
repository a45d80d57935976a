"""F: samples of a Mixture-of-Agents, as `collect` draws them, beside a plain loop of `generate`.

Three proposers and an aggregator, adapters of one base; four samples an input. Both sides draw from
the same distribution with random numbers of their own, so what is compared is time a token; before
that, the plain models give every text that sysgraph drew the log-probability that it has there.
"""

import itertools
import json
from collections.abc import Iterator
from typing import Any

import torch

import sysgraph
from sysgraph import Completion, System, Trace

from . import pairs
from .row import Options, Row, ratio
from .sides.equality import require_close
from .sides.generating import AGGREGATE, LAST, PROPOSE, Generating
from .timing import own

GOAL = 2.0
SAMPLES = 4
_PROPOSERS = ("first", "second", "third")
_SPREAD = 0.002


def rows(options: Options) -> Iterator[Row]:
    inputs, new = (2, 6) if options.quick else (16, 32)
    sides = _Sides(options, inputs, new)
    sides.check()
    times: dict[str, list[float]] = {"sysgraph": [], "plain loop": []}
    for number in range(options.repetitions):
        for name, one in (("sysgraph", sides.ours), ("plain loop", sides.theirs)):
            start = own()
            tokens = one(number)
            times[name].append((own() - start) / tokens)
        options.tell(f"repetition {number + 1} of {options.repetitions}")
    yield Row(
        "F",
        f"collect: {SAMPLES} samples of a two-layer MoA for {inputs} inputs, texts of {new} tokens",
        f"`generate(num_return_sequences={SAMPLES})` a node and input",
        ratio(times["plain loop"], times["sysgraph"]),
        GOAL,
        times=times,
        measure="time a token, theirs / ours",
        note="" if inputs == 64 else f"{inputs} inputs where the goal says 64, to be done in time",
    )


class _Sides:
    """Both with the same weights and the same questions.

    Args:
        inputs: of a repetition.
        new: tokens of a text at most.
    """

    def __init__(self, options: Options, inputs: int, new: int) -> None:
        found = pairs.real(inputs * (options.repetitions + 1))
        questions = [pair["prompt"][: 20 if options.quick else None] for pair in found]
        self._questions = [questions[i : i + inputs] for i in range(0, len(questions), inputs)]
        model, device = options.language_model, options.device
        program = sysgraph.compile(sysgraph.load(json.dumps(mixture(str(model), new), indent=1)))
        self._system = System(program, device=device)
        generator = torch.Generator().manual_seed(0)
        weights: dict[str, dict[str, torch.Tensor]] = {}
        for name in (*_PROPOSERS, LAST):
            parameters = self._system.parameters(name)
            with torch.no_grad():
                for parameter in parameters.values():
                    noise = torch.randn(parameter.shape, generator=generator)
                    parameter.add_(noise.to(parameter), alpha=_SPREAD)
            weights[name] = {n: p.detach() for n, p in parameters.items()}
        self._plain = Generating(model, weights, new=new, device=device)

    def check(self) -> None:
        """That both have the same models and prompts, on inputs of their own, which also warms up.

        Raises:
            MismatchError: they have not.
        """
        questions = self._questions[-1][:2]
        traces = self._sampled(questions)
        found = self._system.log_prob(traces)
        for i, trace in enumerate(traces):
            question = trace.inputs["question"]
            drafts = "".join(str(trace[name]) for name in _PROPOSERS)
            prompts = dict.fromkeys(_PROPOSERS, PROPOSE.format(question=question))
            prompts[LAST] = AGGREGATE.format(question=question, drafts=drafts)
            for name, prompt in prompts.items():
                plain = self._plain.log_prob(name, prompt, _ids(trace, name))
                require_close(f"log p of {name}, sample {i}", found[name][i], plain)
        for question in questions:
            self._plain.sample(question, SAMPLES)

    def ours(self, number: int) -> int:
        """Samples of a repetition's inputs; the tokens that were written."""
        traces = self._sampled(self._questions[number])
        several = itertools.product(traces, (*_PROPOSERS, LAST))
        return sum(len(_ids(trace, name)) for trace, name in several)

    def theirs(self, number: int) -> int:
        """The same by the plain loop."""
        return sum(self._plain.sample(one, SAMPLES) for one in self._questions[number])

    def _sampled(self, questions: list[str]) -> list[Trace]:
        inputs = [{"question": question} for question in questions]
        chunks = self._system.stream(inputs, SAMPLES, seed=0)
        return [trace for chunk in chunks for trace in chunk]


def _ids(trace: Trace, name: str) -> tuple[int, ...]:
    value = trace.values[name]
    assert isinstance(value, Completion)
    assert value.ids is not None
    return value.ids


def mixture(model: str, new: int) -> dict[str, Any]:
    """The graph: three proposers on one base, and an aggregator that sees what they wrote."""
    spec = {"kind": "causal_lm", "id": model, "train": "lora", "max_new_tokens": new}
    drafts = "".join(f"{{{{ {name} }}}}" for name in _PROPOSERS)
    propose = PROPOSE.format(question="{{ question }}")
    return {
        "sysgraph": 1,
        "name": "mixture",
        "models": dict.fromkeys((*_PROPOSERS, LAST), spec),
        "nodes": {
            "question": {"kind": "input"},
            **{n: {"kind": "lm", "model": n, "prompt": propose} for n in _PROPOSERS},
            LAST: {
                "kind": "lm",
                "model": LAST,
                "prompt": AGGREGATE.format(question="{{ question }}", drafts=drafts),
            },
        },
        "edges": [
            f"question -> {', '.join(_PROPOSERS)}",
            f"question, {', '.join(_PROPOSERS)} -> {LAST}",
        ],
        "outputs": [LAST],
    }
