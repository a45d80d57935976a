"""`sysgraph collect`: preference pairs from the system itself."""

from typing import TYPE_CHECKING, Annotated

import typer

from .opening import opened
from .options import GraphFile, ModelDir, Settings
from .plugins import AllowNetwork, Plugins, given_scorer, given_tools
from .terminal import say

if TYPE_CHECKING:
    from ..training.collection import Collection


def collect(
    graph: GraphFile,
    inputs: Annotated[
        str, typer.Option(help="A JSONL or Parquet file, a datasets name, or toy:WORLD/SPLIT.")
    ],
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="DIR", help="The folder to write.")
    ],
    scorer: Annotated[
        str,
        typer.Option(
            help="The scorer of final outputs: a registered name, a model (image:clip:ID), or a "
            "function in a Python file (./my.py:exact), whose code runs."
        ),
    ],
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
    settings: Settings = None,
    plugin: Plugins = None,
    allow_network: AllowNetwork = False,
) -> None:
    """Samples every input, scores the traces and writes pairs for `sysgraph fit --data DIR`."""
    tools = given_tools(plugin, allow_network)
    loaded = opened(graph, settings, tools=tools).graph

    from ..training.collection import collect as run

    found = run(
        loaded,
        inputs,
        output=output,
        scorer=given_scorer(scorer),
        samples=samples,
        seed=seed,
        model_dir=model_dir,
        shard=shard,
        overwrite=overwrite,
        tools=tools,
    )
    say(f"{found.file}: {found.pairs} pairs from {found.traces} traces{_failures(found)}")
    if not found.pairs:
        say(_why_none(found))


def _failures(found: "Collection") -> str:
    """How many traces have no output, and why."""
    rejected = found.failed - found.stopped
    parts = [f"{rejected} without an output, as a parser or tool rejected"] if rejected else []
    if found.stopped:
        parts.append(f"{found.stopped} stopped, the first: {found.why}")
    return f"; {'; '.join(parts)}" if parts else ""


def _why_none(found: "Collection") -> str:
    if found.failed == found.traces:
        return "no trace has an output to score"
    return (
        "no pairs: all samples of every input scored the same. More --samples, a higher "
        "temperature or a scorer with finer grades tell them apart"
    )
