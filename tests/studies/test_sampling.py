"""The rows that a study has where data lacks values of the system."""

import json
import statistics
from pathlib import Path

import pytest

import sysgraph
from sysgraph.data import load_pairs

from .conftest import INPUTS, VALUES, Build, Finished, answers, mean, run

ROWS = [
    "before",
    "best of 3",
    "separate DPO",
    "m alone",
    "n alone",
    "separate",
    "one sample",
    "joint",
]


def test_rows(trainings: Finished) -> None:
    assert [row.name for row in trainings.study.rows] == ROWS
    assert not [failure for row in trainings.study.rows for failure in row.failures]
    assert len({row.meaning for row in trainings.study.rows}) == len(ROWS)


def test_one_sample_is_joint_but_for_the_draw(trainings: Finished) -> None:
    one, joint = (
        sysgraph.load(trainings.root / name / "seed1" / "graph.yaml").fit.model_dump()
        for name in ("one-sample", "joint")
    )
    assert (one["sampling"]["sampler"], one["sampling"]["k"]) == ("ancestral", 1)
    assert one["train"] == ["m", "n"]
    assert one | {"sampling": 0, "train": None} == joint | {"sampling": 0}
    assert _steps_mean(trainings.root / "one-sample" / "seed1", "distinct") == 1


def test_separate_dpo_is_each_model_answering_alone(trainings: Finished) -> None:
    """Each is DPO on a graph of one node; together they answer in the system."""
    root = trainings.root / "separate-DPO"
    for model in "mn":
        graph = sysgraph.load(root / model / "seed0" / "graph.yaml")
        program = sysgraph.compile(graph)
        assert [(v.name, v.prompt) for v in program.variables[1:]] == [("z", "{{ x }}")]
        assert [(t.variable, t.model) for t in program.terms] == [("z", model)]
        assert program.objective.method == "direct"
        own = trainings.graph.fit
        assert (graph.fit.beta, graph.fit.rounds) == (own.beta, own.rounds)
        assert {f.name for f in (root / model / "seed0" / "models").glob("*/")} == {model}
    scores = []
    for seed in range(2):
        folders = [root / model / f"seed{seed}" for model in "mn"]
        texts = [text for (text,) in answers(trainings.graph, seed, folders)]
        scores.append(statistics.fmean(text.count("a") for text in texts))
    assert trainings.row("separate DPO").score.model_dump() == mean(scores)


def test_separate_dpo_trains_on_the_final_answers_of_given_pairs(
    chain: Build, tmp_path: Path
) -> None:
    file = tmp_path / "pairs.jsonl"
    rows = [
        {"inputs": {"x": x}, "chosen": {"y": y, "z": "a"}, "rejected": {"y": "c", "z": z}}
        for x in INPUTS
        for y, z in zip(VALUES, "bcb", strict=True)
    ]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    result = run(chain(data=str(file), rounds=0), tmp_path / "study")
    assert [row.name for row in result.rows] == ROWS
    graph = sysgraph.load(tmp_path / "study" / "separate-DPO" / "n" / "seed0" / "graph.yaml")
    assert graph.fit.data is not None
    pairs = load_pairs(sysgraph.compile(graph), graph.fit.data)
    found = [(dict(p.chosen.inputs), p.chosen.output(), p.rejected.output()) for p in pairs]
    assert found == [(r["inputs"], "a", r["rejected"]["z"]) for r in rows]
    assert result.rows[2].score.mean == result.rows[2].seeds[0].evaluation.score.mean


def test_values_that_only_the_pairs_lack(chain: Build, tmp_path: Path) -> None:
    """Without `fit.observed` it is the data that says so."""
    file = tmp_path / "pairs.jsonl"
    row = {"inputs": {"x": "x0"}, "chosen": {"z": "a"}, "rejected": {"z": "b"}}
    file.write_text(json.dumps(row) + "\n")
    graph = chain(data=str(file), rounds=0, observed=None)
    names = [row.name for row in run(graph, tmp_path / "study").rows]
    assert names == ROWS


