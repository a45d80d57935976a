"""What a vision-language model learns of pictures, and that a stopped run goes on."""

import contextlib
import json
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image

import sysgraph
from sysgraph import RunError
from sysgraph.reports.page import write_report
from sysgraph.support.progress import Reporter, Task

GRAPH = """
name: color
models:
  v: {{kind: vision_lm, id: {id}, learning_rate: 2e-2}}
nodes:
  picture: {{kind: input, type: image}}
  answer: {{kind: lm, model: v, prompt: "{{{{ picture }}}} what ?"}}
edges: [picture -> answer]
outputs: [answer]
fit:
  data: "{data}"
  steps: 12
  batch_size: 8
  beta: 0.5
  eval_fraction: 0.3
  log_every: 4
"""


class Interrupting(Reporter):
    """Sends this process a SIGINT in the fifth step."""

    @contextlib.contextmanager
    def task(self, name: str, total: int, done: int = 0) -> Iterator[Task]:
        with super().task(name, total, done) as task:
            if name == "fit":
                advance, steps = task.advance, iter(range(1, total + 1))

                def counted(count: int = 1, note: str | None = None) -> None:
                    advance(count, note)
                    if next(steps) == 5:
                        signal.raise_signal(signal.SIGINT)

                task.advance = counted  # type: ignore[method-assign]
            yield task


def write_pairs(folder: Path) -> Path:
    """Pictures of one colour each, with its name and the other's."""
    (folder / "pictures").mkdir()
    rows = []
    for i in range(20):
        names = ("red", "blue") if i % 2 else ("blue", "red")
        shade = 12 * i
        color = (220, shade, shade) if i % 2 else (shade, shade, 220)
        Image.new("RGB", (16, 16), color).save(folder / "pictures" / f"{i}.png")
        sides = {
            side: {"answer": name} for side, name in zip(("chosen", "rejected"), names, strict=True)
        }
        rows.append({"inputs": {"picture": f"pictures/{i}.png"}, **sides})
    file = folder / "pairs.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


def test_what_a_picture_shows_is_learned(viewer: Callable[[str], Path], tmp_path: Path) -> None:
    """It carries over to pictures that were held out, and a stopped run ends as the whole one."""
    graph = sysgraph.load(GRAPH.format(id=viewer("llava"), data=write_pairs(tmp_path)))
    quiet = Reporter(shown=False)
    sysgraph.fit(graph, output=tmp_path / "whole", reporter=quiet)
    lines = [json.loads(line) for line in (tmp_path / "whole" / "metrics.jsonl").open()]
    assert lines[-1]["eval_rewards/accuracies"] > 0.8
    assert lines[-1]["eval_loss"] < 0.4
    with pytest.raises(RunError, match="interrupted"):
        sysgraph.fit(graph, output=tmp_path / "cut", reporter=Interrupting(shown=False))
    sysgraph.fit(graph, output=tmp_path / "cut", resume=True, reporter=quiet)
    models = [
        (tmp_path / run / "models" / "v" / "adapter_model.safetensors").read_bytes()
        for run in ("whole", "cut")
    ]
    assert models[0] == models[1]
    write_report(tmp_path / "whole", tmp_path / "report.html")
    assert '<b>picture</b> <img alt="' in (tmp_path / "report.html").read_text()
