"""Sampling a part of more rows gives the traces that all of them together give."""

import sysgraph
from sysgraph.system import occurrences_of

GRAPH = """
sysgraph: 1
name: letters
models:
  t: {kind: table, values: [a, b, c, d, e, f, g, h]}
nodes:
  x: {kind: input}
  y: {kind: lm, model: t, prompt: "{{ x }}"}
edges: [x -> y]
outputs: [y]
"""


def test_equal_inputs_in_several_parts_are_told_apart() -> None:
    program = sysgraph.compile(sysgraph.load(GRAPH))
    system = sysgraph.System(program)
    rows = [{"x": x} for x in "ppqpqp"]
    occurrences = occurrences_of(program, rows)
    assert occurrences == [0, 1, 0, 2, 1, 3]
    whole = system.sample(rows, n=6, seed=3)
    for part in (slice(0, None, 2), slice(1, None, 2), slice(2, 5)):
        sampled = system.sample(rows[part], n=6, seed=3, occurrences=occurrences[part])
        expected = [whole[6 * i : 6 * i + 6] for i in range(len(rows))][part]
        assert sampled == [trace for several in expected for trace in several]
    of_p = [tuple(t["y"] for t in whole[6 * i : 6 * i + 6]) for i in (0, 1, 3, 5)]
    assert len(set(of_p)) == 4
