"""`sysgraph collect`: preference pairs from the system itself."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..support.errors import InputError
from .opening import opened
from .options import (
    AdapterDir,
    Endpoints,
    GraphFile,
    ModelDir,
    ServerAddresses,
    Settings,
    addresses,
    servers_of,
)
from .plugins import AllowNetwork, Plugins, given_scorer, given_tools
from .terminal import say

_WITH_LOG = ["graph", "output", "from_log", "overwrite", "settings", "plugin", "allow_network"]
"""Parameters that --from-log goes with."""

if TYPE_CHECKING:
    from ..training.from_log import FromLog
    from ..training.pairing import Collection


def collect(
    context: typer.Context,
    graph: GraphFile,
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="DIR", help="The folder to write.")
    ],
    inputs: Annotated[
        str | None,
        typer.Option(help="A JSONL or Parquet file, a datasets name, or toy:WORLD/SPLIT."),
    ] = None,
    scorer: Annotated[
        str | None,
        typer.Option(
            help="The scorer of final outputs: a registered name, a model (reward:ID, "
            "judge:openai:MODEL, image:clip:ID), or a function in a Python file (./my.py:exact), "
            "whose code runs."
        ),
    ] = None,
    judge: Annotated[
        str | None,
        typer.Option(
            metavar="KIND:NAME",
            help="Instead, who is shown two samples at a time, in both orders, as openai:MODEL "
            "(see `sysgraph eval`).",
        ),
    ] = None,
    by_hand: Annotated[
        bool,
        typer.Option(
            "--by-hand", help="Instead, people: writes a page on which they compare two at a time."
        ),
    ] = False,
    answers: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Makes pairs of what was answered on that page."),
    ] = None,
    from_log: Annotated[
        str | None,
        typer.Option(
            "--from-log",
            metavar="DIR",
            help="Samples nothing: makes pairs of what people said of a served system's answers, "
            "which `sysgraph serve --log DIR` recorded.",
        ),
    ] = None,
    comparisons: Annotated[
        int,
        typer.Option(min=1, max=1000, help="With --judge or --by-hand, most comparisons an input."),
    ] = 3,
    samples: Annotated[
        int, typer.Option(min=2, max=1024, help="Traces per input; 4 give up to 6 pairs.")
    ] = 4,
    model_dir: ModelDir = None,
    seed: Annotated[int, typer.Option(help="Seed of the samples.")] = 0,
    shard: Annotated[
        str | None,
        typer.Option(
            metavar="I/N",
            help="Works on the I-th of N parts of the inputs; all may write to one DIR at once.",
        ),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Remove the collection that is in DIR first.")
    ] = False,
    endpoint: Endpoints = None,
    server: ServerAddresses = None,
    adapters: AdapterDir = None,
    settings: Settings = None,
    plugin: Plugins = None,
    allow_network: AllowNetwork = False,
) -> None:
    """Samples every input and writes pairs of better and worse for `sysgraph fit --data DIR`.

    Which is better says a scorer, a judge, or people. Called again, it goes on where it stopped.
    """
    _require_fitting(context, from_log)
    tools = given_tools(plugin, allow_network)
    given = opened(graph, settings, tools=tools)
    if from_log is not None:
        from ..training.from_log import collect_from_log

        _tell(
            collect_from_log(given.graph, from_log, output=output, overwrite=overwrite, tools=tools)
        )
        return
    assert inputs is not None
    endpoints = addresses(endpoint, given.program, drawn=answers is None)
    servers = servers_of(server, adapters, given.program, drawn=answers is None)

    from ..training.collection import collect as run

    found = run(
        given.graph,
        inputs,
        output=output,
        scorer=None if scorer is None else given_scorer(scorer),
        judge=judge,
        by_hand=by_hand,
        answers=answers,
        comparisons=comparisons,
        samples=samples,
        seed=seed,
        model_dir=model_dir,
        shard=shard,
        overwrite=overwrite,
        endpoints=endpoints,
        servers=servers,
        tools=tools,
    )
    if found.page is not None:
        say(
            f"{found.page}: {found.comparisons} comparisons of {found.traces} "
            f"traces{_failures(found)}\nopen it in a browser, then call this again with --answers "
            "FILE in place of --by-hand"
        )
        return
    say(f"{found.file}: {found.pairs} pairs from {found.traces} traces{_failures(found)}")
    if not found.pairs:
        say(_why_none(found, scored=scorer is not None))


def _require_fitting(context: typer.Context, from_log: str | None) -> None:
    """Refuses options that a log has no use for, or a call without inputs: InputError, with all."""
    if from_log is None:
        if context.params["inputs"] is None:
            raise InputError("--inputs: missing; expected what to sample (or --from-log DIR)")
        return
    others = [p for p in context.command.params if p.name not in _WITH_LOG]
    sources = {p.opts[0]: context.get_parameter_source(str(p.name)) for p in others}
    given = [option for option, source in sources.items() if source and source.name != "DEFAULT"]
    if given:
        many = ", ".join(given)
        raise InputError(f"{many}: not with --from-log, which samples nothing and asks nobody")


def _tell(found: "FromLog") -> None:
    whose = f"{found.answers} answers"
    if found.policies > 1:
        whose += f" by {found.policies} sets of weights"
    say(f"{found.file}: {found.pairs} pairs from {found.rated} rated choices of {whose}")
    if found.left_out:
        say("\n".join(["left out:", *(f"  {why}: {n}" for why, n in found.left_out.items())]))
    if found.why:
        say(f"the first correction that is left out: {found.why}")


def _failures(found: "Collection") -> str:
    """How many traces have no output, and why."""
    rejected = found.failed - found.stopped
    open = f"{found.undecided} comparisons without an answer"
    parts = [open] if found.undecided else []
    parts += [f"{rejected} without an output, as a parser or tool rejected"] if rejected else []
    if found.stopped:
        parts.append(f"{found.stopped} stopped, the first: {found.why}")
    return f"; {'; '.join(parts)}" if parts else ""


def _why_none(found: "Collection", *, scored: bool) -> str:
    if found.failed == found.traces:
        return "no trace has an output to score"
    if not scored:
        return "no pairs: of no two samples of an input one was found better"
    return (
        "no pairs: all samples of every input scored the same. More --samples, a higher "
        "temperature or a scorer with finer grades tell them apart"
    )
