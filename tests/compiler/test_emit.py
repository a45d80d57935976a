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

from .drawing.samples import KINDS, ODD_GATES
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
TWO_KEYS = """
models: {a: {kind: table, values: [x]}, b: {kind: table, values: [y]}}
parsers: {lines: {kind: lines, max_items: 9, on_failure: reject}}
nodes:
  q: {kind: input}
  t: {kind: lm, model: a, prompt: "{{ q }}"}
  items: {kind: parse, parser: lines}
  d:
    kind: lm
    for_each: {who: [a, b], item: items}
    model: "{{ who }}"
    prompt: "{{ item }}{% for one in items %}{{ one }}{% endfor %}"
  e: {kind: lm, model: a, prompt: "{{ q }} {{ d | join }}"}
  f: {kind: lm, model: a, prompt: "{{ q }}"}
edges: [q -> t, t -> items, items -> d, "q, d -> e", q -> f]
outputs: [e, f]
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
        moa(SAMPLING, "fit.sampling.sampler=ancestral", "fit.sampling.estimator=importance"),
        *(kinds(KINDS), kinds(ODD_GATES), kinds(ODD_GATES, SAMPLING)),
        *(kinds(KINDS, Observation(), "loops.refine.repeat=2"), kinds(TWO_KEYS)),
    ]


def kinds(text: str, observation: Observation = Observation(), *overrides: str) -> Program:  # noqa: B008
    return sysgraph_compiler.compile(load(f"name: g\n{text}", overrides), observation)


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
    assert (
        "a: 2 distinct joint trajectories of revision[*], by diverse beam search (penalty 10);"
        in text
    )
    assert "from the current policy given x, redrawn every step;" in text


def test_the_objective_says_how_trajectories_are_drawn() -> None:
    ancestral = ("fit.sampling.sampler=ancestral", "fit.sampling.k=8")
    text = str(moa(SAMPLING, *ancestral, "fit.sampling.redraw_every=5"))
    assert "a: 8 distinct joint trajectories of draft[*], revision[*], drawn one by one;" in text
    assert "redrawn every 5 steps" in text
    importance = moa(SAMPLING, *ancestral, "fit.sampling.estimator=importance")
    text = str(importance)
    assert "logmeanexp_a [ log p_ada(draft[ada] | question)" in text
    assert "log p_judge(answer | question, revision[*]) - log q(a) ]" in text
    assert "q: the probability with which a was drawn, held constant" in text
    latex = emit_latex(importance)
    assert r"\log \frac{1}{k} \sum_{a=1}^{k} \exp \Bigl[" in latex
    assert r"\text{revision}^{(a)}) - \log q(y^{(a)}) \Bigr]" in latex
    text = str(moa(SAMPLING, "fit.sampling.sampler=contrastive"))
    assert "of 4 diverse beams (penalty 10): those under which chosen is likeliest" in text


def test_nothing_is_promised_where_nothing_trains() -> None:
    text = str(moa(Observation(), *(f"models.{m}.train=frozen" for m in ("ada", "bo", "cy"))))
    assert "over 1 trained term\n" in text
    frozen = [f"models.{m}.train=frozen" for m in ("ada", "bo", "cy", "judge")]
    assert "nothing is trained" in str(moa(Observation(), *frozen))
    assert "computed in training" not in str(moa(SAMPLING, *frozen))


def test_a_loop_whose_nodes_differ_has_each_term_once() -> None:
    """`a` is observed and stands before Sampling's sum, `b` is not and stands in it."""
    text = """
models: {m: {kind: table, values: [x]}}
nodes:
  q: {kind: input}
  a: {kind: lm, model: m, prompt: "{{ q }} {{ a }}"}
  b: {kind: lm, model: m, prompt: "{{ q }} {{ b }}"}
  z: {kind: lm, model: m, prompt: "{{ a }} {{ b }}"}
edges: ["q -> a, b", "a, b -> z"]
loops: {l: {repeat: 3, nodes: [a, b], carry: [a -> a, b -> b]}}
outputs: [z]
"""
    latex = emit_latex(kinds(text, Observation(("a", "z"))))
    one = r"\log p_{\theta_{\text{m}}}(\text{a}_{t} \mid \text{q}, \text{a}_{t-1})"
    other = r"\log p_{\theta_{\text{m}}}(\text{b}_{t}^{(a)} \mid \text{q}, \text{b}_{t-1}^{(a)})"
    assert latex.count(rf"&= \sum_{{t=1}}^{{3}} {one}") == latex.count(one) == 1
    assert latex.count(rf"\exp \Bigl[ \sum_{{t=1}}^{{3}} {other}") == latex.count(other) == 1


