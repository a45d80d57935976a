"""Scorers that a spec of a model names: their scores, their names, and what they refuse."""

from typing import Any

import pytest

from sysgraph import DataError, InputError, Scorer, Trace, find_scorer
from sysgraph.measuring.scorers.images import image_by, progression_by
from sysgraph.measuring.scorers.meters import Classifier, Clip, Texts
from sysgraph.measuring.scorers.spec import parse
from sysgraph.traces.pictures import Picture

from .checkpoints import LABELS, noise, save_classifier, save_clip


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> list[Picture]:
    return noise(tmp_path_factory.mktemp("images"), 12)


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A regressor, so that values lie outside 0 to 1 too."""
    folder = tmp_path_factory.mktemp("models") / "regressor"
    save_classifier(folder)
    config = folder / "config.json"
    config.write_text(config.read_text().replace("{", '{"problem_type": "regression",', 1))
    return str(folder)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> str:
    return save_clip(tmp_path_factory.mktemp("models") / "clip")


def trace(images: list[Any], **extra: Any) -> Trace:
    names = tuple(f"image[{i}]" for i in range(1, len(images) + 1))
    return Trace({"prompt": "p"}, dict(zip(names, images, strict=True)), names, extra=extra)


def triples(pictures: list[Picture]) -> list[Trace]:
    return [
        trace([pictures[(i + k) % 12] for k in range(3)], attribute=LABELS[i % 3], scene="lake")
        for i in range(12)
    ]


def expected(a: float, b: float, c: float) -> tuple[float, bool]:
    """SysDPO, section 5.1, written out once more."""
    a, b, c = (0.0 if x < 0 else 1.0 if x > 1 else x for x in (a, b, c))
    return c - a - abs(b - (a + c) / 2), a < b and b < c


def test_progression_by_a_classifier(pictures: list[Picture], classifier: str) -> None:
    meter, scorer = Classifier(classifier), find_scorer(f"progression:classifier:{classifier}")
    rows = triples(pictures)
    wanted = []
    for row in rows:
        images = [v for v in row.values.values() if isinstance(v, Picture)]
        label = LABELS.index(row.extra["attribute"])
        wanted.append(expected(*meter.measure(images, [label] * 3)))
    assert scorer(rows) == pytest.approx([q for q, _ in wanted], abs=1e-5)
    assert scorer.success is not None
    assert [scorer.success.of(row) for row in rows] == [float(ordered) for _, ordered in wanted]
    assert len({round(q, 3) for q, _ in wanted}) > 6
    assert {ordered for _, ordered in wanted} == {True, False}


def test_progression_by_clip_and_its_texts(pictures: list[Picture], clip: str) -> None:
    spec = f"progression:clip:{clip}?positive=very {{attribute}} {{scene}}&negative=the {{scene}}"
    meter = Clip(clip, Texts("very {attribute} {scene}", "the {scene}"))
    rows = triples(pictures)
    wanted = []
    for row in rows:
        images = [v for v in row.values.values() if isinstance(v, Picture)]
        asked = (f"very {row.extra['attribute']} lake", "the lake")
        wanted.append(expected(*meter.measure(images, [asked] * 3))[0])
    assert find_scorer(spec)(rows) == pytest.approx(wanted, abs=1e-4)
    plain = find_scorer(f"progression:clip:{clip}")(rows)
    assert max(abs(a - b) for a, b in zip(plain, wanted, strict=True)) > 0.01


def test_one_image(pictures: list[Picture], classifier: str) -> None:
    """A regressor's number is not cut to 0 to 1, and `#` asks for the same of all."""
    rows = [trace([picture], attribute="red") for picture in pictures]
    values = Classifier(classifier).measure(pictures, [1] * 12)
    assert min(values) < 0 or max(values) > 1
    assert find_scorer(f"image:classifier:{classifier}")(rows) == pytest.approx(values, abs=1e-5)
    foggy = Classifier(classifier).measure(pictures, [2] * 12)
    scorer = find_scorer(f"image:classifier:{classifier}#foggy")
    assert scorer(rows) == pytest.approx(foggy, abs=1e-5)
    assert scorer([trace([pictures[0]])]) == pytest.approx(foggy[:1], abs=1e-5)


