"""Meters: tiny real checkpoints, against transformers called plainly, one image at a time."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from PIL import Image
from transformers import (
    AutoImageProcessor,
    AutoModelForImageClassification,
    CLIPModel,
    CLIPProcessor,
    ImageClassificationPipeline,
)

from sysgraph import InputError
from sysgraph.measuring.scorers.meters import Classifier, Clip, Meter, Texts
from sysgraph.traces.pictures import Picture

from .checkpoints import LABELS, noise, save_classifier, save_clip

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> list[Picture]:
    """More than a batch."""
    return noise(tmp_path_factory.mktemp("images"), 37)


@pytest.fixture(scope="module")
def clip_folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    return save_clip(tmp_path_factory.mktemp("models") / "clip")


def counted(meter: Meter, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The number of images in each call of the meter's model."""
    calls: list[int] = []
    forward = meter.forward

    def count(pictures: list[Picture], asked: list) -> list[float]:
        calls.append(len(pictures))
        return forward(pictures, asked)

    monkeypatch.setattr(meter, "forward", count)
    return calls


@pytest.mark.parametrize("kind", ["vit", "resnet"])
@pytest.mark.parametrize(
    ("problem", "labels"),
    [
        (None, LABELS),
        ("single_label_classification", LABELS),
        ("multi_label_classification", LABELS),
        ("regression", LABELS),
        ("regression", ("beauty",)),
        (None, ("beauty",)),
    ],
)
def test_a_classifier_gives_what_the_pipeline_gives(
    kind: str, problem: str | None, labels: tuple[str, ...], pictures: list[Picture], tmp_path: Path
) -> None:
    folder = save_classifier(tmp_path / "model", labels, kind)
    config = tmp_path / "model" / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "problem_type": problem}))
    meter = Classifier(folder, device=CPU)
    asked = [labels[i % len(labels)] for i in range(len(pictures))]
    found = meter.measure(pictures, [meter.asked({"attribute": one}) for one in asked])
    pipe = ImageClassificationPipeline(
        model=AutoModelForImageClassification.from_pretrained(folder),
        image_processor=AutoImageProcessor.from_pretrained(folder),
        device=CPU,
    )
    wanted = []
    for picture, label in zip(pictures, asked, strict=True):
        scores = {one["label"]: one["score"] for one in pipe(picture.open(), top_k=len(labels))}
        wanted.append(scores[label])
    assert found == pytest.approx(wanted, abs=1e-5)
    assert max(found) - min(found) > 0.02
    outside = [value for value in found if not 0 <= value <= 1]
    assert bool(outside) == (problem == "regression")


@pytest.mark.parametrize(
    ("texts", "positive", "negative"),
    [
        (Texts(), "a {} photo", "a photo that is not {}"),
        (Texts("the {attribute} {scene}", "the {scene}"), "the {} lake", "the lake"),
    ],
)
def test_clip_is_the_softmax_over_two_texts(
    texts: Texts, positive: str, negative: str, pictures: list[Picture], clip_folder: str
) -> None:
    meter = Clip(clip_folder, texts, device=CPU)
    asked = [LABELS[i % 3] for i in range(len(pictures))]
    rows = [meter.asked({"attribute": one, "scene": "lake", "other": 3}) for one in asked]
    found = meter.measure(pictures, rows)
    model = CLIPModel.from_pretrained(clip_folder).eval()
    processor = CLIPProcessor.from_pretrained(clip_folder)
    wanted = []
    for picture, word in zip(pictures, asked, strict=True):
        both = [positive.format(word), negative.format(word)]
        inputs = processor(text=both, images=picture.open(), return_tensors="pt", padding=True)
        with torch.no_grad():
            wanted.append(float(model(**inputs).logits_per_image.softmax(1)[0, 0]))
    assert found == pytest.approx(wanted, abs=1e-4)
    assert max(found) - min(found) > 0.05


