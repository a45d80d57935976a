"""SG507: an image that is given to a tool."""

from collections.abc import Iterator

from sysgraph_schemas import Code, Diagnostic

from ...facts import Facts

CODE = Code(
    id="SG507",
    title="image for a tool",
    meaning="Tools take texts and lists of texts. What reads an image is a model that can "
    "(`kind: vision_lm`); it may also be an output, or what a select node chooses.",
    wrong="""\
models:
  painter: {kind: diffusion, id: stabilityai/sd-turbo}
nodes:
  picture: {kind: diffusion, model: painter, prompt: "{{ draft }}"}
  sum: {kind: tool, tool: calculate, args: {expression: picture}}
edges:
  - draft -> picture
  - picture -> sum
""",
    right="""\
models:
  painter: {kind: diffusion, id: stabilityai/sd-turbo}
nodes:
  picture: {kind: diffusion, model: painter, prompt: "{{ draft }}"}
  sum: {kind: tool, tool: calculate, args: {expression: draft}}
edges:
  - draft -> picture
  - draft -> sum
""",
)


def check(facts: Facts) -> Iterator[Diagnostic]:
    """Each such edge."""
    for (parent, child), (edge, end, _) in facts.links.items():
        node = facts.graph.nodes[child]
        kind = facts.seen_as(parent, child)
        if node.tool_name is not None and "image" in kind:
            what = "an image" if kind == "image" else "a list of images"
            said = (
                f"`{child}` is a tool, which takes texts and lists of texts; `{parent}` is {what}"
            )
            help = "give it the text that the image is drawn from"
            at = ("edges", edge.index)
            yield facts.diagnose(CODE, said, at, within=(end.start, end.end), help=help)
