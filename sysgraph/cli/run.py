"""`sysgraph run`: one pass through the system."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sysgraph_compiler import Program, Variable
from sysgraph_schemas.suggest import suggestion

from ..support.errors import DataError, InputError
from ..support.files import component
from ..support.servers import Servers
from ..traces.messages import inputs_by_name, messages_text
from ..traces.presence import why_skipped
from ..traces.trace import Given, Trace, by_node, input_names, is_broken
from .many import Manner, answer_file, file_for
from .opening import opened
from .options import (
    AdapterDir,
    Endpoints,
    Format,
    GraphFile,
    ModelDir,
    ServerAddresses,
    Settings,
    addresses,
    servers_of,
)
from .plugins import AllowNetwork, Plugins, given_tools
from .terminal import say, say_json

if TYPE_CHECKING:
    from ..system import System


def run(
    graph: GraphFile,
    input: Annotated[
        list[str] | None,
        typer.Option(
            "--input",
            metavar="NAME=TEXT",
            help="An input's value, of an image its file; repeatable.",
        ),
    ] = None,
    inputs: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Instead, many inputs: JSONL, Parquet, a datasets name, or toy:WORLD/SPLIT.",
        ),
    ] = None,
    model_dir: ModelDir = None,
    endpoint: Endpoints = None,
    server: ServerAddresses = None,
    adapters: AdapterDir = None,
    seed: Annotated[int, typer.Option(help="Seed of the sample.")] = 0,
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="DIR|FILE",
            help="The folder for the images that are drawn (default runs/NAME-images); with "
            "--inputs, the file of the answers, .jsonl or .parquet.",
        ),
    ] = None,
    all_values: Annotated[
        bool,
        typer.Option("--all-values", help="With --inputs, every node's value, not outputs alone."),
    ] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="With --inputs, go on where a stopped run was.")
    ] = False,
    overwrite: Annotated[
        bool,
        typer.Option("--overwrite", help="With --inputs, replace the file and start anew."),
    ] = False,
    workers: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=1024,
            help="With --inputs, requests to hosted models and servers at a time; default 8, "
            "and 32.",
        ),
    ] = None,
    show_prompts: Annotated[
        bool, typer.Option("--show-prompts", help="Also what each model was sent, to the token.")
    ] = False,
    format: Format = "text",
    settings: Settings = None,
    plugin: Plugins = None,
    allow_network: AllowNetwork = False,
) -> None:
    """Runs the system once on the given inputs; prints every node's value, of an image its file.

    With --inputs, on every row of a file, into a file: each row with the outputs beside it, and
    why it failed under `error`. Exit code 1: rows failed, and all others are answered.
    """
    program = opened(graph, settings, tools=given_tools(plugin, allow_network)).program
    build = _Build(
        program,
        model_dir,
        addresses(endpoint, program, drawn=True),
        servers_of(server, adapters, program, drawn=True),
    )
    manner = Manner(seed, all_values, resume, overwrite, workers)
    if inputs is None:
        manner.require_default()
        _run_one(build, input or [], output, seed=seed, format=format, show_prompts=show_prompts)
        return
    single = {"--input": input, "--show-prompts": show_prompts, "--format json": format == "json"}
    answer_file(program, build, inputs, file_for(output, single), manner)


@dataclass(frozen=True)
class _Build:
    """What a system is made of, once all arguments are known to be right."""

    program: Program
    model_dir: str | None
    endpoints: Mapping[str, str]
    servers: Servers

    def __call__(self) -> "System":
        from ..system import System

        return System(
            self.program,
            model_dir=self.model_dir,
            endpoints=self.endpoints,
            servers=self.servers,
        )


def _run_one(
    build: _Build,
    given: list[str],
    output: str | None,
    *,
    seed: int,
    format: str,
    show_prompts: bool,
) -> None:
    program = build.program
    inputs = _inputs(program, given)
    drawn = any(v.type == "image" and not v.is_given for v in program.variables)
    if output is not None and not drawn:
        raise InputError("--output is for images, and this system draws none")

    from ..support.progress import Reporter

    system = build()
    system.tell(Reporter())
    system.require_servers()
    (trace,) = system.sample(inputs, seed=seed)
    prompts = _prompts(system, trace) if show_prompts else {}
    trace = _with_files(trace, Path(output or f"runs/{component(program.name)}-images"))
    if format == "json":
        row = {"inputs": inputs_by_name(program, inputs), **by_node(program, trace)}
        more = {"prompts": prompts} if show_prompts else {}
        say_json(json.dumps({**row, **more}, ensure_ascii=False))
    else:
        for variable in program.variables:
            if variable.name in prompts:
                say(f"{variable.name} was asked:\n{_indented(prompts[variable.name])}")
            say(_shown(program, trace, variable))


def _inputs(program: Program, given: list[str]) -> dict[str, Given]:
    """The inputs that NAME=TEXT arguments give.

    Raises:
        InputError: they are not exactly the graph's; everything that is wrong.
    """
    names = input_names(program)
    inputs: dict[str, Given] = {}
    problems = []
    for pair in given:
        name, equals, text = pair.partition("=")
        value: Given = text
        if not equals:
            problems.append(f"--input {pair!r}: expected NAME=TEXT, NAME one of {', '.join(names)}")
        elif name not in names:
            near = suggestion(name, names, "the inputs are")
            problems.append(f"--input {name}: the graph has no such input; {near}")
        elif name in inputs:
            problems.append(f"--input {name} is given twice; expected once")
        elif is_broken(text):
            problems.append(f"--input {name}: {text!r:.80} is no UTF-8; expected text in UTF-8")
        else:
            try:
                value = _value(program.variable(name), text)
            except DataError as error:
                problems += [f"--input {name}: {problem}" for problem in error.problems]
            except ValueError as error:
                problems.append(f"--input {name}: {error}")
        inputs[name] = value
    problems += [
        f"missing --input {name}=" + ("FILE" if program.variable(name).type == "image" else '"..."')
        for name in names
        if name not in inputs
    ]
    if problems:
        raise InputError("\n".join(f"error: {problem}" for problem in problems))
    return inputs


def _value(variable: Variable, text: str) -> Given:
    """What an argument gives for an input.

    Raises:
        DataError, ValueError: it is no such value.
    """
    if variable.type == "image":
        from ..traces.pictures import Picture

        return Picture.read(text)
    return messages_text(text) if variable.type == "messages" else text


def _prompts(system: "System", trace: Trace) -> dict[str, str]:
    """What each model was sent, by variable."""
    from ..engines.requests import requests

    asked = requests(system.program, trace)
    return {name: system.shown(request.model, request.context) for name, request in asked}


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.split("\n"))


def _with_files(trace: Trace, folder: Path) -> Trace:
    """The trace with its images written to `folder`."""
    from ..traces.pictures import Picture

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
    elif name in trace.abstained:
        text, is_long = "(nothing: a parser or tool abstained, `on_failure: abstain`)", False
    elif name in trace.rejected:
        from ..traces.course import why_rejected

        text, is_long = f"(nothing: {why_rejected(program, variable, trace)})", False
    else:
        text, is_long = f"(not run: {why_skipped(variable, trace)})", False
    mark = " (output)" if name in program.outputs else ""
    return f"{name}{mark}:{chr(10) if is_long else ' '}{text}"
