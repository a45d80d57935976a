"""What `compile` says of a program: terms, objective, and what is computed when."""

import re

import pytest

import sysgraph_compiler
from sysgraph_compiler import Observation, emit_latex
from sysgraph_schemas import load

from .drawing.samples import KINDS
from .emitted import SAMPLING, kinds
from .test_objective import moa


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
        (
            "{preset: flow_dpo}",
            "is replaced by what bounds no log p: 2500 * [ -l(model) + l(ref) ], l = mean of (v - ",
            r"z_\sigma &= (1 - \sigma) z + \sigma \epsilon, \quad \operatorname{logit}",
        ),
        (
            "{preset: flow_dpo, weight: ddpm, reduction: sum, scale: 2, sigmas: uniform}",
            "a bound: 1 * [ -l(model) + l(ref) ], l = (1 - sigma) / sigma * sum of (v - v_model",
            r"\ell_m &= \tfrac{1 - \sigma}{\sigma} \lVert (\epsilon - z) - v_m",
        ),
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


def test_text_says_of_each_image_what_its_model_is_given() -> None:
    graph = """
    name: drawn and edited
    models: {hand: {kind: diffusion, id: a}, editor: {kind: diffusion, id: b}}
    nodes:
      wish: {kind: input}
      one: {kind: diffusion, model: hand, prompt: "{{ wish }}"}
      two: {kind: diffusion, model: editor, prompt: "{{ one }} {{ wish }}"}
    edges: [wish -> one, "one, wish -> two"]
    outputs: [two]
    """
    found = "\n".join(rows(str(sysgraph_compiler.compile(load(graph))), "objective"))
    of_one, of_two = found.split("log p/p_ref of ")[1:]
    assert of_one.startswith("one is replaced")
    assert of_one.strip().endswith("own caption")
    assert of_two.startswith("two is replaced")
    assert "own picture and instruction" in of_two
