"""Every notebook runs from its first cell to its last, and what cells end with shows itself."""

import ast
import json
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

_SHOWS = ("_repr_mimebundle_", "_repr_html_", "_repr_svg_")


@pytest.mark.parametrize("file", sorted(ROOT.glob("examples/*.ipynb")), ids=lambda f: f.name)
def test_a_notebook(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    names: dict[str, object] = {}
    shown = []
    for cell in json.loads(file.read_text(encoding="utf-8"))["cells"]:
        if cell["cell_type"] != "code":
            continue
        assert not cell["outputs"], "outputs are not kept: they differ with every run"
        tree = ast.parse("".join(cell["source"]))
        last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
        exec(compile(tree, file.name, "exec"), names)
        if isinstance(last, ast.Expr):
            value = eval(compile(ast.Expression(last.value), file.name, "eval"), names)
            shows = next(
                (s for name in _SHOWS if (s := getattr(value, name, None))), value.__repr__
            )
            shown.append(str(shows()))
    assert sum("<svg" in text for text in shown) >= 2
    assert sum("<table" in text for text in shown) >= 2
