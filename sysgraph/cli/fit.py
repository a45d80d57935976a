"""`sysgraph fit`: train every model of the system together."""

import shlex
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .opening import opened
from .options import (
    AdapterDir,
    Endpoints,
    GraphFile,
    ServerAddresses,
    Settings,
    addresses,
    bound_addresses,
    servers_of,
)
from .plugins import AllowNetwork, Plugins, bindings, given_scorer, given_tools
from .terminal import say, tell

if TYPE_CHECKING:
    from sysgraph_schemas import Graph

    from ..measuring.scorers import Scorer
    from ..training.fitting import Run


def fit(
    graph: GraphFile,
    data: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Preference pairs: JSONL, Parquet, what collect wrote, or a datasets name.",
        ),
    ] = None,
    output: Annotated[
        str | None,
        typer.Option("--output", "-o", metavar="DIR", help="The run's folder; default runs/NAME."),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a stopped run.")] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Remove the run that is in --output first.")
    ] = False,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            help="Say what would be loaded where and whether it fits; load and write nothing.",
        ),
    ] = False,
    endpoint: Endpoints = None,
    server: ServerAddresses = None,
    adapters: AdapterDir = None,
    scorer: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|FILE.py:NAME",
            help="The scorer of outputs; default: fit.scorer. A file's code runs.",
        ),
    ] = None,
    settings: Settings = None,
    plugin: Plugins = None,
    allow_network: AllowNetwork = False,
) -> None:
    """Trains the system from preferences over its outputs, in one resumable run folder."""
    tools = given_tools(plugin, allow_network)
    found = opened(graph, settings, tools=tools)
    loaded, endpoints = found.graph, addresses(endpoint, found.program)
    servers = servers_of(server, adapters, found.program)

    from ..support.errors import Interrupted, ServiceError
    from ..support.processes import processes
    from ..training.fitting import fit as train

    chosen = None if scorer is None else given_scorer(scorer)
    if dry_run:
        state = processes()
        if state.is_main_process:
            _foresee(loaded, data, chosen, tools, processes=state.num_processes)
        return

    try:
        run = train(
            loaded,
            data=data,
            output=output,
            resume=resume,
            overwrite=overwrite,
            scorer=chosen,
            tools=tools,
            endpoints=endpoints,
            servers=servers,
        )
    except (Interrupted, ServiceError) as error:  # its folder does not know what the options bind
        words = bound_addresses(endpoint, server, adapters)
        bound = shlex.join([*bindings(scorer, plugin, allow_network), *words])
        raise type(error)(f"{error} {bound}".rstrip()) from None
    if not processes().is_main_process:
        return
    if run.before is not None and run.after is not None:
        say(f"held-out before: {run.before}\nheld-out after:  {run.after}")
    say(f"trained models: {run.folder / 'models'}")
    _report(run)


def _foresee(
    graph: "Graph",
    data: str | None,
    scorer: "str | Scorer | None",
    tools: "Mapping[str, Any]",
    *,
    processes: int,
) -> None:
    """Prints what a run would take; where it does not fit, what would, and exit code 1."""
    from functools import partial

    from ..forecasting import forecast
    from ..forecasting.remedies import remedies
    from ..forecasting.text import remedy_text, text_of

    foresee = partial(forecast, data=data, scorer=scorer, tools=tools, processes=processes)
    found = foresee(graph)
    say(text_of(found))
    if not found.fits:
        for remedy in remedies(graph, foresee, found):
            say(remedy_text(remedy))
        raise typer.Exit(1)


def _report(run: "Run") -> None:
    """Writes the page and says where. The models are saved by now: no failure here undoes that."""
    try:
        say(f"what they learned: {run.report()}")
    except Exception as error:
        tell(f"warning: no report was written: {error}")
