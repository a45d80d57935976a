"""Training language models from final answers: what is drawn, scored, cached and told."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import sysgraph
from sysgraph import Completion, DataError, GraphError, RunError, System, Trace
from sysgraph.engines import Request, Search
from sysgraph.support.progress import Reporter
from sysgraph.traces.pair import Pair
from sysgraph.training.direct import Observed
from sysgraph.training.pairs import tabulate
from sysgraph.training.reference_cache import ReferenceCache
from sysgraph.training.sampling import Marginal
from tests.losses import losses_of

Build = Callable[..., sysgraph.Graph]


@pytest.fixture
def trl_rows(tmp_path: Path) -> Path:
    """As most preference data is: a prompt and two ranked answers."""
    rows = [
        {"prompt": f"question {i}?", "chosen": f"yes {i}", "rejected": f"no {i % 2}"}
        for i in range(6)
    ]
    (tmp_path / "trl.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path / "trl.jsonl"


def test_both_models_learn_from_prompts_and_ranked_answers(
    two_stage: Build,
    trl_rows: Path,
    tmp_path: Path,
    quiet: Reporter,
    metrics: Callable[[Path], list[dict[str, Any]]],
    weights: Callable[[Path], dict[str, Tensor]],
) -> None:
    graph = two_stage(data=str(trl_rows), steps=30, log_every=1, learning_rate=5e-3)
    sysgraph.fit(graph, output=tmp_path / "run", reporter=quiet)
    lines = metrics(tmp_path / "run")
    assert lines[0]["loss"] == pytest.approx(0.6931, abs=1e-3)  # policy and reference agree
    assert lines[-1]["loss"] < 0.6
    assert lines[-1]["rewards/accuracies"] == 1
    assert lines[-1]["sampling/distinct"] == 2
    assert 1 <= lines[-1]["sampling/ess"] <= 2
    assert 0 < lines[-1]["sampling/covered_mass"] <= 1
    assert lines[-1]["sampling/skipped"] == 0
    assert min(lines[-1][f"grad_norm/{name}"] for name in ("first", "second")) > 0
    assert {name.partition("/")[0] for name in weights(tmp_path / "run")} == {"first", "second"}


class Counting(System):
    """Counts what models are asked."""

    scored: list[Request]
    references: list[Request]
    searched: list[Search]

    def start(self) -> "Counting":
        self.scored, self.references, self.searched = [], [], []
        return self

    def score(self, flat: Sequence[Request], *, reference: bool = False) -> Tensor:
        (self.references if reference else self.scored).extend(flat)
        return super().score(flat, reference=reference)

    def search(self, searches: Sequence[Search]) -> list[list[Completion]]:
        self.searched += searches
        return super().search(searches)


@pytest.mark.parametrize("frozen", [True, False])
def test_a_frozen_upstream_model_is_asked_once(
    two_stage: Build,
    trl_rows: Path,
    tmp_path: Path,
    quiet: Reporter,
    monkeypatch: pytest.MonkeyPatch,
    frozen: bool,
) -> None:
    """Three epochs of six pairs."""
    made: list[Counting] = []
    monkeypatch.setattr(
        "sysgraph.training.fitting.System",
        lambda *args, **options: made.append(Counting(*args, **options).start()) or made[-1],
    )
    # Once training is over, credit asks again.
    monkeypatch.setattr("sysgraph.training.record.Record.credit", lambda *_: None)
    models = {"first": {"train": "frozen"}} if frozen else {}
    graph = two_stage(models=models, data=str(trl_rows), steps=9, batch_size=2, learning_rate=1e-3)
    sysgraph.fit(graph, output=tmp_path / "run", reporter=quiet)
    (system,) = made
    of_first = [r for r in (*system.scored, *system.references) if r.model == "first"]
    if frozen:
        assert len(system.searched) == 6
        assert len(of_first) == len(set(of_first)) == 12
        assert all(r.model == "second" for r in system.scored)
        references = [r for r in system.references if r.model == "second"]
        assert len(references) == len(set(references)) == 24
    else:
        assert len(system.searched) == 18
        per_pair = len([r for r in system.scored if r.model == "first"]) / 18
        assert per_pair <= 2, "p(y | x) is one request for chosen and rejected"


def test_pairs_without_gaps_are_direct_to_the_bit(two_stage: Build, pairs: Path) -> None:
    """In a table that has gaps elsewhere: losses, gradients and metrics."""
    graph = two_stage(data=str(pairs), anchor=0.2)
    program = sysgraph.compile(graph)
    system = System(program, device="cpu")
    rows = sysgraph.load_pairs(program, pairs)
    table = tabulate(system, rows)
    bare = [
        Trace(trace.inputs, {"answer": trace.values["answer"]}, trace.outputs)
        for trace in (rows[0].chosen, rows[0].rejected)
    ]
    mixed = tabulate(system, [*rows, Pair(bare[0], bare[1], "gaps")])
    assert [g is None for g in mixed.gaps] == [True] * 8 + [False]
    reference = torch.zeros(len(table.requests) + 1)
    with torch.no_grad():
        reference[:-1] = system.score(table.requests, reference=True)
    assert table.requests == mixed.requests[: len(table.requests)]
    longer = torch.cat([reference[:-1], torch.zeros(len(mixed.requests) - len(table.requests) + 1)])
    weights = [p for m in system.trained() for p in system.parameters(m).values()]
    found = []
    for direct in (True, False):
        if direct:
            asked = Observed(system, table, range(8), reference)
            losses, totals = losses_of(system, asked)
        else:
            remembered = ReferenceCache(system)
            asked = Marginal(system, mixed, range(8), longer, {}, remembered)
            losses, totals = losses_of(system, asked)
        gradients = torch.autograd.grad(losses.sum(), weights)
        found.append((losses, totals.means(), gradients))
    (one, one_means, one_gradients), (two, two_means, two_gradients) = found
    assert torch.equal(one, two)
    more = two_means.keys() - one_means.keys()
    assert {name: two_means[name] for name in two_means if name not in more} == one_means
    margins = {name: one_means[f"rewards/margins/{name}"] for name in ("draft", "answer")}
    assert {name: two_means[f"credit/{name}"] for name in margins} == margins
    assert all(bool(gradient.any()) for gradient in one_gradients[1::2])  # every LoRA B
    assert all(map(torch.equal, one_gradients, two_gradients))


def test_drafts_and_answers_of_one_token(
    two_stage: Build,
    write_pairs: Callable[..., Path],
    tmp_path: Path,
    quiet: Reporter,
    metrics: Callable[[Path], list[dict[str, Any]]],
) -> None:
    """Every draft there is: 256 bytes, and the empty one that only stops."""
    graph = two_stage(
        models={"first": {"max_new_tokens": 1}},
        data=str(write_pairs([({"question": "q"}, {"answer": "a"}, {"answer": ""})])),
        sampling={"k": 300, "sampler": "beam"},
        steps=1,
        log_every=1,
    )
    sysgraph.fit(graph, output=tmp_path / "run", reporter=quiet)
    (line,) = metrics(tmp_path / "run")
    assert line["sampling/distinct"] == 257
    assert line["sampling/covered_mass"] == pytest.approx(1, abs=1e-5)


def test_a_drawn_value_that_makes_a_prompt_too_long_names_the_row(
    two_stage: Build, write_pairs: Callable[..., Path], tmp_path: Path, quiet: Reporter
) -> None:
    """A window of 128: the question fits with its draft's room, not with draft and answer."""
    rows: list[Any] = [({"question": "q" * 118}, {"answer": "yes yes yes"}, {"answer": "no"})]
    graph = two_stage(data=str(write_pairs(rows)), batch_size=1)
    with pytest.raises(RunError, match=r"pairs.jsonl:1: answer, with the drawn draft .*window"):
        sysgraph.fit(graph, output=tmp_path / "run", reporter=quiet)


