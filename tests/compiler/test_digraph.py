"""Orders, ways and tangles of directed graphs, against networkx."""

from collections.abc import Sequence

import networkx as nx
from hypothesis import given, settings
from hypothesis import strategies as st

from sysgraph_compiler.digraph import Digraph

Pairs = Sequence[tuple[int, int]]

nodes = st.integers(0, 6)
pairs = st.lists(st.tuples(nodes, nodes), max_size=14)


@settings(max_examples=200, deadline=None)
@given(pairs)
def test_any_graph(edges: Pairs) -> None:
    ours, theirs = Digraph(range(7), edges), _networkx(edges)
    for node in range(7):
        assert set(ours.below(node)) == nx.descendants(theirs, node)
        assert set(ours.above(node)) == nx.ancestors(theirs, node)
        assert list(ours.children(node)) == list(theirs.successors(node))
        assert list(ours.parents(node)) == list(theirs.predecessors(node))
        for other in {node, *ours.below(node)}:
            way = ours.way(node, other)
            assert nx.is_path(theirs, way)
            assert len(way) == nx.shortest_path_length(theirs, node, other) + 1
    assert ours.has_circle is not nx.is_directed_acyclic_graph(theirs)
    tangles = {frozenset(tangle) for tangle in nx.strongly_connected_components(theirs)}
    assert sorted(map(sorted, ours.tangles())) == sorted(map(sorted, tangles))


@settings(max_examples=100, deadline=None)
@given(pairs, st.permutations(range(7)))
def test_orders_of_a_dag(edges: Pairs, rank: Sequence[int]) -> None:
    forward = [pair for pair in edges if pair[0] < pair[1]]
    ours, theirs = Digraph(range(7), forward), _networkx(forward)
    place = {node: at for at, node in enumerate(ours.order())}
    assert sorted(place) == list(range(7))
    assert all(place[parent] < place[child] for parent, child in forward)
    by_rank = nx.lexicographical_topological_sort(theirs, key=rank.__getitem__)
    assert list(ours.order_by(rank.__getitem__)) == list(by_rank)


@settings(max_examples=100, deadline=None)
@given(pairs, st.sets(nodes), st.sets(st.tuples(nodes, nodes)))
def test_part(edges: Pairs, kept: set[int], without: set[tuple[int, int]]) -> None:
    part = Digraph(range(7), edges).part(kept, without)
    theirs = nx.DiGraph(_networkx(edges).subgraph(kept))
    theirs.remove_edges_from(without)
    assert list(part) == sorted(kept)
    assert {(one, other) for one in part for other in part.children(one)} == set(theirs.edges)
    assert all(part.has_edge(one, other) for one, other in theirs.edges)


def _networkx(edges: Pairs) -> "nx.DiGraph[int]":
    graph: nx.DiGraph[int] = nx.DiGraph()
    graph.add_nodes_from(range(7))
    graph.add_edges_from(edges)
    return graph
