"""LaTeX: escaped, balanced, and what a paper would write."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

import sysgraph_compiler
from sysgraph_compiler import Observation, Program, emit_latex
from sysgraph_schemas import load

from .drawing.samples import KINDS
from .emitted import ODD, TWO_KEYS, kinds, programs
from .test_objective import moa


def test_latex_of_gates_loops_elements_and_bounds() -> None:
    text = emit_latex(kinds(KINDS))
    for part in (
        r"\mathbf{1}[\text{route} = \text{math}] \, \log p_{\theta_{\text{ada}}}(\text{sum}",
        r"\text{route} \in \{\text{code, with tests}, \text{none}\}",
        r"\sum_{t=1}^{3} \Bigl[ \log p_{\theta_{\text{ada}}}(\text{draft}_{t} \mid \text{best}, "
        r"\text{critique}_{t-1}, \text{draft}_{t-1})",
        r"(\text{critique}_{\text{facts},t} \mid \text{draft}_{t}) \Bigr]",
        r"\text{critique}_{0} = \text{draft}_{0} &= \varnothing",
        r"\sum_{i=1}^{|\text{captions}|} \log p_{\theta_{\text{painter}}}(\text{image}_{i} "
        r"\mid \text{captions}_{i})",
        r"\bigl[ 2500 (-\ell_\theta + \ell_{\mathrm{ref}}) \bigr]",
    ):
        assert part in text
    short = emit_latex(kinds(KINDS, Observation(), "loops.refine.repeat=1"))
    assert r"\sum_{t=1}" not in short
    assert r"(\text{draft}_{1} \mid \text{best})" in short
    two = emit_latex(kinds(TWO_KEYS))
    assert (
        r"\sum_{i_{1} \in \{\text{a}, \text{b}\}} \sum_{i_{2}=1}^{|\text{items}|} "
        r"\log p_{\theta_{i_{1}}}(\text{d}_{i_{1},i_{2}} \mid \text{items})"
    ) in two


@pytest.mark.parametrize("program", programs())
def test_latex_is_balanced_and_escaped(program: Program) -> None:
    text = emit_latex(program)
    bare = re.sub(r"\\[\\{}$&#_%]|^%.*", "", text, flags=re.MULTILINE)
    assert bare.count("{") == bare.count("}")
    assert bare.count("&") == len(text.split(" \\\\\n"))
    assert not re.search(r"[$#%~]|\\text\{[^}]*_", bare)
    assert text.count("\\Bigl") == text.count("\\Bigr")


def test_latex_of_groups() -> None:
    text = emit_latex(sysgraph_compiler.compile(load(ODD)))
    assert r"\sum_{i \in \{\text{1}, \text{2}, \dots, \text{8}\}} \log p_{\text{b}}" in text
    assert r"\log p_{\theta_{\text{a\_1}}}(\text{f}_{\text{a\_1}} \mid \text{e})" in text
    sampled = emit_latex(moa(Observation(("draft", "answer"))))
    assert r"\log \sum_{a=1}^{k} \exp \Bigl[ \log p_{\theta_{\text{ada}}}" in sampled
    assert r"\text{revision}^{(a)}" in sampled


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs pdflatex")
def test_latex_compiles(tmp_path: Path) -> None:
    body = "\n".join(map(emit_latex, programs()))
    head = "\\documentclass{article}\\usepackage{amsmath, amssymb}\\begin{document}\n"
    (tmp_path / "t.tex").write_text(f"{head}{body}\\end{{document}}\n", encoding="utf-8")
    done = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "t.tex"],
        *(),
        cwd=tmp_path,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:]
