"""`--plugin`, `--allow-network` and `--scorer FILE.py:NAME`: what a command's user binds.

Graph files hold names alone, and none of them leads here.
"""

import re
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from ..measuring.scorers import Scorer

Plugins = Annotated[
    list[str] | None,
    typer.Option(
        "--plugin",
        metavar="FILE.py",
        help="A Python file with your own tools: its functions; repeatable. Its code runs.",
    ),
]
AllowNetwork = Annotated[
    bool,
    typer.Option("--allow-network", help="Lets `browse` read public pages over HTTP and HTTPS."),
]


def given_tools(plugins: list[str] | None, allow_network: bool = False) -> dict[str, Any]:
    """The tools that the options give, by name.

    Raises:
        InputError: a file cannot be loaded, or has none.
    """
    tools: dict[str, Any] = {}
    if allow_network:
        from ..toolkit.browse import Browse

        tools["browse"] = Browse(network=True)
    if plugins:
        from ..tools.plugins import plugin_tools

        tools.update(plugin_tools(plugins))
    return tools


def given_scorer(text: str) -> "str | Scorer":
    """The scorer that an argument names: one of a file (`./my.py:exact`), else its name.

    Raises:
        InputError: the file cannot be loaded, or has no such scorer.
    """
    if not re.search(r"\.py:\w+$", text):
        return text
    from dataclasses import replace

    from ..measuring.scorers import as_scorer
    from ..support.plugin import named

    return replace(as_scorer(named(text)), name=text)


def bindings(scorer: str | None, plugins: list[str] | None, allow_network: bool) -> list[str]:
    """The arguments that bind all this once more, for a command that goes on."""
    words = [] if scorer is None else ["--scorer", scorer]
    words += [word for plugin in plugins or () for word in ("--plugin", plugin)]
    return [*words, "--allow-network"] if allow_network else words
