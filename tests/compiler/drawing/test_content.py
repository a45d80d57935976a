"""What a drawing holds: every node, edge, gate and loop, and a legend of what occurs."""

import re

import pytest

from sysgraph_compiler import Program
from sysgraph_compiler.drawing import diagram, render
from sysgraph_compiler.drawing.picture import picture
from sysgraph_compiler.drawing.spec import PAIRED

from .parsed import SVG, svg
from .samples import NAMES, program


def edges(source: Program) -> set[tuple[str, str]]:
    """The edges between nodes, straight from the variables."""
    owner = {v.name: v.node for v in source.variables}
    return {(owner[p], v.node) for v in source.variables for p in v.parents}


@pytest.mark.parametrize("name", NAMES)
def test_every_node_and_edge_is_there(name: str) -> None:
    source = program(name)
    drawing = diagram(source)
    members = [node for box in drawing.boxes for node in box.nodes]
    assert sorted(members) == sorted({v.node for v in source.variables})
    home = {node: box.id for box in drawing.boxes for node in box.nodes}
    loops = {v.node for v in source.variables if v.turn}
    wanted = {
        (home[a], home[b]) for a, b in edges(source) if home[a] != home[b] or a in loops & {b}
    }
    assert {(link.source, link.target) for link in drawing.links} == wanted
    assert {(p, n.name) for n in drawing.nodes for p in n.parents} == edges(source)
    outputs = {v.node for v in source.variables if v.name in source.outputs}
    assert {n.name for n in drawing.nodes if n.output} == outputs
    assert {b.id for b in drawing.boxes if b.output} == {home[n] for n in outputs}


@pytest.mark.parametrize("name", NAMES)
def test_every_format_has_every_arrow(name: str) -> None:
    source = program(name)
    wanted = sorted((k.source, k.target) for k in diagram(source).links)
    root = svg(source)
    found = [(g.get("data-from"), g.get("data-to")) for g in root.iter(f"{SVG}g")]
    assert sorted(pair for pair in found if pair[0]) == wanted
    mermaid = render(source, ".mmd").decode()
    arrows = re.findall(
        r'^  (n\d+) (?:-->|-\.->|==>)(?:\|"[^"]+"\|)? (n\d+)$', mermaid, re.MULTILINE
    )
    assert sorted(arrows) == wanted
    dot = render(source, ".dot").decode()
    assert sorted(re.findall(r"^  (n\d+) -> (n\d+)", dot, re.MULTILINE)) == wanted


def test_gates_and_loops_are_arrows_of_their_own() -> None:
    drawing = diagram(program("kinds"))
    title = {box.id: box.title for box in drawing.boxes}
    found = {(title[k.source], title[k.target], k.kind): k.label for k in drawing.links}
    gates = {key[:2]: label for key, label in found.items() if key[2] == "gate"}
    assert gates == {("route", "sum"): "math", ("route", "code"): "code, with tests or none"}
    carried = {key[:2]: label for key, label in found.items() if key[2] == "next"}
    label = "refine · next turn"
    assert carried == {("critique", "draft"): label, ("draft", "draft"): label}
    boxes = {box.title: box for box in drawing.boxes}
    assert {name: box.turns for name, box in boxes.items() if box.turns} == {
        "draft": "3",
        "critique": "3",
    }
    assert (boxes["draft"].stacked, boxes["critique"].badge) == (False, "×2")
    assert (boxes["image"].badge, boxes["image"].items) == ("×≤5", "one per caption, up to 5")
    by_copy = diagram(program("odd_gates"))
    assert [link.label for link in by_copy.links if link.kind == "gate"] == ["by copy"]
    assert not any(link.label == PAIRED for link in by_copy.links)


def test_mermaid_and_dot_show_gates_and_loops() -> None:
    drawing = diagram(program("kinds"))
    at = {box.title: box.id for box in drawing.boxes}
    mermaid, dot = (render(program("kinds"), suffix).decode() for suffix in (".mmd", ".dot"))
    assert f'  {at["route"]} -.->|"math"| {at["sum"]}\n' in mermaid
    assert f'  {at["draft"]} ==>|"refine · next turn"| {at["draft"]}\n' in mermaid
    assert f'  {at["route"]}{{{{"route<br/>choice' in mermaid
    assert '"draft ⟳ ×3<br/>' in mermaid
    assert f'  {at["route"]} -> {at["sum"]} [label="math", style=dashed' in dot
    assert f'  {at["critique"]} -> {at["draft"]} [label="refine · next turn", style=dotted' in dot
    assert "shape=hexagon" in dot


@pytest.mark.parametrize("name", ["moa", "fan", "kinds", "odd_gates"])
def test_the_legend_explains_what_occurs_and_nothing_else(name: str) -> None:
    made = picture(diagram(program(name)))
    drawing, key = made.diagram, made.legend
    said = " ".join(text.text for text in key.texts)
    kinds = {link.kind for link in drawing.links}
    assert {arrow.kind for arrow in key.arrows} == kinds - {"value"}
    assert bool(key.icons) == any(box.turns for box in drawing.boxes)
    shapes = {box.shape for box in drawing.boxes}
    assert {sample.shape for sample in key.samples} - {"box"} == shapes - {"box"}
    roles = {box.role for box in drawing.boxes if box.role != "deterministic"}
    assert roles <= {sample.role for sample in key.samples}
    assert ("several" in said) == any(box.stacked for box in drawing.boxes)


def test_a_stack_says_what_is_in_it() -> None:
    drawing = diagram(program("fan"))
    paper, review, critique, score, verdict = (
        next(box for box in drawing.boxes if box.title == title)
        for title in ("paper", "review", "critique", "score", "verdict")
    )
    roles = [box.role for box in (paper, review, critique, score, verdict)]
    assert roles == ["input", "trained", "mixed", "deterministic", "frozen"]
    assert (review.badge, review.items, review.models) == ("×3", "of: x, y, z", ("m",))
    assert (critique.badge, critique.items, critique.models) == ("×2", "", ("m", "f"))
    paired = {(k.source, k.target) for k in drawing.links if k.label == PAIRED}
    assert paired == {(review.id, score.id)}
    terms = [copy.term for copy in drawing.by_name["critique"].copies]
    assert terms == ["log p_m(critique[m] | review[*])", "log p_f(critique[f] | review[*])"]
    assert drawing.by_name["score"].copies[1].term == "log p(score[y] | review[y]) = 0"
    shown = render(program("fan"), ".svg").decode()
    for word in ("input", "trained", "mixed", "parser", "frozen", "output", "several"):
        assert re.search(rf'<g class="sg-legend">.*>{word}[^<]*</text>', shown, re.DOTALL)


@pytest.mark.parametrize("name", NAMES)
def test_pictures_can_be_read_or_say_what_they_folded(name: str) -> None:
    source = program(name)
    made = picture(diagram(source))
    count = len({v.node for v in source.variables})
    if len(made.diagram.boxes) == count:
        assert not made.diagram.note
    else:
        said = f"{count} nodes drawn as {len(made.diagram.boxes)} boxes"
        assert made.diagram.note.startswith(said)
        assert said in " ".join(text.text for text in made.heading)
    assert len(made.diagram.boxes) <= 60
    assert count > 30 or len(made.diagram.boxes) == count
