"""SG407: chat messages that chat templates do not take."""

from collections.abc import Iterator

from sysgraph_schemas import Code, Diagnostic
from sysgraph_schemas.diagnostics import Path

from ...facts import Facts

CODE = Code(
    id="SG407",
    title="order of messages",
    severity="warning",
    meaning="Most chat templates want the system message first and a user's turn after it; some "
    "raise an error otherwise.",
    wrong="""\
nodes:
  draft:
    kind: lm
    model: ada
    messages:
      - {role: system, content: "{{ question }}"}
""",
    right="""\
nodes:
  draft:
    kind: lm
    model: ada
    messages:
      - {role: system, content: Be brief.}
      - {role: user, content: "{{ question }}"}
""",
)


def check(facts: Facts) -> Iterator[Diagnostic]:
    """A system message that is not first; no user's turn."""
    for name, node in facts.graph.nodes.items():
        first: Path = ("messages", 0, "role")
        for at, role in node.roles.items():
            if role == "system" and at != first:
                said = "a system message after the first message"
                if len(at) > len(first):
                    said = "a system message for each element: all but the first are after others"
                yield facts.diagnose(CODE, said, ("nodes", name, *at), help="put it first")
        if (
            node.message_parts
            and "user" not in node.roles.values()
            and all(p.roles for p in node.message_parts)
        ):
            said = f"the messages of `{name}` have no user's turn"
            path = ("nodes", name, "messages")
            yield facts.diagnose(CODE, said, path, key=True, help="add `role: user`")
