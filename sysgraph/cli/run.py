"""`sysgraph run`: one pass through the system."""

import json
from typing import Annotated

import typer

from .options import GraphFile, ModelDir, Settings


def run(
    graph: GraphFile,
    input: Annotated[
        list[str],
        typer.Option("--input", metavar="NAME=TEXT", help="An input's value; repeatable."),
    ],
    model_dir: ModelDir = None,
    seed: Annotated[int, typer.Option(help="Seed of the sample.")] = 0,
    format: Annotated[str, typer.Option("--format", help="text or json.")] = "text",
    settings: Settings = None,
) -> None:
    """Runs the system once on the given inputs and prints every node's value."""
    from sysgraph_compiler import compile as compile_graph
    from sysgraph_schemas import load

    from ..errors import InputError

    program = compile_graph(load(graph, settings or ()))
    inputs = {}
    for pair in input:
        name, equals, text = pair.partition("=")
        if not equals:
            raise InputError(f"--input {pair!r}: expected NAME=TEXT")
        inputs[name] = text
    names = [variable.name for variable in program.variables if variable.kind == "input"]
    unknown = [name for name in inputs if name not in names]
    if unknown:
        raise InputError(
            f"--input {unknown[0]}: the graph has no such input; it has {', '.join(names)}"
        )

    from ..system import System
    from ..trace import by_node

    missing = [name for name in names if name not in inputs]
    if missing:
        raise InputError(f"missing --input {missing[0]}=...")
    system = System(program)
    if model_dir is not None:
        system.load(model_dir)
    (trace,) = system.sample(inputs, seed=seed)
    if format == "json":
        typer.echo(json.dumps({"inputs": inputs, **by_node(program, trace)}, ensure_ascii=False))
        return
    for variable in program.variables:
        if variable.name in trace.values or variable.name in trace.inputs:
            value = trace[variable.name]
            text = value if isinstance(value, str) else "\n".join(f"- {item}" for item in value)
        else:
            text = "(nothing: a parser rejected the text it hangs on)"
        mark = " (output)" if variable.name in program.outputs else ""
        typer.echo(
            f"{variable.name}{mark}: {text}"
            if "\n" not in text
            else f"{variable.name}{mark}:\n{text}"
        )
