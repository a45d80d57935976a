"""The examples of `sysgraph explain`: a wrong one gives its code, a right one gives no error.

Examples are parts of a graph, or options of a command. They are put into a whole graph here:
entries of `models`, `parsers` and `nodes` beside those of the base, edges in place of those to the
same node, other sections in place of the base's own. An entry alone goes where its kind belongs.
"""

import re
import shlex
import tempfile
from pathlib import Path
from typing import get_args

import pytest

from sysgraph_compiler.pipeline import CODES
from sysgraph_schemas import Code, Diagnostic, ModelSpec, ParserSpec
from sysgraph_schemas.diagnostics import has_errors

from .test_golden import diagnosed, with_files

BASE = {
    "name": ["name: example"],
    "models": ["models:", "  ada: {kind: causal_lm, id: gpt2}"],
    "parsers": [],
    "nodes": [
        "nodes:",
        "  question: {kind: input}",
        '  draft: {kind: lm, model: ada, prompt: "{{ question }}"}',
        '  answer: {kind: lm, model: ada, prompt: "{{ question }} {{ draft | length }}"}',
    ],
    "edges": ["edges:", "  - question -> draft", "  - question, draft -> answer"],
    "outputs": ["outputs: [answer]"],
}
OPTIONS = """\
parsers:
  words: {kind: split}
nodes:
  items: {kind: parse, parser: words}
  answer: {kind: lm, model: ada, prompt: "{{ question }} {{ items | join }}"}
edges:
  - draft -> items
  - question, items -> answer
"""
MERGED = ("models", "parsers", "nodes")


def sections(text: str) -> dict[str, list[str]]:
    """Lines by top-level key."""
    found: dict[str, list[str]] = {}
    key = ""
    for line in text.rstrip("\n").split("\n"):
        start = re.match(r"(\w+):", line)
        key = start[1] if start else key
        found.setdefault(key, []).append(line)
    return found


def entries(lines: list[str]) -> dict[str, list[str]]:
    """The lines of a section by entry: `  ada: {...}` and what is indented below it."""
    return sections("\n".join(line.removeprefix("  ") for line in lines[1:]))


def section_of(example: str) -> str:
    """Where an entry without a section belongs."""
    kind = re.search(r"kind: (\w+)", example)
    for section, spec in (("models", ModelSpec), ("parsers", ParserSpec)):
        kinds = [member.model_fields["kind"].default for member in get_args(get_args(spec)[0])]
        if kind and kind[1] in kinds:
            return section
    return "nodes"


def edges(mine: list[str]) -> list[str]:
    """The example's edges, and the base's to other nodes."""
    children = {child.strip() for line in mine[1:] for child in line.split("->")[-1].split(",")}
    kept = [line for line in BASE["edges"] if line.split("->")[-1].strip() not in children]
    return [*kept, *mine[1:]]


def whole(example: str) -> str:
    """A graph file with the example in it."""
    if re.match(
        r"(?!name|sysgraph|description|fit|edges|outputs|models|parsers|nodes|loops|base|vars)\w+:",
        example,
    ):
        head, brace, tail = example.partition("\nedges:")
        body = "\n".join("  " + line for line in head.rstrip("\n").split("\n"))
        example = f"{section_of(example)}:\n{body}{brace}{tail}"
    given = sections(example)
    graph = {**BASE, **{key: lines for key, lines in given.items() if key not in MERGED}}
    graph["edges"] = edges(given["edges"]) if "edges" in given else BASE["edges"]
    for section in MERGED:
        mine = entries(given[section]) if section in given else {}
        theirs = entries(BASE[section]) if BASE[section] else {}
        merged = {**{k: v for k, v in theirs.items() if k not in mine}, **mine}
        body = ["  " + line for lines in merged.values() for line in lines]
        graph[section] = [f"{section}:", *body] if body else []
    return "\n".join(line for lines in graph.values() for line in lines) + "\n"


def found(example: str) -> tuple[Diagnostic, ...]:
    if example.startswith("sysgraph check "):
        return diagnosed(example.split()[-1], [])
    example = example.replace('"..."', f'"{"x" * 100_001}"')
    if example.startswith("--"):
        return diagnosed(whole(OPTIONS), shlex.split(example))
    if re.search(r"\b(base|use|file):", example):
        with tempfile.TemporaryDirectory() as folder:
            path = with_files(Path(folder)) / "example.yaml"
            path.write_text(whole(example), encoding="utf-8")
            return diagnosed(path, [])
    return diagnosed(whole(example), [])


@pytest.mark.parametrize("code", CODES, ids=lambda code: code.id)
def test_wrong_gives_the_code(code: Code) -> None:
    assert code.id in {diagnostic.code for diagnostic in found(code.wrong)}


@pytest.mark.parametrize("code", CODES, ids=lambda code: code.id)
def test_right_is_right(code: Code) -> None:
    problems = found(code.right)
    assert not has_errors(problems), problems
    assert code.id not in {diagnostic.code for diagnostic in problems}
