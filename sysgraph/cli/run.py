"""`sysgraph run`: one pass through the system."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from sysgraph_compiler import Program, Variable
from sysgraph_schemas.suggest import suggestion

from ..errors import InputError
from ..files import component
from ..presence import why_skipped
from ..trace import Trace, by_node, input_names
from .compile import compiled
from .options import Format, GraphFile, ModelDir, Settings


def run(
    graph: GraphFile,
    input: Annotated[
        list[str],
        typer.Option("--input", metavar="NAME=TEXT", help="An input's value; repeatable."),
    ],
    model_dir: ModelDir = None,
    seed: Annotated[int, typer.Option(help="Seed of the sample.")] = 0,
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="DIR",
            help="The folder for the images that are drawn; default runs/NAME-images.",
        ),
    ] = None,
    format: Format = "text",
    settings: Settings = None,
) -> None:
    """Runs the system once on the given inputs; prints every node's value, of an image its file."""
    program = compiled(graph, settings or [])
    inputs = _inputs(program, input)
    if output is not None and all(variable.type != "image" for variable in program.variables):
        raise InputError("--output is for images, and this system draws none")

    from ..system import System

    system = System(program, model_dir=model_dir)
    (trace,) = system.sample(inputs, seed=seed)
    trace = _with_files(trace, Path(output or f"runs/{component(program.name)}-images"))
    if format == "json":
        typer.echo(json.dumps({"inputs": inputs, **by_node(program, trace)}, ensure_ascii=False))
    else:
        for variable in program.variables:
            typer.echo(_shown(program, trace, variable))


def _inputs(program: Program, given: list[str]) -> dict[str, str]:
    """The inputs that NAME=TEXT arguments give.

    Raises:
        InputError: they are not exactly the graph's; everything that is wrong.
    """
    names = input_names(program)
    inputs: dict[str, str] = {}
    problems = []
    for pair in given:
        name, equals, text = pair.partition("=")
        if not equals:
            problems.append(f"--input {pair!r}: expected NAME=TEXT, NAME one of {', '.join(names)}")
        elif name not in names:
            near = suggestion(name, names, "the inputs are")
            problems.append(f"--input {name}: the graph has no such input; {near}")
        elif name in inputs:
            problems.append(f"--input {name} is given twice; expected once")
        inputs[name] = text
    problems += [f'missing --input {name}="..."' for name in names if name not in inputs]
    if problems:
        raise InputError("\n".join(f"error: {problem}" for problem in problems))
    return inputs


def _with_files(trace: Trace, folder: Path) -> Trace:
    """The trace with its images written to `folder`."""
    from ..pictures import Picture

    values = {
        name: Picture.read(value.write(folder)) if isinstance(value, Picture) else value
        for name, value in trace.values.items()
    }
    return replace(trace, values=values)


def _shown(program: Program, trace: Trace, variable: Variable) -> str:
    """A variable's value for people."""
    name = variable.name
    if name in trace.values or name in trace.inputs:
        value = trace[name]
        text = value if isinstance(value, str) else "\n".join(f"- {item}" for item in value)
        is_long = "\n" in text or not isinstance(value, str)
    elif name in trace.rejected:
        text, is_long = "(nothing: a parser or tool rejected what it hangs on)", False
    else:
        text, is_long = f"(not run: {why_skipped(variable, trace)})", False
    mark = " (output)" if name in program.outputs else ""
    return f"{name}{mark}:{chr(10) if is_long else ' '}{text}"
