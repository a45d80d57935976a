"""`sysgraph export`: a trained system as files that other libraries load and serve."""

from pathlib import Path
from typing import Annotated

import typer

from .plugins import AllowNetwork, Plugins, given_tools
from .terminal import say


def export(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A finished run's folder.")],
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="DIR", help="A new folder, or an empty one.")
    ],
    merge: Annotated[
        bool,
        typer.Option("--merge", help="Merge each adapter into a copy of its base, model by model."),
    ] = False,
    copy_base: Annotated[
        bool,
        typer.Option(
            "--copy-base",
            help="Copy bases that are folders of this machine; else the export names them.",
        ),
    ] = False,
    push: Annotated[
        str | None,
        typer.Option(metavar="OWNER/NAME", help="Upload it to this repository on the Hub too."),
    ] = None,
    plugin: Plugins = None,
    allow_network: AllowNetwork = False,
) -> None:
    """Writes a run's system as a folder: adapters or checkpoints, a graph that runs, and cards.

    Everything loads without sysgraph: adapters by peft, diffusers and vLLM, which the last lines
    that are printed start, checkpoints by transformers and diffusers. The graph runs from anywhere.
    """
    from ..exporting.export import export as written
    from ..exporting.push import push as pushed
    from ..exporting.push import require_repository

    if push is not None:
        require_repository(push)
    found = written(
        run,
        output,
        merge=merge,
        copy_base=copy_base,
        portable=push is not None,
        tools=given_tools(plugin, allow_network),
    )
    for part in found.parts:
        where = found.folder / (part.folder or "graph.yaml")
        say(f"{part.name}: {part.form}, {where}")
    say(f"the system: {found.folder / 'graph.yaml'}")
    for command in found.serving:
        say(f"cd {found.folder} && {command}")
    if push is not None:
        say(pushed(Path(output), push))
