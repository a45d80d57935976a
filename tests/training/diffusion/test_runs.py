"""`fit` on graphs with images: what it learns, what it costs, and that it can be resumed."""

import contextlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

import sysgraph
from sysgraph import RunError
from sysgraph.engines.diffusion import engine as engines
from sysgraph.engines.diffusion.resident import Resident
from sysgraph.support.progress import Reporter, Task
from sysgraph_schemas import Diffusion

from ..test_processes import launch
from ..test_resume import Interrupting, assert_same

Build = Callable[..., sysgraph.Graph]
Weights = Callable[[Path], dict[str, Tensor]]
Metrics = Callable[[Path], list[dict[str, Any]]]
Passes = list[tuple[bool, int]]


def with_data(graph: sysgraph.Graph, rows: Path, **fit: Any) -> sysgraph.Graph:
    settings = graph.fit.model_copy(update={"data": str(rows), **fit})
    return graph.model_copy(update={"fit": settings})


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> Passes:
    """(with gradients, rows) of every forward pass of a UNet, as they come."""
    found: Passes = []
    errors = engines.errors

    def counted(module: nn.Module, *arguments: Any) -> Tensor:
        def count(_: nn.Module, inputs: Any) -> None:
            found.append((torch.is_grad_enabled(), len(inputs[0])))

        handle = module.register_forward_pre_hook(count)
        try:
            return errors(module, *arguments)
        finally:
            handle.remove()

    monkeypatch.setattr(engines, "errors", counted)
    return found


def test_both_models_learn(
    story: Build,
    story_rows: Path,
    weights: Weights,
    metrics: Metrics,
    tmp_path: Path,
    quiet: Reporter,
) -> None:
    graph = story(learning_rate=2e-3, objective={"scale": 1000.0})
    graph = with_data(graph, story_rows, steps=40, batch_size=5, lr_scheduler="constant")
    sysgraph.fit(graph, output=tmp_path / "run", reporter=quiet)
    first, *_, last = metrics(tmp_path / "run")
    # Before the first step policy and reference are one, on the same noise.
    assert first["loss"] == pytest.approx(0.693147, abs=1e-4)
    assert first["rewards/margins/image[2]"] == pytest.approx(0, abs=1e-3)
    assert (first["learning_rate/writer"], first["learning_rate/painter"]) == (1e-3, 2e-3)
    for name in ("text", "image[1]", "image[2]", "image[3]"):
        assert first[f"logps/chosen/{name}" if name != "image[3]" else f"logps/rejected/{name}"] < 0
        assert f"rewards/accuracies/{name}" in last
    late = metrics(tmp_path / "run")[-10:]
    margins = {
        name: sum(line[f"rewards/margins/{name}"] for line in late) / 10
        for name in ("text", "image[1]", "image[2]")
    }
    assert min(margins.values()) > 0.02, margins
    assert sum(line["loss"] for line in late) / 10 < 0.6
    found = weights(tmp_path / "run")
    assert {name.partition("/")[0] for name in found} == {"writer", "painter"}


