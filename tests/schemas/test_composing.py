"""`vars`, `base` and texts from files: what a file says with them, written out."""

import json
from pathlib import Path

import pytest
from jsonschema import Draft7Validator

from sysgraph_schemas import CausalLM, GraphError, LMNode, dump, load, read
from sysgraph_schemas.json_schema import FILE
from sysgraph_schemas.source import Source
from sysgraph_schemas.yaml_reader import read_yaml

BASE = """
name: base
description: costs $${price}, or ${{ price }}
vars: {style: short, beta: 0.1, agents: [ada, bo], on: true, prompt: draft}
models:
  ada: {kind: causal_lm, id: gpt2, temperature: 0.5, lora: {r: 4, alpha: 8}}
  bo: {kind: causal_lm, id: gpt2}
nodes:
  question: {kind: input}
  draft:
    kind: lm
    for_each: {agent: "${agents}"}
    model: "{{ agent }}"
    prompt: {file: "prompts/${prompt}.txt"}
  answer:
    kind: lm
    model: ada
    messages:
      - {role: system, content: {file: prompts/system.txt}}
      - {role: user, content: "{{ question }} {{ draft | join }} ${beta} ${on}"}
edges: [question -> draft, "question, draft -> answer"]
outputs: [answer]
fit:
  beta: ${beta}
  scorer: exact
"""
OVER = """
base: lib/base.yaml
name: over
vars: {style: long}
models:
  ada: {temperature: 0.25, lora: {r: 2}}
  bo: {kind: table, values: [x]}
fit: {scorer: null, steps: 7}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    files = {
        "lib/base.yaml": BASE,
        "over.yaml": OVER,
        "lib/prompts/draft.txt": "Be ${style}. {{ question }}\n",
        "lib/prompts/plain.txt": "\ufeff{{ question }}\r\n\r\n",
        "lib/prompts/system.txt": "Say $${style}.",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(text.encode())
    return tmp_path


def prompt(path: Path, *overrides: str) -> object:
    node = load(path, overrides).nodes["draft"]
    assert isinstance(node, LMNode)
    return node.prompt


def test_a_file_overlays_its_base(folder: Path) -> None:
    graph = load(folder / "over.yaml")
    ada = graph.models["ada"]
    assert isinstance(ada, CausalLM)
    assert (graph.name, ada.id, ada.temperature) == ("over", "gpt2", 0.25)
    assert (ada.lora.r, ada.lora.alpha) == (2, 8)
    assert graph.models["bo"].outcomes == ("x",)  # of another kind: nothing of the base's is left
    assert (graph.fit.scorer, graph.fit.steps, graph.fit.beta) == (None, 7, 0.1)
    assert load(folder / "lib" / "base.yaml").fit.scorer == "exact"


def test_editors_know_what_files_say(folder: Path) -> None:
    schema = Draft7Validator(json.loads(FILE.read_text(encoding="utf-8")))
    part = "{use: a.yaml, models: own, vars: {x: 1}, when: {route: math}}"
    for text in (BASE, OVER, BASE.replace("{kind: input}", part)):
        schema.validate(read_yaml(Source("f", text))[0].value)
    for text, wrong in (
        (BASE.replace("beta: ${beta}", "beta: beta"), "'beta'"),
        (BASE.replace("{kind: input}", "{use: a.yaml, inputs: [q]}"), "['q']"),
        (BASE.replace("{file: prompts/system.txt}", "{fiel: a}"), "'fiel'"),
        (OVER.replace("vars", "var"), "'var'"),
    ):
        found = list(schema.iter_errors(read_yaml(Source("f", text))[0].value))
        assert any(wrong in error.message for error in found), found


def test_variables_have_the_type_of_their_value(folder: Path) -> None:
    base = folder / "lib" / "base.yaml"
    assert prompt(base) == "Be short. {{ question }}"
    assert prompt(folder / "over.yaml") == "Be long. {{ question }}"
    assert prompt(base, "vars.style=very ${style}") == "Be very ${style}. {{ question }}"
    assert prompt(base, "vars.prompt=plain") == "{{ question }}\n"
    graph = load(base, ["vars.beta=1", "vars.agents=[ada]"])
    answer, draft = graph.nodes["answer"], graph.nodes["draft"]
    assert graph.fit.beta == 1
    assert draft.copies == {"agent": ["ada"]}
    assert answer.templates["messages", 0, "content"] == "Say ${style}."
    assert answer.templates["messages", 1, "content"] == "{{ question }} {{ draft | join }} 1 true"
    assert graph.description == "costs ${price}, or ${{ price }}"
    assert load(dump(graph)) == graph


@pytest.mark.parametrize(
    ("overrides", "code", "said"),
    [
        (["vars.beta=high"], "SG014", "must be a number, as its default is, not text"),
        (["vars.agents=ada"], "SG014", "must be a list"),
        (["vars.on=1"], "SG014", "must be true or false"),
        (["vars.stile=long"], "SG007", "did you mean `style`?"),
        (["vars.prompt=../secret"], "SG009", "has `..` in it"),
        (["nodes.draft.prompt=${stile}"], "SG012", "did you mean `style`?"),
        (["vars.beta=-1"], "SG105", "`beta` must be above 0"),
    ],
)
def test_mistakes_of_the_command_line(
    folder: Path, overrides: list[str], code: str, said: str
) -> None:
    found = read(folder / "lib" / "base.yaml", overrides).diagnostics
    (problem,) = [d for d in found if d.severity == "error"]
    assert problem.code == code
    assert said in f"{problem.message} {problem.help}"


def test_problems_stand_in_the_file_they_are_in(folder: Path) -> None:
    base = folder / "lib" / "base.yaml"
    base.write_text(BASE.replace("gpt2, temperature: 0.5", "gpt2, temprature: 0.5"))
    (folder / "over.yaml").write_text(OVER.replace("steps: 7", "steps: many"))
    places = [(d.code, d.place) for d in read(folder / "over.yaml").diagnostics]
    assert places == [
        ("SG101", f"{base}:6:36"),
        ("SG103", f"{folder}/over.yaml:8:28"),
    ]


def test_a_text_names_no_files(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    for text in (OVER, BASE):
        with pytest.raises(GraphError, match="SG008"):
            load(text)
