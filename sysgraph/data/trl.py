"""What TRL's preference rows, {"prompt", "chosen", "rejected"}, say in plain texts or messages."""

from typing import Any

from sysgraph_compiler import Program, Variable

from ..traces.messages import messages_text
from ..traces.trace import Given, input_names
from .images import ImageFiles, is_image_column
from .shown import BadValue, kind
from .values import example


def prompt_input(program: Program, prompt: Any, images: ImageFiles) -> dict[str, Given]:
    """The one input, of a prompt.

    Raises:
        BadValue: it is no text and no user message (of an input that is an image: no image), or
            the graph takes more than one input.
    """
    names = input_names(program)
    if len(names) != 1:
        raise BadValue(
            f"a row with 'prompt' gives one input; this graph takes {', '.join(names)}; expected "
            f"{example(program)}"
        )
    if program.variable(names[0]).type == "messages":
        return {names[0]: _messages(prompt)}
    if program.variable(names[0]).type == "image":
        return {names[0]: images.picture(prompt)}
    return {names[0]: _text(prompt, "prompt", "user")}


def _messages(prompt: Any) -> str:
    """A talk so far; a text is what its user says."""
    try:
        is_text = isinstance(prompt, str)
        return messages_text([{"role": "user", "content": prompt}] if is_text else prompt)
    except ValueError as error:
        raise BadValue(f"prompt: {error}") from error


def by_its_node(program: Program, name: str, side: Any) -> dict[str, Any]:
    """A side by node: as it is if it is an object, else the value of its one output.

    Raises:
        BadValue: it is no text and no assistant message, or the graph has more than one output.
    """
    by_node = isinstance(side, dict) and not is_image_column(side)
    return side if by_node else _only_output(program, name, side)


def _only_output(program: Program, name: str, value: Any) -> dict[str, Any]:
    if len(program.outputs) != 1:
        raise BadValue(
            f"{name}: {kind(value)} gives one output; this graph answers with "
            f"{', '.join(program.outputs)}; expected {example(program)}"
        )
    answer = _generated(program, program.outputs[0])
    if answer.type != "image":
        value = _text(value, name, "assistant")
    copies = program.groups.get(answer.node)  # of a loop, the last turn's is the output
    listed = [value if copy == answer.name else None for copy in copies or ()]
    return {answer.node: value if copies is None else listed}


def _generated(program: Program, output: str) -> Variable:
    """What a model gave for an output: what its parsers read, if it has some."""
    variable = program.variable(output)
    while variable.parser is not None:
        variable = program.variable(variable.reads[0])
    return variable


def _text(value: Any, name: str, role: str) -> str:
    """A plain text, or the content of a single message."""
    if isinstance(value, str):
        return value
    wanted = f"expected a text, or a list of one {role} message"
    if not isinstance(value, list) or not all(isinstance(turn, dict) for turn in value):
        raise BadValue(f"{name}: {wanted}; got {kind(value)}")
    if len(value) == 1 and value[0].get("role") == role:
        content = value[0].get("content")
        if isinstance(content, str):
            return content
        raise BadValue(f"{name}: the message's content is {kind(content)}; expected a text")
    roles = ", ".join(str(turn.get("role")) for turn in value) or "nobody"
    raise BadValue(
        f"{name}: messages by {roles}; {wanted} (a system prompt or earlier turns belong into the "
        "graph's `messages:`, or into an input of `type: messages`)"
    )