def test_a_step_is_a_pass_of_the_policy_and_one_of_the_reference(
    story: Build,
    story_rows: Path,
    passes: Passes,
    tmp_path: Path,
    quiet: Reporter,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """15 images of five pairs, less 2 whose captions and images agree; two draws each."""
    monkeypatch.setattr("sysgraph.training.record.Record.credit", lambda *_: None)
    for name, bank, told in (("new", None, "every step"), ("bank", 2, "once")):
        graph = story(objective={"draws": 2, "bank": bank})
        graph = with_data(graph, story_rows, steps=3, batch_size=5)
        assert sysgraph.compile(graph).terms[-1].reference == told
        sysgraph.fit(graph, output=tmp_path / name, reporter=quiet)
    images = 4 + 2 + 2 + 2 + 5
    policy, reference = (True, 2 * images), (False, 2 * images)
    assert passes[:6] == [reference, policy] * 3
    assert passes[6:] == [(False, 2 * 2 * images), policy, policy, policy]


def test_frozen_images_cost_nothing(
    story: Build,
    story_rows: Path,
    passes: Passes,
    weights: Weights,
    tmp_path: Path,
    quiet: Reporter,
) -> None:
    for name, graph in (
        ("frozen", story(train="frozen")),
        ("left out", story({"train": ["writer"]})),
    ):
        sysgraph.fit(with_data(graph, story_rows), output=tmp_path / name, reporter=quiet)
        assert {key.partition("/")[0] for key in weights(tmp_path / name)} == {"writer"}
    assert not passes


def test_held_out_images_differ_by_the_weights_alone(
    one_image: Build, image_rows: Path, metrics: Metrics, tmp_path: Path, quiet: Reporter
) -> None:
    """A learning rate of nearly nothing: what is trained on changes with its noise."""
    graph = one_image({"learning_rate": 1e-30}, objective={"scale": 1e4})
    graph = with_data(graph, image_rows, eval_fraction=0.5, eval_every=1, steps=4)
    sysgraph.fit(graph, output=tmp_path / "run", reporter=quiet)
    lines = metrics(tmp_path / "run")
    name = "logps/chosen/image"
    assert len({line[f"eval_{name}"] for line in lines if f"eval_{name}" in line}) == 1
    assert len({line[name] for line in lines if name in line}) == 4


@pytest.mark.parametrize("bank", [None, 2])
def test_a_stopped_run_goes_on_to_the_bit(
    story: Build, story_rows: Path, tmp_path: Path, quiet: Reporter, bank: int | None
) -> None:
    """In its fifth step, within an epoch; the images are files that the VAE has to encode."""
    graph = story(train="full", objective={"bank": bank})
    graph = with_data(graph, story_rows, steps=9, batch_size=3, eval_fraction=0.2, eval_every=2)
    sysgraph.fit(graph, output=tmp_path / "whole", reporter=quiet)
    with pytest.raises(RunError, match="interrupted"):
        sysgraph.fit(graph, output=tmp_path / "run", reporter=Interrupting(shown=False))
    assert json.loads((tmp_path / "run" / "state" / "info.json").read_text())["step"] == 5
    sysgraph.fit(graph, output=tmp_path / "run", resume=True, reporter=quiet)
    assert_same(tmp_path / "whole", tmp_path / "run")


class Breaking(Reporter):
    """Ends the process's run in the third step of the second round, as a second Ctrl-C would."""

    @contextlib.contextmanager
    def task(self, name: str, total: int, done: int = 0) -> Iterator[Task]:
        with super().task(name, total, done) as task:
            if name == "round 2/2":
                steps = iter((None, None, KeyboardInterrupt))

                def counted(count: int = 1, note: str | None = None) -> None:
                    if error := next(steps):
                        raise error

                task.advance = counted  # type: ignore[method-assign]
            yield task


def test_a_stopped_round_goes_on_to_the_bit(
    one_image: Build,
    write_inputs: Callable[[int], Path],
    weights: Weights,
    metrics: Metrics,
    tmp_path: Path,
    quiet: Reporter,
) -> None:
    """With what was sampled: images as files, and the latents that they were decoded from.

    Tensors are compared: safetensors writes a file's metadata in any order.
    """
    fit = {"rounds": 2, "samples": 2, "save_every": 1, "eval_fraction": 0.25, "scorer": "none"}
    graph = one_image({**fit, "inputs": str(write_inputs(8))}, objective={"draws": 2})
    brightness = sysgraph.Scorer(
        "brightness", lambda traces: [float(np.mean(t.values["image"].open())) for t in traces]
    )
    sysgraph.fit(graph, output=tmp_path / "whole", scorer=brightness, reporter=quiet)
    with pytest.raises(RunError, match="interrupted"):
        sysgraph.fit(
            graph, output=tmp_path / "run", scorer=brightness, reporter=Breaking(shown=False)
        )
    info = json.loads((tmp_path / "run" / "state" / "info.json").read_text())
    assert (info["round"], info["step"]) == (1, 2)
    sysgraph.fit(graph, output=tmp_path / "run", resume=True, scorer=brightness, reporter=quiet)
    whole, found = weights(tmp_path / "whole"), weights(tmp_path / "run")
    assert whole.keys() == found.keys()
    assert all(torch.equal(found[name], tensor) for name, tensor in whole.items())
    assert metrics(tmp_path / "whole") == metrics(tmp_path / "run")


def test_latents_do_not_depend_on_what_is_encoded_beside(
    pipeline: Path,
) -> None:
    """A resumed run encodes the images that its next step needs, the whole run had most of them."""
    spec = Diffusion(id=str(pipeline), train="frozen", inference_steps=2)
    encoder = Resident(spec, torch.device("cpu")).autoencoder
    rng = np.random.default_rng(0)
    images = [Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)) for _ in range(16)]
    assert torch.equal(encoder.encode(images[:3]), encoder.encode(images)[:3])