def test_a_name_says_the_whole_spec(classifier: str, clip: str) -> None:
    """A collection is gone on with by the same scorer alone: its name tells them apart."""
    for spec in (
        f"progression:classifier:{classifier}",
        f"image:classifier:{classifier}#red",
        f"progression:clip:{clip}",
        f"progression:clip:{clip}?negative=no {{attribute}} photo#foggy",
        f"image:clip:{clip}?positive={{scene}}&negative=other",
    ):
        assert find_scorer(spec).name == spec
    assert image_by(Clip(clip, Texts()), attribute="red").name == f"image:clip:{clip}#red"
    meter = Classifier(classifier)
    assert progression_by(meter).name == f"progression:classifier:{classifier}"


def test_rows_that_cannot_be_scored_are_all_named_before_anything_is_drawn(clip: str) -> None:
    scorer = find_scorer(f"progression:clip:{clip}")
    rows = [{"attribute": "red"}, {"prompt": "p"}, {"attribute": "red"}, {"attribute": None}]
    with pytest.raises(DataError) as caught:
        scorer.require(rows, "in.jsonl")
    said = [f"in.jsonl: row {i}: scorer {scorer.name}: attribute: " for i in (2, 4)]
    assert [p[: len(s)] for p, s in zip(caught.value.problems, said, strict=True)] == said
    scorer.require([rows[0]], "in.jsonl")
    find_scorer(f"progression:clip:{clip}#red").require(rows, "in.jsonl")
    Scorer("any", lambda traces: [0.0] * len(traces)).require(rows, "in.jsonl")


def test_traces_that_cannot_be_scored_are_all_named(
    pictures: list[Picture], classifier: str
) -> None:
    scorer = find_scorer(f"progression:classifier:{classifier}")
    with pytest.raises(DataError) as caught:
        scorer(
            [
                trace(pictures[:3], attribute="red"),
                trace(pictures[:3]),
                trace(pictures[:2], attribute="red"),
                trace([*pictures[:2], "text"], attribute="red"),
                trace(["text"], attribute="red"),
                trace(pictures[:3], attribute="reds"),
            ]
        )
    whys = [
        problem.removeprefix(f"prompt='p': scorer {scorer.name}: ")
        for problem in caught.value.problems
    ]
    assert [why[:40] for why in whys[:1]] == ["attribute: missing; expected a text (the"]
    assert [why.rpartition("; got ")[2] for why in whys[1:4]] == [
        "2 values, 2 of them images",
        "3 values, 2 of them images",
        "1 values, 0 of them images",
    ]
    assert "did you mean `red`?" in whys[4]
    single = find_scorer(f"image:classifier:{classifier}#red")
    with pytest.raises(DataError, match="expected images as outputs, 1 of them; got 3 values, 3"):
        single([trace(pictures[:3])])


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("zzz", "a model scores images as progression:classifier:ID, progression:clip:ID or image"),
        (
            "progresion:clip:x",
            "did you mean `progression`? expected reward:ID or judge:openai:MODEL, or SCORE:ME",
        ),
        ("scorer:clip:x", "SCORE one of: progression, image"),
        (
            "progression:clp:x",
            "did you mean `clip`? expected progression:METER:ID, METER one of: c",
        ),
        ("progression:clip:", "expected progression:clip:ID or progression:clip:ID#ATTRIBUTE"),
        ("progression:clip", "expected progression:clip:ID or "),
        ("progression:", "METER one of: classifier, clip"),
        ("image:classifier:x#", "expected image:classifier:ID or image:classifier:ID#ATTRIBUTE"),
        ("image:clip:x?postive=a", "did you mean `positive`? texts of `clip`, as NAME=TEXT: posi"),
        ("image:clip:x?positive=", "'positive='"),
        ("image:clip:x?", "''; texts of `clip`"),
        ("image:classifier:x?positive=a", "texts of `classifier`, as NAME=TEXT: none"),
        ("image:clip:x?positive={a b}", "{a b} is no field; expected for example {attribute}"),
    ],
)
def test_specs_that_are_none(spec: str, said: str) -> None:
    with pytest.raises(InputError) as caught:
        find_scorer(spec)
    assert said in str(caught.value)


def test_the_parts_of_a_spec() -> None:
    found = parse(r"image:clip:C:\models\clip?negative=a=b#very red")
    assert found == ("image", "clip", r"C:\models\clip", {"negative": "a=b"}, "very red")
