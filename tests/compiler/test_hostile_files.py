"""Files that a graph names: none outside of its folder is ever opened, and they are bounded."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
HEAD = "name: x\nmodels:\n  m: {kind: table, values: [a]}\nnodes:\n  q: {kind: input}\n"
TAIL = "edges: [q -> a]\noutputs: [a]\n"
PLAIN = f"{HEAD}  a: {{kind: lm, model: m, prompt: '{{{{ q }}}}'}}\n{TAIL}"


def using(file: str) -> str:
    return f"{HEAD}  a: {{use: {json.dumps(file)}}}\n{TAIL}"


def reading(file: str) -> str:
    return f"{HEAD}  a: {{kind: lm, model: m, prompt: {{file: {json.dumps(file)}}}}}\n{TAIL}"


def twice(file: str) -> str:
    nodes = f"  b: {{use: {file}}}\n  a: {{use: {file}, models: own}}\n"
    return f"{HEAD}{nodes}edges: [q -> b, b -> a]\noutputs: [a]\n"


OUTSIDE = ["../secret", "/etc/passwd", "sub/../../secret", "..", "C:/x", "..\\secret", "~/x", "\0"]
LINKS = ["link", "links/secret", "chain"]
ODD = ["pipe", "zero", "folder", "big", "binary", "nowhere/x", "", "y" * 5000]


def many(line: str, count: int) -> str:
    return f"{HEAD}{''.join(line.replace('0', str(i)) for i in range(count))}{TAIL}"


def based(file: str) -> str:
    return f"base: {json.dumps(file)}\n"


GRAPHS = {
    **{
        f"{make.__name__} {file!r:.20}": (make(file), "SG0" if file else "SG")
        for file in (*OUTSIDE, *LINKS, *ODD)
        for make in (using, reading, based)
    },
    "circle": (using("circle.yaml"), "SG010"),
    "base of itself": ("base: graph.yaml\n", "SG010"),
    "a part of 1,000 parts in one another": (using("deep0.yaml"), "SG011"),
    "laughs": (using("laugh0.yaml"), "SG011"),
    "wide": (many("  p0: {use: wide.yaml, models: own}\n", 900), "SG011"),
    "many files": (many("  n0: {kind: lm, model: m, prompt: {file: t0}}\n", 200), "SG011"),
    "no graph": (using("list.yaml"), "SG008"),
    "a link inside": (using("inside.yaml").replace('l"}', 'l", models: {m: m}}'), ""),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    top = tmp_path_factory.mktemp("hostile")
    (top / "secret").write_text("secret")
    inside = top / "graphs"
    (inside / "folder").mkdir(parents=True)
    (inside / "link").symlink_to(top / "secret")
    (inside / "links").symlink_to(top)
    (inside / "chain").symlink_to(inside / "link")
    (inside / "zero").symlink_to("/dev/zero")
    (inside / "inside.yaml").symlink_to("plain.yaml")
    os.mkfifo(inside / "pipe")
    with open(inside / "big", "wb") as file:
        file.truncate(100 << 20)
    (inside / "binary").write_bytes(b"\xff\xfe\x00")
    texts = {"plain.yaml": PLAIN, "list.yaml": "- a\n", "circle.yaml": using("circle2.yaml")}
    texts |= {"circle2.yaml": using("circle.yaml"), "laugh20.yaml": PLAIN}
    texts |= {f"deep{i}.yaml": using(f"deep{i + 1}.yaml") for i in range(1000)}
    texts |= {f"laugh{i}.yaml": twice(f"laugh{i + 1}.yaml") for i in range(20)}
    nodes = "".join(f"  n{i}: {{kind: lm, model: m, prompt: '{{{{ q }}}}'}}\n" for i in range(60))
    texts["wide.yaml"] = f"{HEAD}{nodes}{TAIL}".replace("outputs: [a]", "outputs: [n1]")
    texts |= {f"t{i}": "{{ q }}" for i in range(200)}
    for name, text in texts.items():
        (inside / name).write_text(text)
    return inside


@pytest.fixture(scope="module")
def reports(folder: Path) -> dict[str, dict[str, object]]:
    paths = []
    for number, (text, _) in enumerate(GRAPHS.values()):
        path = folder / ("graph.yaml" if text.startswith("base: graph.yaml") else f"g{number}.yaml")
        path.write_text(text)
        paths.append({"path": str(path)})
    known_lines = "  n0: {kind: lm, model: m, prompt: {file: t0}}\n  p0: {use: ../x}\n"
    (folder / "known.yaml").write_text(many(known_lines, 3))
    known = [str(ROOT / "graphs" / "moa.yaml"), *map(str, folder.glob("[kp]*n.yaml"))]
    done = subprocess.run(
        [sys.executable, HERE / "hostile.py", *known],
        input=json.dumps(paths),
        capture_output=True,
        text=True,
        check=True,
    )
    return dict(zip(GRAPHS, json.loads(done.stdout), strict=True))


@pytest.mark.parametrize("name", GRAPHS)
def test_it_is_refused_and_nothing_outside_is_opened(
    name: str, reports: dict[str, dict[str, object]], folder: Path
) -> None:
    report, code = reports[name], GRAPHS[name][1]
    codes = report["codes"]
    assert isinstance(codes, list)
    assert any(found.startswith(code) for found in codes) if code else codes == []
    events = report["events"]
    assert isinstance(events, list)
    for event in events:
        assert event.startswith("open "), event
        opened = event.removeprefix("open ('").partition("'")[0]
        assert opened.startswith(str(folder)) or "/" not in opened, event
        assert ".." not in opened, event
        assert "secret" not in opened, event