def test_micro_batches_and_processes_train_what_one_does(
    story: Build,
    story_rows: Path,
    environment: dict[str, str],
    weights: Weights,
    tmp_path: Path,
    quiet: Reporter,
) -> None:
    def graph(parts: int, bank: int | None) -> sysgraph.Graph:
        built = story({"beta": 0.01}, objective={"bank": bank})
        return with_data(built, story_rows, batch_size=3, gradient_accumulation_steps=parts)

    launch([graph(1, None), graph(1, 2)], tmp_path, environment)
    for i, bank in enumerate((None, 2)):
        sysgraph.fit(graph(1, bank), output=tmp_path / f"one{i}", reporter=quiet)
        sysgraph.fit(graph(2, bank), output=tmp_path / f"parts{i}", reporter=quiet)
        for name, tensor in weights(tmp_path / f"one{i}").items():
            for other in (f"parts{i}", f"{i}"):
                found = weights(tmp_path / other)[name]
                torch.testing.assert_close(found, tensor, atol=1e-4, rtol=0, msg=f"{other} {name}")


def test_nothing_that_is_not_finite_is_stepped_on(
    story: Build, story_rows: Path, tmp_path: Path, quiet: Reporter
) -> None:
    graph = with_data(
        story(objective={"scale": 1e38, "reduction": "sum"}), story_rows, save_every=1
    )
    with pytest.raises(RunError, match=r"^step 1 was not taken: .*painter (inf|nan)"):
        sysgraph.fit(graph, output=tmp_path / "run", reporter=quiet)
    assert not (tmp_path / "run" / "models").exists()


def test_sides_that_agree_teach_no_images(
    story: Build, images: list[Path], write_pairs: Callable[..., Path], tmp_path: Path
) -> None:
    side = {"text": "fog;owl", "image": [str(images[0])] * 2}
    rows = write_pairs([({"prompt": "p"}, side, side)])
    graph = with_data(story({"anchor": 0.5}), rows)
    reporter = Telling()
    sysgraph.fit(graph, output=tmp_path / "run", reporter=reporter)
    assert any("painter" in text and "agree" in text for text in reporter.lines), reporter.lines


class Telling(Reporter):
    """Keeps its lines."""

    def __init__(self) -> None:
        super().__init__(shown=False)
        self.lines: list[str] = []

    def line(self, text: str) -> None:
        self.lines.append(text)


def test_captions_that_are_cut_are_told_with_their_rows(
    story: Build, images: list[Path], write_pairs: Callable[..., Path], tmp_path: Path
) -> None:
    both = [str(path) for path in images[:2]]
    good = {"text": "fog;owl", "image": both}
    fine = {"text": "sun;owl", "image": both}
    cut = {"text": "a caption of many letters;and another of them", "image": both}
    sides = [fine, *[cut] * 7]
    rows = write_pairs([({"prompt": f"p{i}"}, good, side) for i, side in enumerate(sides)])
    reporter = Telling()
    sysgraph.fit(with_data(story(), rows, steps=1), output=tmp_path / "run", reporter=reporter)
    told = [line for line in reporter.lines if line.startswith("warning")]
    assert "pairs.jsonl:2: rejected.image[1]: the caption has 23 tokens" in told[0]
    assert [line.partition(": rejected")[0].rpartition(":")[2] for line in told[:5]] == [*"23456"]
    assert told[5:] == ["warning: and so in 2 more pairs"]
