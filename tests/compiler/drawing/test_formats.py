"""The formats as files: their bytes, what they need installed, and what notebooks show."""

import os
import subprocess
import sys

import pytest

from sysgraph_compiler.drawing import FORMATS, MissingExtraError, diagram, render
from sysgraph_compiler.drawing.picture import picture
from sysgraph_schemas import Graph, load

from .samples import ROOT, program

TEXTS = (".svg", ".html", ".mmd", ".dot")


def test_the_same_bytes_in_every_process() -> None:
    pytest.importorskip("resvg_py")
    pytest.importorskip("svg2pdf_py")
    code = (
        "import sys, hashlib\n"
        "from sysgraph_compiler import Program\n"
        "from sysgraph_compiler.drawing import FORMATS, render\n"
        "program = Program.from_json(sys.stdin.read())\n"
        "for suffix in FORMATS:\n"
        "    print(suffix, hashlib.sha256(render(program, suffix)).hexdigest())\n"
    )
    found = {
        subprocess.run(
            [sys.executable, "-c", code],
            input=program("fan").to_json(),
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        ).stdout
        for seed in ("0", "1", "2")
    }
    assert len(found) == 1
    assert len(found.pop().splitlines()) == len(FORMATS)


def test_png_and_pdf() -> None:
    pytest.importorskip("resvg_py")
    pytest.importorskip("svg2pdf_py")
    png = render(program("moa"), ".png")
    made = picture(diagram(program("moa")))
    assert png.startswith(b"\x89PNG")
    wide, high = (int.from_bytes(png[at : at + 4], "big") for at in (16, 20))
    assert wide == pytest.approx(2 * made.width, abs=2)
    assert high == pytest.approx(2 * made.height, abs=2)
    assert render(program("moa"), ".pdf").startswith(b"%PDF-1.")


@pytest.mark.parametrize(("suffix", "package"), [(".png", "resvg_py"), (".pdf", "svg2pdf_py")])
def test_a_missing_extra_is_named(
    suffix: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError, match=r"sysgraph\[draw\]"):
        render(program("moa"), suffix)
    assert all(render(program("moa"), text) for text in TEXTS)


def test_every_format_is_covered_here() -> None:
    assert set(FORMATS) == {*TEXTS, ".png", ".pdf"}


def test_notebooks_show_the_picture() -> None:
    source = program("moa")
    shown = source._repr_mimebundle_(include=None, exclude=None)
    assert shown == {"image/svg+xml": render(source, ".svg").decode(), "text/plain": str(source)}
    graph = load(ROOT / "graphs" / "moa.yaml")
    assert graph._repr_mimebundle_()["image/svg+xml"] == shown["image/svg+xml"]


def test_a_broken_graph_shows_what_is_wrong() -> None:
    graph = Graph.model_validate(
        {"name": "g", "models": {}, "nodes": {"q": {"kind": "input"}}, "edges": ["q -> z"]}
        | {"outputs": ["z"]}
    )
    shown = graph._repr_mimebundle_()
    assert set(shown) == {"text/plain"}
    assert "error[SG" in shown["text/plain"]
