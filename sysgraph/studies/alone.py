"""Separate DPO: each model trained as if it alone answered the question, then put together.

The baseline of SysDPO's Table 2 (arXiv 2502.17721, section 5.2). Pairs hold a question and two
final answers, so the one way to train a single model on them alone is to let it give that answer.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Self

from sysgraph_compiler import Program, Variable
from sysgraph_schemas import Graph

from ..data import load_pairs
from ..data.images import written
from ..support.errors import InputError, RunError
from ..support.files import component, write_text
from ..traces.messages import inputs_by_name
from ..traces.trace import input_names
from .bench import Bench, with_fit
from .folder import FINAL_ANSWERS
from .results import Measurement

_SYSTEM_ONLY = ("observed", "sampling", "train", "credit", "eval_inputs")
"""Settings of `fit:` that mean nothing to one model that answers alone."""


@dataclass(frozen=True)
class Separate:
    """The graphs of the models that answer alone, by model."""

    NAME: ClassVar[str] = "separate DPO"

    bench: Bench
    graphs: Mapping[str, Graph]

    @classmethod
    def of(cls, bench: Bench, models: Sequence[str]) -> Self | None:
        """None where some model cannot answer alone.

        Either what answers is no single text of a model, or no prompt holds inputs alone.
        """
        found = {model: _answering(bench.graph, bench.program, model) for model in models}
        graphs = {model: graph for model, graph in found.items() if graph is not None}
        return cls(bench, graphs) if len(graphs) == len(models) else None

    @property
    def meaning(self) -> str:
        """What the row is."""
        fit = self.bench.program.fit
        pairs = "in rounds, on pairs of its own answers" if fit.rounds else "on the same pairs"
        (output,) = self.bench.program.outputs
        names = ", ".join(input_names(self.bench.program))
        return (
            f"each model trained by DPO as if it alone answered ({names} -> {output}, {pairs}), "
            "then put together in the system"
        )

    def measure(self, seed: int) -> Measurement:
        """Trains what is not trained yet, and measures the system.

        Raises:
            RunError: a training failed, or a model cannot take the question.
        """
        try:
            runs = [self._train(model, seed) for model in self.graphs]
        except InputError as error:
            raise RunError(f"a model cannot answer alone: {error}") from error
        return self.bench.measure(self.NAME, seed, trained=runs)

    def _train(self, model: str, seed: int) -> Path:
        graph = self.graphs[model]
        settings: dict[str, Any] = {"seed": seed}
        if not graph.fit.rounds:
            settings["data"] = str(self._final_answers())
        folder = self.bench.root / component(self.NAME) / component(model) / f"seed{seed}"
        return self.bench.run(with_fit(graph, settings), folder)

    def _final_answers(self) -> Path:
        """The study's pairs without what came before the final answers.

        As texts: whoever answers alone need not have the tokens of the model that did.
        """
        bench = self.bench
        file = bench.root / FINAL_ANSWERS
        if bench.workers.main and not file.is_file():
            (output,) = bench.program.outputs
            writes = partial(written, folder=file.parent)
            rows = [
                {
                    "inputs": inputs_by_name(bench.program, pair.chosen.inputs, writes),
                    "chosen": {output: pair.chosen[output]},
                    "rejected": {output: pair.rejected[output]},
                }
                for pair in load_pairs(bench.program, str(bench.program.fit.data))
                if output in pair.chosen.values and output in pair.rejected.values
            ]
            write_text(file, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
        bench.workers.wait()
        return file


def _answering(graph: Graph, program: Program, model: str) -> Graph | None:
    """The graph in which `model` answers by itself."""
    prompt = _prompt(program, model)
    if len(program.outputs) != 1 or prompt is None:
        return None
    (output,) = program.outputs
    if output in program.deterministic or program.variable(output).type != "text":
        return None
    names = input_names(program)
    fit = graph.fit.model_dump(mode="json", exclude_unset=True)
    plain = {
        "sysgraph": 1,
        "name": f"{model}_alone",
        "models": {model: graph.models[model].model_dump(mode="json", exclude_unset=True)},
        "nodes": {
            **{name: _input(program.variable(name)) for name in names},
            output: {"kind": "lm", "model": model, **prompt},
        },
        "edges": [f"{', '.join(names)} -> {output}"],
        "outputs": [output],
        "fit": {key: value for key, value in fit.items() if key not in _SYSTEM_ONLY},
    }
    return Graph.model_validate(plain)


def _prompt(program: Program, model: str) -> dict[str, Any] | None:
    """The prompt of a node of `model` that only inputs enter; else the one input as it is."""
    of_model = {term.variable for term in program.terms if term.model == model}
    own = [v for v in program.variables if v.name in of_model and v.type == "text"]
    names = input_names(program)
    for variable in own:
        if set(variable.parents) == set(names) and not variable.bindings and not variable.empty:
            return _as_written(variable)
    if not own or len(names) != 1 or program.variable(names[0]).type != "text":
        return None
    question = f"{{{{ {names[0]} }}}}"
    if own[0].messages is None:
        return {"prompt": question}
    return {"messages": [{"role": "user", "content": question}]}


def _input(variable: Variable) -> dict[str, Any]:
    """An input as it is in the whole system."""
    return {"kind": "input", **({} if variable.type == "text" else {"type": variable.type})}


def _as_written(variable: Variable) -> dict[str, Any]:
    if variable.messages is None:
        return {"prompt": variable.prompt}
    return {"messages": [m.model_dump(mode="json") for m in variable.messages]}
