"""SG511: an image in a prompt of a model that reads texts alone."""

from collections.abc import Iterator

from sysgraph_schemas import Code, Diagnostic
from sysgraph_schemas.models import MODEL_KINDS
from sysgraph_schemas.suggest import listed

from ...facts import Facts

CODE = Code(
    id="SG511",
    title="image in a prompt of texts",
    meaning="An image stands in a prompt as it is, `{{ picture }}`, if the node's model reads "
    "images, or edits them as some of kind diffusion do. Others are given texts alone.",
    wrong="""\
models:
  ada: {kind: causal_lm, id: gpt2}
nodes:
  picture: {kind: input, type: image}
  answer: {kind: lm, model: ada, prompt: "{{ picture }} {{ question }}"}
edges:
  - picture, question -> answer
""",
    right="""\
models:
  viewer: {kind: vision_lm, id: HuggingFaceTB/SmolVLM-256M-Instruct}
nodes:
  picture: {kind: input, type: image}
  answer: {kind: lm, model: viewer, prompt: "{{ picture }} {{ question }}"}
edges:
  - picture, question -> answer
""",
)


def check(facts: Facts) -> Iterator[Diagnostic]:
    """Each image in each node's prompt, at its first place; of several models the first."""
    models, told = facts.graph.models, set[tuple[str, str]]()
    for name, _, model, _ in facts.used_models:
        spec = models.get(model)
        if spec is None or spec.reads_images:
            continue
        for image, path in facts.uses.get(name, {}).items():
            is_image = image in facts.graph.nodes and facts.type_of(image) == "image"
            if not is_image or (name, image) in told:
                continue
            told.add((name, image))
            said = f"`{image}` is an image, and `{model}`, {spec.noun}, reads texts alone"
            within = facts.place_of(image, path)
            yield facts.diagnose(CODE, said, path, within=within, help=_help(facts, name, image))


def _help(facts: Facts, node: str, image: str) -> str:
    """What would do: a text in its place, or a model that the graph has or could have."""
    gives, members = facts.type_of(node), MODEL_KINDS.built_in
    models = {name: type(spec) for name, spec in facts.graph.models.items()}
    able, kinds = (
        [name for name, kind in some.items() if kind.reads_images and gives in kind.gives]
        for some in (models, members)
    )
    wanted = f"one of kind {listed(kinds)}" if not able else listed(able)
    drawn = (
        "" if facts.graph.nodes[image].is_input else ", or the text that the image is drawn from"
    )
    return f"use a model that reads images, {wanted}{drawn}"
