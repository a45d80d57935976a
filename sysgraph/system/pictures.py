"""Whether the nodes of models that draw show them the pictures that they need."""

from collections.abc import Mapping

from jinja2 import nodes

from sysgraph_compiler import Program, Variable
from sysgraph_compiler.templates.parse import tree_of

from ..engines import Editing
from ..support.errors import InputError


def require_pictures(program: Program, engines: Mapping[str, object]) -> None:
    """Refuses prompts whose pictures are too few or too many for the checkpoint of their model.

    Args:
        engines: of the models, by name.

    Raises:
        InputError: names the node.
    """
    for variable in program.variables:
        model = program.model_of(variable.name)
        engine = engines.get(model or "")
        if model is None or not isinstance(engine, Editing):
            continue
        count = pictures_shown(program, variable)
        said = None if count is None else engine.unfit(model, count)
        if said is not None:
            raise InputError(f"{variable.node}: {said}")


def pictures_shown(program: Program, variable: Variable) -> int | None:
    """How many pictures a variable's prompt has in it; None: that depends on values.

    A prompt with conditions, or with a list of pictures, has its pictures counted when it is
    rendered.
    """
    if variable.prompt is None:
        return None
    tree = tree_of(variable.prompt)
    used = [name.name for name in tree.find_all(nodes.Name)]
    shown = [name for name in used if _is_of_images(program, variable, name)]
    is_open = next(tree.find_all((nodes.If, nodes.For, nodes.CondExpr)), None) is not None
    if shown and (is_open or any(not isinstance(variable.scope[name], str) for name in shown)):
        return None
    return len(shown)


def _is_of_images(program: Program, variable: Variable, name: str) -> bool:
    targets = variable.scope.get(name, ())
    several = (targets,) if isinstance(targets, str) else targets
    return any(program.variable(one).type == "image" for one in several)