def test_rows_that_cannot_be_summed_over_are_refused_at_once(
    two_stage: Build, trl_rows: Path, tmp_path: Path, quiet: Reporter
) -> None:
    by_node = two_stage(data=str(trl_rows), credit="node")
    with pytest.raises(DataError, match="`credit: node` gives each node a loss") as caught:
        sysgraph.fit(by_node, output=tmp_path / "run", reporter=quiet)
    assert len(caught.value.problems) == 6
    named = two_stage(data=str(trl_rows), observed=["draft", "answer"])
    with pytest.raises(DataError, match=r"chosen: no value for draft; .*`fit.observed`") as caught:
        sysgraph.fit(named, output=tmp_path / "run", reporter=quiet)
    assert len(caught.value.problems) == 12
    with pytest.raises(GraphError, match="`credit: node` needs every node's value"):
        sysgraph.compile(two_stage(credit="node", observed=["answer"]))
    assert not (tmp_path / "run").exists()


def test_the_one_sample_baseline_does_not_train_the_upstream_model(
    two_stage: Build, trl_rows: Path, tmp_path: Path, quiet: Reporter
) -> None:
    """With one trajectory log p(y | x) is on both sides."""
    one = {"sampler": "ancestral", "k": 1}
    alone = two_stage(data=str(trl_rows), sampling=one, train=["second"])
    sysgraph.fit(alone, output=tmp_path / "alone", reporter=quiet)