def test_without_an_anchor_one_draw_teaches_the_answering_model_alone(
    chain: Build, tmp_path: Path
) -> None:
    result = run(chain(anchor=0), tmp_path / "study")
    (row,) = [row for row in result.rows if row.name == "one sample"]
    assert not row.failures
    assert row.meaning.endswith("which teaches n alone")
    graph = sysgraph.load(tmp_path / "study" / "one-sample" / "seed0" / "graph.yaml")
    assert graph.fit.train == ["n"]


def test_a_model_that_cannot_take_the_question_fails_its_row_alone(
    chain: Build, tmp_path: Path
) -> None:
    plain = json.loads(chain().model_dump_json(exclude_unset=True))
    plain["models"]["n"]["contexts"] = VALUES
    result = run(sysgraph.load(json.dumps(plain)), tmp_path / "study")
    failed = {row.name: row.failures for row in result.rows if row.failures}
    assert list(failed) == ["separate DPO"]
    assert failed["separate DPO"][0].startswith("separate DPO, seed 0: a model cannot answer alone")


def test_who_answers_in_parts_cannot_answer_alone(chain: Build, tmp_path: Path) -> None:
    """Two outputs: no model gives the answer."""
    plain = json.loads(chain(observed=["z", "w"]).model_dump_json(exclude_unset=True))
    plain["nodes"]["w"] = plain["nodes"]["z"]
    plain |= {"edges": ["x -> y", "y -> z, w"], "outputs": ["z", "w"]}
    names = [row.name for row in run(sysgraph.load(json.dumps(plain)), tmp_path / "study").rows]
    assert names == [name for name in ROWS if name != "separate DPO"]


SAMPLERS = {
    "diverse beam 2": ("diverse_beam", 2, "set_sum", 2),
    "contrastive 4 to 2": ("contrastive", 2, "set_sum", 4),
    "ancestral 2": ("ancestral", 2, "set_sum", 2),
    "ancestral 4": ("ancestral", 4, "set_sum", 4),
    "ancestral 8": ("ancestral", 8, "set_sum", 8),
    "importance 4": ("ancestral", 4, "importance", 4),
}


@pytest.fixture(scope="module")
def samplers(trainings: Finished) -> Finished:
    """In the folder of the study of trainings."""
    study = run(trainings.graph, trainings.root, seeds=2, compare="samplers")
    return Finished(trainings.graph, trainings.root, study)


def test_samplers(samplers: Finished) -> None:
    assert [row.name for row in samplers.study.rows] == list(SAMPLERS)
    assert not [failure for row in samplers.study.rows for failure in row.failures]
    saved = json.loads((samplers.root / "samplers.json").read_text())
    assert saved == samplers.study.model_dump()
    for name, (sampler, k, estimator, drawn) in SAMPLERS.items():
        folder = "joint" if name == "diverse beam 2" else name.replace(" ", "-")
        runs = [samplers.root / folder / f"seed{seed}" for seed in (0, 1)]
        sampling = sysgraph.load(runs[0] / "graph.yaml").fit.sampling
        assert (sampling.sampler, sampling.k, sampling.estimator) == (sampler, k, estimator)
        draws = samplers.row(name).draws
        assert draws is not None
        assert draws.drawn == drawn
        assert draws.distinct.model_dump() == mean([_steps_mean(r, "distinct") for r in runs])
        assert draws.effective.model_dump() == mean([_steps_mean(r, "ess") for r in runs])
        assert draws.covered.model_dump() == mean([_steps_mean(r, "covered_mass") for r in runs])


def _steps_mean(run: Path, name: str) -> float:
    lines = map(json.loads, (run / "metrics.jsonl").read_text().splitlines())
    return statistics.fmean(x[f"sampling/{name}"] for x in lines if f"sampling/{name}" in x)


def test_the_graph_s_own_sampler_is_the_joint_run(trainings: Finished, samplers: Finished) -> None:
    """Nothing is trained twice."""
    assert samplers.row("diverse beam 2").seeds == trainings.row("joint").seeds
    assert not (samplers.root / "diverse-beam-2").exists()
