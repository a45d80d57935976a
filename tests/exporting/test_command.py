"""`sysgraph export` on the command line: what it refuses, and the Hub."""

import base64
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import HfApi

from sysgraph.exporting.push import push
from sysgraph.support.errors import RunError

from .conftest import Command

GRAPH = """
name: coin
models: {m: {kind: table, values: [a, b]}}
nodes:
  x: {kind: input}
  y: {kind: lm, model: m, prompt: "{{ x }}"}
edges: [x -> y]
outputs: [y]
fit: {steps: 3, eval_fraction: 0, learning_rate: 0.5, train: [m]}
"""
PAIR = {"inputs": {"x": "hi"}, "chosen": {"y": "a"}, "rejected": {"y": "b"}}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: Command) -> Path:
    """A working directory with a finished run of a table."""
    monkeypatch.chdir(tmp_path)
    Path("coin.yaml").write_text(GRAPH)
    Path("pairs.jsonl").write_text(json.dumps(PAIR) + "\n")
    assert command("fit", "coin.yaml", "--data", "pairs.jsonl", "-o", "run")[0] == 0
    return tmp_path


def test_a_table_is_a_part_of_the_graph(place: Path, command: Command) -> None:
    Path("out").mkdir()
    code, out, err = command("export", "run", "-o", "out")
    assert (code, err) == (0, "")
    assert out == "m: table, out/graph.yaml\nthe system: out/graph.yaml\n"
    ask = ("--input", "x=hi", "--format", "json", "--seed")
    for seed in "12345":
        ours = command("run", "coin.yaml", "--model-dir", "run", *ask, seed)
        assert command("run", "out/graph.yaml", *ask, seed) == ours
    assert sorted(p.name for p in Path("out").iterdir()) == ["README.md", "graph.svg", "graph.yaml"]


def test_wrong_input_leaves_nothing(place: Path, command: Command) -> None:
    Path("full").mkdir()
    Path("full/mine.txt").write_text("mine")
    Path("stopped").mkdir()
    for name in ("program.json", "graph.yaml"):
        Path("stopped", name).write_bytes(Path("run", name).read_bytes())
    before = sorted(place.rglob("*"))
    for arguments, said in (
        (("stopped", "-o", "out"), "go on with sysgraph fit stopped/graph.yaml --resume"),
        (("run", "-o", "full"), "full is not empty"),
        (("run", "-o", "coin.yaml"), "it is no folder"),
        (("none", "-o", "out"), "none is no run"),
        (("run", "-o", "out", "--push", "nobody"), "expected OWNER/NAME"),
        (("run", "-o", "pairs.jsonl/out"), "cannot write"),
    ):
        code, out, err = command("export", *arguments)
        assert (code, out) == (2, ""), (arguments, err)
        assert said in err
    assert sorted(place.rglob("*")) == before


def test_what_tools_read_comes_along(place: Path, command: Command) -> None:
    tool = "{kind: tool, tool: retrieve, args: {query: x}, returns: list, settings: {corpus: %s}}"
    text = GRAPH.replace("  y:", f"  found: {tool % 'texts/all.jsonl'}\n  y:")
    text = text.replace("{{ x }}", "{{ found | join }}").replace("x -> y", "x -> found, found -> y")
    Path("from/texts").mkdir(parents=True)
    Path("from/rag.yaml").write_text(text)
    Path("from/texts/all.jsonl").write_text('{"id": "1", "text": "hi there"}\n')
    assert command("fit", "from/rag.yaml", "--data", "pairs.jsonl", "-o", "rag")[0] == 0
    assert command("export", "rag", "-o", "out")[0] == 0
    Path("from").rename("gone")
    code, out, err = command("run", "out/graph.yaml", "--input", "x=hi")
    assert (code, "- hi there\n" in out) == (0, True), err


def test_a_graph_s_folders_are_found_from_anywhere(place: Path, command: Command) -> None:
    Path("there/base").mkdir(parents=True)
    text = GRAPH.replace("{kind: table, values: [a, b]}", "{kind: causal_lm, id: ./base}")
    Path("there/lm.yaml").write_text(text)
    code, _, err = command("run", "there/lm.yaml", "--input", "x=hi")
    assert code == 2
    assert f"cannot load model id '{place / 'there' / 'base'}'" in err
    Path("there/program.json").write_text("{}")  # a run's: its graph was written elsewhere
    assert "no such folder" in command("run", "there/lm.yaml", "--input", "x=hi")[2]


class Hub(BaseHTTPRequestHandler):
    """As much of the Hub as a push asks for; what it was sent is in `files`."""

    files: dict[str, bytes]
    made: dict[str, Any]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path.endswith("/repos/create"):
            self.made.update(json.loads(body))
            here = f"http://{self.headers['Host']}/someone/coin"
            self._say({"url": here, "name": "someone/coin"})
        elif self.path.endswith("/validate-yaml"):
            self._say({"errors": [], "warnings": []})
        elif "/preupload/" in self.path:
            asked = json.loads(body)["files"]
            modes = [
                {"path": f["path"], "uploadMode": "regular", "shouldIgnore": False} for f in asked
            ]
            self._say({"files": modes})
        else:
            for line in map(json.loads, body.decode().splitlines()):
                if line["key"] == "file":
                    value = line["value"]
                    self.files[value["path"]] = base64.b64decode(value["content"])
            here = f"http://{self.headers['Host']}/someone/coin/commit/{'a' * 40}"
            self._say({"commitUrl": here, "commitOid": "a" * 40, "success": True})

    def do_GET(self) -> None:
        self._say({"id": "someone/coin", "sha": "a" * 40, "siblings": []})

    def _say(self, found: Any) -> None:
        content = json.dumps(found).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, type[Hub]]]:
    """Its address, and what it was sent."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    kind = type("Fake", (Hub,), {"files": {}, "made": {}})
    server = ThreadingHTTPServer(("127.0.0.1", 0), kind)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", kind
    server.shutdown()
    server.server_close()


def test_pushed_is_what_was_written(
    place: Path, command: Command, hub: tuple[str, type[Hub]]
) -> None:
    url, fake = hub
    assert command("export", "run", "-o", "out")[0] == 0
    said = push(Path("out"), "someone/coin", api=HfApi(endpoint=url, token="hf_x"))
    assert "someone/coin" in said
    assert {"name": "coin", "organization": "someone", "visibility": "private"}.items() <= (
        fake.made.items()
    )
    assert fake.files == {p.name: p.read_bytes() for p in Path("out").iterdir()}
    with pytest.raises(RunError, match="out is written, but not pushed"):
        push(Path("out"), "someone/coin", api=HfApi(endpoint="http://127.0.0.1:1", token="hf_x"))
