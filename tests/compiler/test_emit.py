"""Programs as text, LaTeX and JSON."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from jsonschema import Draft7Validator

import sysgraph_compiler
from sysgraph_compiler import Observation, Program, emit_latex, emit_text
from sysgraph_compiler.json_schema import FILE, as_text, program_schema
from sysgraph_compiler.pipeline import PASSES
from sysgraph_schemas import load

from .test_objective import moa, parsed

ODD = """\
name: "50% & more\\n_x"
models: {a_1: {kind: table, values: [x]}, b: {kind: table, values: [x], train: frozen}}
nodes:
  q_1: {kind: input}
  d:
    kind: lm
    for_each: {who: [a_1, b], n: [1, "$&#%{}~^\\\\<|>_"]}
    model: a_1
    prompt: "{{ q_1 }}"
  e: {kind: lm, for_each: {n: [1, 2, 3, 4, 5, 6, 7, 8]}, model: b, prompt: "{{ d | join }}"}
  f: {kind: lm, for_each: {n: [a_1, b]}, model: "{{ n }}", prompt: "{{ e | join }}"}
edges: [q_1 -> d, d -> e, e -> f]
outputs: [f]
"""
SAMPLING = Observation(None, "sampling")


def programs() -> list[Program]:
    odd = [load(ODD, [f"fit.{fit}"]) for fit in ("loss=hinge", "credit=node", "loss=ipo")]
    return [
        *(moa(Observation()), moa(SAMPLING), moa(Observation(("draft", "answer")))),
        moa(Observation(), "fit.label_smoothing=0.1", "fit.anchor=0"),
        *(sysgraph_compiler.compile(graph) for graph in odd),
        sysgraph_compiler.compile(odd[0], SAMPLING),
        sysgraph_compiler.compile(odd[0], Observation(("e", "f"))),
        sysgraph_compiler.compile(parsed(["last"])),
    ]


def test_direct_says_what_is_computed_when() -> None:
    text = str(moa(Observation(), "models.bo.train=frozen", "models.cy.id=toy:specialist-color"))
    section = text.split("computed in training\n")[1]
    assert section.splitlines() == [
        "  log p, every step: 3 calls",
        "    ada: draft[ada], revision[ada]",
        "    cy: draft[cy], revision[cy]",
        "    judge: answer",
        "  log p_ref, once per round: 2 calls",
        "    ada, cy: draft[ada], revision[ada], draft[cy], revision[cy]",
        "    judge: answer",
        "    (from round 2 on one call a model: each has its own snapshot)",
        "  one base in memory: toy:specialist-color for ada, cy",
        "  one prompt for chosen and rejected: draft[ada], draft[cy]",
        "  never: draft[bo], revision[bo] (frozen: log p - log p_ref = 0)",
        "  equal requests are scored once",
        "  a term cancels on a pair whose sides agree on its value and prompt",
    ]


def test_sampling_names_what_it_sums_over() -> None:
    text = str(moa(Observation(("draft", "answer"))))
    assert "SysDPO-Sampling: summed over revision[*], which data lacks" in text
    lines = [line.strip() for line in text.split("objective\n")[1].splitlines()]
    start = next(i for i, line in enumerate(lines) if line.startswith("log p(z | x)"))
    assert lines[start : start + 7] == [
        "log p(z | x) = log p_ada(draft[ada] | question)",
        "+ log p_bo(draft[bo] | question)",
        "+ log p_cy(draft[cy] | question)",
        "+ logsumexp_a [ log p_ada(revision[ada] | question, draft[*])",
        "+ log p_bo(revision[bo] | question, draft[*])",
        "+ log p_cy(revision[cy] | question, draft[*])",
        "+ log p_judge(answer | question, revision[*]) ]",
    ]
    assert "k distinct joint trajectories of revision[*]" in text


def test_nothing_is_promised_where_nothing_trains() -> None:
    text = str(moa(Observation(), *(f"models.{m}.train=frozen" for m in ("ada", "bo", "cy"))))
    assert "over 1 trained term\n" in text
    frozen = [f"models.{m}.train=frozen" for m in ("ada", "bo", "cy", "judge")]
    assert "nothing is trained" in str(moa(Observation(), *frozen))
    assert "computed in training" not in str(moa(SAMPLING, *frozen))


@pytest.mark.parametrize("name", [name for name, _ in PASSES])
def test_a_program_after_any_pass_is_a_program(name: str) -> None:
    graph = load(ODD)
    program = sysgraph_compiler.compile(graph, until=name)
    assert Program.from_json(program.to_json()) == program
    assert emit_text(program)
    assert emit_latex(program)
    assert (program == sysgraph_compiler.compile(graph)) == (name == PASSES[-1][0])


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


def test_the_schema_of_the_ir_is_up_to_date() -> None:
    """`python -m sysgraph_compiler.json_schema` writes it."""
    assert FILE.read_text(encoding="utf-8") == as_text(program_schema())


@pytest.mark.parametrize("program", programs())
def test_json_is_as_its_schema_says(program: Program) -> None:
    Draft7Validator(program_schema()).validate(json.loads(program.to_json()))
    assert Program.from_json(program.to_json()) == program


def test_every_field_of_the_ir_is_described() -> None:
    schema = program_schema()
    for definition in (schema, *schema["$defs"].values()):
        assert all(field.get("description") for field in definition["properties"].values())
