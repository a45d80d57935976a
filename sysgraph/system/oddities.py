"""What chat templates do to the messages of a program's nodes."""

from collections import defaultdict
from collections.abc import Iterator, Mapping

from sysgraph_compiler import Program

from ..engines import Prompted
from ..support.errors import InputError


def oddities(program: Program, engines: Mapping[str, Prompted]) -> Iterator[str]:
    """What chat templates do to the messages of nodes, each model and kind of prompt once.

    Raises:
        InputError: a template does not take a node's messages.
    """
    nodes: dict[tuple[str, tuple[str, ...]], list[str]] = defaultdict(list)
    for variable in program.variables:
        model = program.model_of(variable.name)
        if model is not None and variable.messages:
            roles = tuple(role for part in variable.messages for role in part.roles.values())
            nodes[model, roles].append(variable.node)
    for (model, roles), several in nodes.items():
        where = f"{', '.join(dict.fromkeys(several))}: model {model!r}"
        if model not in engines or not roles:
            continue
        try:
            yield from (f"{where}: {odd}" for odd in engines[model].oddities(model, roles))
        except InputError as error:
            raise InputError(f"{where}: {error}") from error
