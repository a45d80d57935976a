"""SG410: messages that are made of what gives none."""

from collections.abc import Iterator

from sysgraph_schemas import Code, Diagnostic
from sysgraph_schemas.diagnostics import Path

from ...facts import Facts
from ...templates.kinds import is_list
from ...templates.types import ANY, in_words

CODE = Code(
    id="SG410",
    title="messages of what gives none",
    meaning="Among `messages:`, `for_each` takes a list (copies of a node, what a parser or a tool "
    "gives) and stands for messages once an element; `insert` takes an input of `type: messages`.",
    wrong="""\
nodes:
  question: {kind: input}
  answer:
    kind: lm
    model: ada
    messages:
      - insert: question
edges:
  - question -> answer
""",
    right="""\
nodes:
  shots: {kind: input, type: messages}
  question: {kind: input}
  answer:
    kind: lm
    model: ada
    messages:
      - insert: shots
      - {role: user, content: "{{ question }}"}
edges:
  - shots, question -> answer
""",
)


def check(facts: Facts) -> Iterator[Diagnostic]:
    """Sources of another type than their part takes; keys that hide a name."""
    for name, node in facts.graph.nodes.items():
        scope = facts.scope(name) if node.sources else {}
        for at, source in node.sources.items():
            path: Path = ("nodes", name, *at)
            kind = scope.get(source, ANY)
            wants_list = at[-1] != "insert"
            if kind != ANY and (is_list(kind) if wants_list else kind == "messages") is False:
                said = f"`{source}` is {in_words(kind)}, and " + (
                    "no list whose elements could be messages"
                    if wants_list
                    else "no messages that could be inserted"
                )
                yield facts.diagnose(CODE, said, path, help=_help(kind, source, wants_list))
        for key in {key for key, _ in node.local_keys.values()}:
            if key in scope or key in facts.graph.nodes:
                said = f"`{key}` is the name of an element here, and of something else in the graph"
                path = next(("nodes", name, *at) for at in node.sources if at[-1] == key)
                yield facts.diagnose(CODE, said, path, key=True, help="call the element otherwise")


def _help(kind: str, source: str, wants_list: bool) -> str:
    if wants_list and kind == "messages":
        return f"write `- insert: {source}`"
    if wants_list:
        return f'write `- {{role: user, content: "{{{{ {source} }}}}"}}`'
    if is_list(kind):
        return f"write `- for_each: {{one: {source}}}` with `messages:` for each"
    as_text = f'write `- {{role: user, content: "{{{{ {source} }}}}"}}`'
    return f"{as_text}, or give the input `type: messages`"
