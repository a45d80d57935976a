"""What a base in 4 bits would take, against one that is loaded."""

import json

import sysgraph
from sysgraph import System

GRAPH = {
    "name": "test",
    "models": {
        "ada": {
            "kind": "causal_lm",
            "id": "toy:specialist-color",
            "load_in": "4bit",
            "dtype": "float32",
        }
    },
    "nodes": {
        "question": {"kind": "input"},
        "answer": {"kind": "lm", "model": "ada", "prompt": "{{ question }}"},
    },
    "edges": ["question -> answer"],
    "outputs": ["answer"],
    "fit": {"batch_size": 2, "eval_fraction": 0},
}


def test_a_base_in_4_bits() -> None:
    graph = sysgraph.load(json.dumps(GRAPH))
    rows = [
        {"prompt": f"question {i}", "chosen": "a blue bird", "rejected": "a bird"} for i in range(2)
    ]
    found = sysgraph.forecast(graph, data=rows, device="cpu")
    (foreseen,) = found.bases
    (base,) = System(sysgraph.compile(graph), device="cpu").bases()
    assert foreseen.parameters == base.parameters
    assert foreseen.dtype == base.dtype == "4bit"
    # Each weight describes itself besides: its 16 numbers, and its shape as a text.
    assert 0.8 * base.size < foreseen.size <= base.size
    assert found.step.passes > 0
    assert found.step.activations > 0