@pytest.mark.parametrize("make", [save_classifier, save_clip], ids=["classifier", "clip"])
def test_an_image_is_looked_at_once_for_each_question(
    make: Callable[[Path], str],
    pictures: list[Picture],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = make(tmp_path / "model")
    kind = Classifier if make is save_classifier else Clip
    meter: Meter = kind(folder, device=CPU)
    calls = counted(meter, monkeypatch)
    bright, red = (meter.asked({"attribute": one}) for one in ("bright", "red"))
    first = meter.measure([*pictures, pictures[0]], [bright] * 38)
    assert calls == [32, 5]
    assert first[0] == first[-1]
    Image.new("RGB", (12, 12)).save(tmp_path / "black.png")
    black = Picture.read(tmp_path / "black.png")
    again = meter.measure([black, *pictures], [bright] * 38)
    assert calls == [32, 5, 1]
    assert again[1:] == first[:37]
    assert meter.measure(pictures[:2], [red, bright])[1] == first[1]
    assert calls == [32, 5, 1, 1]
    assert meter.measure(pictures[:1], [red]) != meter.measure(pictures[:1], [bright])


def test_images_of_any_size_and_mode(tmp_path: Path) -> None:
    meter = Classifier(save_classifier(tmp_path / "model"), device=CPU)
    files = []
    for name, image in {
        "wide": Image.new("RGB", (64, 8), "red"),
        "gray": Image.new("L", (12, 12), 76),
        "clear": Image.new("RGBA", (12, 12), (255, 0, 0, 0)),
    }.items():
        image.save(tmp_path / f"{name}.png")
        files.append(Picture.read(tmp_path / f"{name}.png"))
    assert len(set(meter.measure(files, [0] * 3))) == 3


def test_a_row_that_says_nothing_a_model_knows(tmp_path: Path, clip_folder: str) -> None:
    classifier = Classifier(save_classifier(tmp_path / "model"), device=CPU)
    for fields, said in (
        ({"attribute": "brigt"}, "has no label 'brigt'; did you mean `bright`? its labels are: br"),
        ({"attribute": "zzz"}, "its labels are: bright, red, foggy"),
        ({"attribute": 3}, "attribute: expected a text, got 3"),
        ({"scene": "lake"}, r"attribute: missing; expected a text \(the row has scene\)"),
    ):
        with pytest.raises(InputError, match=said.replace("?", r"\?")):
            classifier.asked(fields)
    clip = Clip(clip_folder, Texts(positive="{attribute} {scene}"), device=CPU)
    with pytest.raises(InputError, match="scene: missing"):
        clip.asked({"attribute": "red"})
    with pytest.raises(InputError, match=r"has 46 tokens, of which clip:.* reads 40"):
        clip.asked({"attribute": "red", "scene": "x" * 41})


@pytest.mark.parametrize(
    "text", ["a {attribute", "{}", "{attribute.upper}", "{0}", "{attribute!r}"]
)
def test_texts_with_something_else_in_braces(text: str) -> None:
    with pytest.raises(InputError, match="text '"):
        Clip("nowhere", Texts(positive=text))


def test_what_cannot_be_loaded(tmp_path: Path, clip_folder: str) -> None:
    vit = Path(save_classifier(tmp_path / "vit"))
    with pytest.raises(InputError, match=r"cannot load the image classifier .*it lacks classifier"):
        Classifier(clip_folder)
    with pytest.raises(InputError, match=r"cannot load the CLIP model .*it lacks "):
        Clip(str(vit))
    with pytest.raises(InputError, match="cannot load the image classifier"):
        Classifier(str(tmp_path))
    (vit / "preprocessor_config.json").unlink()
    with pytest.raises(InputError, match="cannot load the image classifier"):
        Classifier(str(vit))


def test_only_safetensors_are_read(tmp_path: Path) -> None:
    folder = Path(save_classifier(tmp_path / "model"))
    state = AutoModelForImageClassification.from_pretrained(folder).state_dict()
    (folder / "model.safetensors").unlink()
    torch.save(state, folder / "pytorch_model.bin")
    with pytest.raises(InputError, match="cannot load the image classifier"):
        Classifier(str(folder))
