"""`collect` on a system that draws: a text, its captions, and an image for each."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import sysgraph
from sysgraph import DataError, RunError, Scorer, Trace, collect, load_pairs
from sysgraph.support.progress import Reporter
from sysgraph.traces.pictures import Picture

from ...engines.diffusion.folders import save_sd

GRAPH = """
sysgraph: 1
name: g
models:
  writer: {{kind: table, values: ["red; green; blue", "sky; sea; sun", "one; two"]}}
  painter: {{kind: diffusion, id: {folder}, inference_steps: 2}}
nodes:
  prompt: {{kind: input}}
  text: {{kind: lm, model: writer, prompt: "{{{{ prompt }}}}"}}
  captions: {{kind: parse, parser: captions}}
  image:
    {{kind: diffusion, for_each: {{part: captions}}, model: painter, prompt: "{{{{ part }}}}"}}
parsers:
  captions: {{kind: split, separator: ";", min_items: 3, max_items: 3, on_failure: reject}}
edges: [prompt -> text, text -> captions, captions -> image]
outputs: [image]
fit: {{steps: 2, batch_size: 4, eval_fraction: 0, mixed_precision: "no"}}
"""
ROWS = [{"prompt": f"p{i % 3}", "id": i} for i in range(4)]
QUIET = Reporter(shown=False)
IMAGES = ("image[1]", "image[2]", "image[3]")


def brightness(traces: Sequence[Trace]) -> list[float]:
    return [sum(float(np.asarray(p.open()).mean()) for p in pictures(trace)) for trace in traces]


def pictures(trace: Trace) -> list[Picture]:
    found = [trace.values[name] for name in IMAGES if name in trace.values]
    return [one for one in found if isinstance(one, Picture)]


SCORER = Scorer("brightness", brightness)


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> sysgraph.Graph:
    folder = save_sd(tmp_path_factory.mktemp("pipelines") / "sd")
    return sysgraph.load(GRAPH.format(folder=folder))


@pytest.fixture
def run(graph: sysgraph.Graph, tmp_path: Path) -> Callable[..., Any]:
    inputs = tmp_path / "in.jsonl"
    inputs.write_text("".join(json.dumps(row) + "\n" for row in ROWS))

    def call(name: str, **given: Any) -> Any:
        given = {"scorer": SCORER, **given}
        return collect(graph, inputs, output=tmp_path / name, reporter=QUIET, **given)

    return call


def test_pairs_hold_what_was_sampled(
    graph: sysgraph.Graph, run: Callable[..., Any], tmp_path: Path
) -> None:
    """The very latents, so that training scores what sampling gave."""
    found = run("c")
    program = sysgraph.compile(graph)
    sampled = sysgraph.System(program, device="cpu").sample(ROWS, n=4, seed=0)
    by_input = [sampled[start : start + 4] for start in range(0, len(sampled), 4)]
    pairs = load_pairs(program, tmp_path / "c")
    assert len(pairs) == found.pairs > 5
    for pair in pairs:
        group = [trace.values for trace in by_input[int(pair.chosen.extra["id"])]]
        assert pair.chosen.values in group
        assert pair.rejected.values in group
        assert len(pictures(pair.chosen)) == 3
        assert all(p.final is not None for p in pictures(pair.chosen))
        if not pair.rejected.failed:
            better, worse = brightness([pair.chosen, pair.rejected])
            assert better > worse
    losers = [pair.rejected for pair in pairs if pair.rejected.failed]
    assert losers
    assert not any(pictures(trace) for trace in losers)
    distinct = {p.digest for trace in sampled for p in pictures(trace)}
    files = {path.name for path in (tmp_path / "c" / "images").iterdir()}
    assert files == {f"{d}{suffix}" for d in distinct for suffix in (".png", ".safetensors")}


def test_stopped_it_ends_the_same(run: Callable[..., Any], tmp_path: Path) -> None:
    def files() -> dict[str, bytes]:
        return {
            str(path.relative_to(tmp_path / "c")): path.read_bytes()
            for path in (tmp_path / "c").rglob("*")
            if path.is_file()
        }

    run("c")
    whole = files()
    traces = tmp_path / "c" / "traces.jsonl"
    traces.write_bytes(traces.read_bytes()[:2000])
    (tmp_path / "c" / "pairs.jsonl").unlink()
    for path in sorted((tmp_path / "c" / "images").glob("*.png"))[::2]:
        path.unlink()  # as a stop between an image's latents and the image leaves it
    run("c")
    assert files() == whole


def test_shards_share_the_images(
    graph: sysgraph.Graph, run: Callable[..., Any], tmp_path: Path
) -> None:
    run("whole")
    for shard in ("2/2", "1/2"):
        run("parts", shard=shard)
    program = sysgraph.compile(graph)
    summaries = [
        sorted(repr((p.chosen, p.rejected)) for p in load_pairs(program, tmp_path / name))
        for name in ("whole", "parts")
    ]
    assert summaries[0] == summaries[1]


def test_an_image_that_has_gone(run: Callable[..., Any], tmp_path: Path) -> None:
    run("c")
    gone = min((tmp_path / "c" / "images").glob("*.png"))
    gone.unlink()
    with pytest.raises(
        DataError, match=rf"traces\.jsonl:\d+: values\.image\[\d\]: {gone}: No such"
    ):
        run("c")


def test_training_reads_the_folder(
    graph: sysgraph.Graph, run: Callable[..., Any], tmp_path: Path
) -> None:
    run("c")
    done = sysgraph.fit(graph, data=tmp_path / "c", output=tmp_path / "run", reporter=QUIET)
    assert (done.folder / "models" / "painter").is_dir()


def test_a_wrong_size_is_refused_before_training(
    graph: sysgraph.Graph, run: Callable[..., Any], tmp_path: Path
) -> None:
    run("c")
    pairs = tmp_path / "c" / "pairs.jsonl"
    rows = [json.loads(line) for line in pairs.open()]
    Image.new("RGB", (16, 8)).save(tmp_path / "wide.png")
    rows[1]["chosen"]["image"][1] = "../wide.png"
    pairs.write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(DataError) as caught:
        sysgraph.fit(graph, data=pairs, output=tmp_path / "run", reporter=QUIET)
    assert caught.value.problems == (
        f"{pairs}:2: chosen.image[2]: {tmp_path}/c/../wide.png is 16 x 8 pixels, but model "
        "'painter' draws 8 x 8: resize it, or set the model's `width` and `height`",
    )
    assert not (tmp_path / "run").exists()


def test_large_pipelines_are_saved_sooner(
    graph: sysgraph.Graph,
    run: Callable[..., Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """After four sampling loops: here each has room for 6 images, and an input has 12."""
    monkeypatch.setattr("sysgraph.engines.diffusion.engine._PIXELS_PER_LOOP", 12 * 16)
    whole = run("whole").file.with_name("traces.jsonl").read_bytes()
    system = sysgraph.System(sysgraph.compile(graph), device="cpu")
    assert [system.inputs_at_once(n) for n in (1, 2, 4, 100)] == [8, 4, 2, 1]
    seen: list[Trace] = []

    def stops(traces: Sequence[Trace]) -> list[float]:
        if seen:
            raise KeyboardInterrupt
        seen.extend(traces)
        return brightness(traces)

    with pytest.raises(RunError, match="interrupted; call `sysgraph collect` again"):
        run("c", scorer=Scorer("brightness", stops))
    assert {trace.extra["id"] for trace in seen} == {0, 1}
    traces = tmp_path / "c" / "traces.jsonl"
    assert traces.read_bytes() == b"".join(whole.splitlines(keepends=True)[:8])
    run("c")
    assert traces.read_bytes() == whole
