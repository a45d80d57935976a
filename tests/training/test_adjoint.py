"""Gradients that are taken pass by pass, against the one graph that autograd would build."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from torch import Tensor
from transformers import AutoTokenizer, CTRLConfig, CTRLLMHeadModel

import sysgraph
from benchmarks.real_model import save_tiny
from sysgraph import InputError, System
from sysgraph.data import load_inputs, load_pairs
from sysgraph.engines.checkpoints import engine as checkpoints
from sysgraph.engines.checkpoints.engine import CheckpointEngine
from sysgraph.support.progress import Reporter
from sysgraph.traces.course import complete
from sysgraph.traces.pair import Pair
from sysgraph.training.adjoint import Adjoint
from sysgraph.training.objective import Objective
from sysgraph.training.pairs import tabulate
from sysgraph.training.reference_cache import ReferenceCache
from sysgraph.training.workers import Workers

from ..exactness.gated import World

ROOT = Path(__file__).parents[2]
GRAPHS = ["moa", "two_stage", "router", "self_refine", "progression"]
FEWER = {"progression": ["models.painter.inference_steps=2"]}
Gradients = dict[str, Tensor]
Build = Callable[..., sysgraph.Graph]


def objective(system: System, pairs: list[Pair]) -> Objective:
    made = Objective(
        system,
        Workers("no"),
        tabulate(system, pairs),
        seed=0,
        remembered=ReferenceCache(system),
        reporter=Reporter(shown=False),
    )
    made.prepare(range(len(pairs)), "")
    made.draw(range(len(pairs)), 0)
    return made


def taken(system: System, backward: Callable[[], None]) -> Gradients:
    """The gradients that `backward` leaves behind; 0 where it left none."""
    parameters = {
        f"{model}/{name}": parameter
        for model in system.trained()
        for name, parameter in system.parameters(model).items()
    }
    for parameter in parameters.values():
        parameter.grad = None
    backward()
    return {
        name: torch.zeros_like(p) if p.grad is None else p.grad.clone()
        for name, p in parameters.items()
    }


def of_one_graph(system: System, made: Objective, visits: list[int]) -> Gradients:
    return taken(system, lambda: made.losses(visits)[0].sum().backward())


def by_passes(system: System, made: Objective, visits: list[int]) -> Gradients:
    def backward() -> None:
        adjoint = Adjoint(system)
        length = made.length(visits, len(visits))
        for asked in made.portions(visits, adjoint.fits):
            asked.losses(adjoint.score, length)[0].sum().backward()
            adjoint.backward()

    return taken(system, backward)


def assert_equal(found: Gradients, wanted: Gradients, *, to: float = 1e-4) -> None:
    largest = max(float(slope.abs().max()) for slope in wanted.values())
    assert largest > 1e-6  # of rounding alone nothing follows
    for name, slope in wanted.items():
        torch.testing.assert_close(
            found[name], slope, rtol=to, atol=to / 5 * largest, msg=lambda m, n=name: f"{n}: {m}"
        )


def moved(system: System, scale: float) -> System:
    """A policy that has left its reference."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for model in system.trained():
            for parameter in system.parameters(model).values():
                noise = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
                parameter.add_((noise * scale).to(parameter.dtype))
    return system


