"""`sysgraph explain SG101`: what a code means, with a wrong and a right example.

`sysgraph explain templates`: the language of prompts. `sysgraph explain tools`: what nodes call.
"""

import textwrap
from typing import Annotated

import typer

from sysgraph_schemas import Code
from sysgraph_schemas.suggest import closest, quoted

from ..support.errors import InputError
from .plugins import Plugins, given_tools
from .terminal import say


def explain(
    code: Annotated[
        str | None,
        typer.Argument(
            metavar="CODE|templates|tools",
            help="As in error[SG101], the language of templates, or the tools that nodes can call; "
            "default: list all codes.",
        ),
    ] = None,
    plugin: Plugins = None,
) -> None:
    """Explain a kind of problem, or list them all; the language of templates; the tools."""
    if code == "tools":
        from ..tools.listing import told

        say("\n\n".join(told(given_tools(plugin))))
        return
    from sysgraph_compiler.pipeline import CODES

    codes = {known.id: known for known in CODES}
    if code is None:
        say("\n".join(_line(known) for known in CODES))
        return
    if code.lower() in ("template", "templates"):
        from sysgraph_compiler.templates.reference import page

        say(page().rstrip("\n"))
        return
    name = code.strip("[] ").upper()
    name = f"SG{name}" if name.isdigit() else name
    if name not in codes:
        digits = name[:2] + name[2:].replace("O", "0").replace("I", "1").replace("L", "1")
        near = digits if digits in codes else closest(name, codes)
        meant = f"did you mean {near} ({codes[near].title})? " if near else ""
        raise InputError(
            f"error: there is no code {quoted(code)}\n"
            f"  = help: {meant}`sysgraph explain` lists all {len(codes)}, "
            "`sysgraph explain tools` the tools"
        )
    say(_page(codes[name]))


def _line(code: Code) -> str:
    return f"{code.id}  {code.title}" + (" (warning)" if code.severity == "warning" else "")


def _page(code: Code) -> str:
    """The whole entry; examples are indented."""
    parts = [f"{code.severity}[{code.id}]: {code.title}", textwrap.fill(code.meaning, 90)]
    parts += ["wrong:\n" + _indented(code.wrong), "right:\n" + _indented(code.right)]
    return "\n\n".join(parts)


def _indented(example: str) -> str:
    return "\n".join(f"    {line}" for line in example.rstrip("\n").split("\n"))
