"""`fit.loss` and what goes with it: what is accepted, and what is said of the rest."""

import pytest

from sysgraph_schemas import Fit, GraphError, dump, load

GRAPH = """\
name: g
models: {a: {kind: table, values: [x]}}
nodes:
  q: {kind: input}
  z: {kind: lm, model: a, prompt: "{{ q }}"}
edges: [q -> z]
outputs: [z]
fit: FIT
"""


def fit(written: str) -> Fit:
    return load(GRAPH.replace("FIT", written)).fit


def test_a_mix_goes_to_yaml_and_back() -> None:
    mix = {"sigmoid": 0.8, "sft": 0.2}
    graph = load(GRAPH.replace("FIT", "{loss: {sigmoid: 0.8, sft: 0.2}}"))
    assert graph.fit.losses == mix
    assert load(dump(graph)) == graph
    assert fit("{}").losses == {"sigmoid": 1.0}
    assert load(GRAPH.replace("FIT", "{}"), ["fit.loss.sft=2"]).fit.losses == {"sft": 2}


@pytest.mark.parametrize(
    ("written", "code", "column", "said", "help"),
    [
        ("{loss: {sigmod: 1}}", "SG105", 14, "`loss` has no `sigmod`", "did you mean `sigmoid`"),
        ("{loss: kto}", "SG105", 13, "`loss` cannot be `kto`", "bco_pair, sppo_hard, apo_zero"),
        ("{loss: {sft: -1}}", "SG105", 19, "`sft` must be above 0, not -1", ""),
        ("{loss: {}}", "SG105", 13, "`loss` must be at least 1 item long", ""),
        ("{loss: {sft: a}}", "SG103", 19, "`sft` must be a number, not text", ""),
        (
            "{loss: exo_pair}",
            "SG107",
            7,
            "`exo_pair` needs `label_smoothing` above 0: without it the loss is infinite",
            "label_smoothing: 0.001",
        ),
        (
            "{loss: {ipo: 1, sft: 1}, label_smoothing: 0.1}",
            "SG107",
            31,
            "`label_smoothing` is for the losses sigmoid, robust, exo_pair, not `ipo` and `sft`",
            "remove it",
        ),
        (
            "{loss: robust, discopop_tau: 0.1}",
            "SG107",
            21,
            "`discopop_tau` is for `loss: discopop`, not `robust`",
            "remove it",
        ),
        (
            "{steps: 9, reference: {every: 9}}",
            "SG107",
            29,
            "the reference moves after 9 steps, but `steps` is 9: no step would see it",
            "take more `steps`",
        ),
        (
            "{loss: sft, reference: {every: 9}}",
            "SG107",
            18,
            "`reference` moves what a loss compares with, and `sft` compares with nothing",
            "remove it",
        ),
        ("{reference: {every: 9, mix: 1.5}}", "SG105", 34, "`mix` must be 1 or less, not 1.5", ""),
        ("{reference: {mix: 1}}", "SG102", 7, "`reference` needs the key `every`", ""),
    ],
)
def test_what_is_refused(written: str, code: str, column: int, said: str, help: str) -> None:
    with pytest.raises(GraphError) as caught:
        fit(written)
    (found,) = caught.value.diagnostics
    assert (found.code, found.message) == (code, said)
    assert found.span is not None
    assert (found.span.line, found.span.column) == (8, column)
    assert help in (found.help or "")