def rows(text: str, section: str) -> list[str]:
    """The lines of a section, without what aligns them."""
    found = text.split(f"\n{section}\n")[1].split("\n\n")[0]
    return [re.sub(r"  +", "  ", line.strip()) for line in found.splitlines()]


def test_text_says_how_each_value_comes_about_and_where() -> None:
    text = str(kinds(KINDS))
    found = rows(text, "variables")
    for row in (
        "route  choice  chosen among math, code, with tests, none by pick from task",
        "sum  text  generated from task  when route = math",
        "code  text  generated from task  when route = code, with tests or none",
        "value  text  computed by tool calculate from sum  when route = math",
        "best  text  the first of value, code that ran",
        "draft[2]  text  generated from best, critique[*,1], draft[1]  turn 2 of 3 of refine",
        "captions  list[text]  parsed by captions from draft[3]",
        "image[1]  image  drawn from captions  caption = element 1 of captions; output",
    ):
        assert row in found
    assert any(row.endswith("element 5 of captions; when |captions| >= 5; output") for row in found)
    terms = rows(text, "terms, by model")
    assert "log p_ada(sum | task)  (gated)" in terms
    assert "log p_painter(image[1] | captions)" in terms
    assert "painter: diffusion painter (trained, lora, a bound on log p; 5 terms)" in terms
    assert "+ [route = math] log p_ada(sum | task)" in rows(text, "factorization")
    objective = "\n".join(rows(text, "objective"))
    assert "[...] is 1 where it holds; elsewhere the variable does not exist" in objective
    assert (
        "log p/p_ref of image[*] is replaced by a bound:\n2500 * [ -l(model) + l(ref) ]"
        in objective
    )
    cost = rows(text, "computed in training")
    assert cost[cost.index("log p_ref, every step: 1 call") + 1] == "painter: image[*]"


def test_what_does_not_occur_is_not_explained() -> None:
    text = str(moa(Observation()))
    assert "[...]" not in text
    assert "bound" not in text
    assert "gated" not in text


def test_a_choice_that_the_prompt_reads_stays_a_parent() -> None:
    read = KINDS.replace('code: {kind: lm, model: ada, prompt: "', "code: {kind: lm, model: ada, ")
    read = read.replace('model: ada, {{ task }}"', 'model: ada, prompt: "{{ task }} {{ route }}"')
    assert "[route = code, with tests or none] log p_ada(code | task, route)" in str(kinds(read))


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


@pytest.mark.parametrize(
    ("objective", "said", "written"),
    [
        (
            "{}",
            "2500 * [ -l(model) + l(ref) ], l = mean of (eps",
            r"\ell_m &= \tfrac{1}{\dim z} \l",
        ),
        ("{preset: diffusers, scale: 500, draws: 4}", "500 * [ -l(model)", r"\bigl[ 500 (-"),
        (
            "{preset: derivation}",
            "T * [ -l(model) + l(ref) ], l = w_t * sum of (eps",
            r"\bigl[ T (-",
        ),
        ("{preset: derivation, weight: constant}", "], l = sum of (eps", r"\ell_m &= \lVert"),
        ("{weight: ddpm}", "l = w_t * mean of (eps", r"\ell_m &= w_\tau \tfrac{1}{\dim z} \l"),
    ],
)
def test_a_bound_is_written_as_it_is_computed(objective: str, said: str, written: str) -> None:
    program = kinds(KINDS, Observation(), f"models.painter.objective={objective}", "fit.anchor=0.3")
    text = " ".join(str(program).split())
    assert said in text
    assert ("mean of 4 draws of (t, eps)" in text) == ("draws" in objective)
    latex = emit_latex(program)
    assert written in latex
    assert r"\frac{0.3}{|s^w|} \log p_\theta(s^w \setminus \{\text{image}\} \mid x)" in latex


@pytest.mark.parametrize("text", [ODD, f"name: g\n{KINDS}", f"name: g\n{ODD_GATES}"])
@pytest.mark.parametrize("name", [name for name, _ in PASSES])
def test_a_program_after_any_pass_is_a_program(name: str, text: str) -> None:
    graph = load(text)
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
