"""docs/serving.md, `The system as one model`: its client, sent to a server of its graph."""

import contextlib
import io
import re
from pathlib import Path

import sysgraph
from sysgraph import System

from .serving import served

PAGE = (Path(__file__).parents[2] / "docs" / "serving.md").read_text(encoding="utf-8")
PART = PAGE.partition("\n## The system as one model\n")[2]


def test_the_client_prints_what_the_system_says() -> None:
    graph = re.search(r"`system.yaml`:\n\n```yaml\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    code = re.search(r"^```python\n(.*?)^```$", PART, re.DOTALL | re.MULTILINE)
    assert graph
    assert code
    found = System(sysgraph.compile(sysgraph.load(graph[1])), device="cpu")
    said = io.StringIO()
    with served(found) as server, contextlib.redirect_stdout(said):
        exec(compile(code[1].replace(":8000", f":{server.port}"), "serving.md", "exec"), {})
    (trace,) = found.sample({"question": "what is zor ?"}, seed=3)
    assert said.getvalue() == f"{trace['answer']}\n{trace['draft']}\n"