@pytest.mark.usefixtures("hasty_toys")
@pytest.mark.parametrize("name", GRAPHS)
def test_every_graph(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run once and held, and one row a pass."""
    graph = sysgraph.load(ROOT / "graphs" / f"{name}.yaml", FEWER.get(name, ()))
    program = sysgraph.compile(graph)
    system = moved(System(program, device="cpu"), 0.02)
    traces = system.sample(load_inputs(program, str(graph.fit.inputs))[:1], n=3, seed=0)
    pairs = [Pair(a, b, "x") for a, b in pairwise(traces)]
    made, visits = objective(system, pairs), list(range(len(pairs)))
    wanted = of_one_graph(system, made, visits)
    assert_equal(by_passes(system, made, visits), wanted)
    monkeypatch.setattr(CheckpointEngine, "_fitting", lambda engine, model: 0.0)
    assert_equal(by_passes(system, made, visits), wanted)


@pytest.fixture
def float64(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What is float32 by contract is float64."""
    monkeypatch.setattr(Tensor, "float", Tensor.double)
    monkeypatch.setattr(torch, "float32", torch.float64)
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("held", [["pick", "end"], ["route", "end"], ["end"]], ids="+".join)
@pytest.mark.parametrize("seed", [0, 2, 3])  # whose worlds say something of all these
def test_random_tables(seed: int, held: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Choices, selections, lists and loops, some of them unobserved.

    A value is in two pairs, whose slopes all but cancel: what float32's rounding of each leaves can
    be more than what is left of them.
    """
    w = World(seed)
    program = w.program()
    program = program.model_copy(
        update={"fit": program.fit.model_copy(update={"observed": held, "beta": 0.7})}
    )
    system = moved(System(program, device="cpu"), 0.5)
    traces = [complete(program, w.trace(program, o.texts)) for o in w.outcomes[:12]]
    made = objective(system, [Pair(a, b, "x") for a, b in pairwise(traces)])
    visits = list(range(len(traces) - 1))
    wanted = of_one_graph(system, made, visits)
    assert_equal(by_passes(system, made, visits), wanted, to=1e-12)
    passes = System.passes
    monkeypatch.setattr(  # too large to be held
        System, "passes", lambda *a, **k: [replace(one, share=2.0) for one in passes(*a, **k)]
    )
    assert_equal(by_passes(system, made, visits), wanted, to=1e-12)


@pytest.mark.parametrize("budget", [1, 10**9], ids=["one row a pass", "all in one pass"])
def test_checkpointing_two_adapters_on_one_base(
    two_stage: Build, pairs: Path, budget: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A layer that is computed again must be so under the adapter that it was computed under."""
    monkeypatch.setattr(checkpoints, "pass_bytes", lambda device: budget)
    found = []
    for again in (False, True):
        changes = {name: {"gradient_checkpointing": again} for name in ("first", "second")}
        program = sysgraph.compile(two_stage(models=changes))
        system = moved(System(program, device="cpu"), 0.2)
        made = objective(system, list(load_pairs(program, pairs)))
        found.append(by_passes(system, made, list(range(8))))
    assert_equal(found[1], found[0])


def test_what_cannot_be_checkpointed_is_refused(two_stage: Build, tmp_path: Path) -> None:
    config = CTRLConfig(vocab_size=300, n_embd=8, dff=8, n_layer=1, n_head=1, n_positions=64)
    CTRLLMHeadModel(config).save_pretrained(tmp_path)
    source = two_stage().models["first"].id  # type: ignore[union-attr]
    AutoTokenizer.from_pretrained(source).save_pretrained(tmp_path)
    changes = {"first": {"id": str(tmp_path), "gradient_checkpointing": True, "train": "full"}}
    with pytest.raises(InputError, match="has no gradient checkpointing"):
        System(sysgraph.compile(two_stage(models=changes)), device="cpu")


def test_memory_does_not_grow_with_the_step(tmp_path: Path) -> None:
    """Of a vocabulary of 50,000: one graph would hold the logits of seven pairs more, 400 MiB."""
    save_tiny(tmp_path, hidden_size=32, layers=1, vocabulary=50_000)
    code = (
        "import sys; from pathlib import Path; from benchmarks import memory, peaks, row; "
        "from sysgraph.engines.checkpoints import engine; "
        "engine.pass_bytes = lambda device: 16 * 2**20; "
        "options = row.Options(model=Path(sys.argv[1])); "
        "step = memory.step(options, 'sampling', int(sys.argv[2])); "
        "print(peaks.of(step, 'cpu').above)"
    )
    # glibc then gives back what is freed: else it keeps more or less of it, by some 70 MiB.
    exact = {**os.environ, "MALLOC_MMAP_THRESHOLD_": "65536"}
    above = []
    for pairs in ("2", "9"):
        command = [sys.executable, "-c", code, str(tmp_path), pairs]
        done = subprocess.run(
            command, check=True, capture_output=True, text=True, cwd=ROOT, env=exact
        )
        above.append(float(done.stdout.splitlines()[-1]))
    assert above[1] - above[0] < 60, above
