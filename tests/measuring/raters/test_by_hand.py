"""`collect --by-hand` and `--answers`: from a page to pairs, without the browser."""

import itertools
import json
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import sysgraph
from sysgraph import DataError, InputError, collect
from sysgraph.cli import main
from sysgraph.measuring.raters.base import Place
from sysgraph.measuring.raters.page import page
from sysgraph.support.progress import Reporter

GRAPH = """
sysgraph: 1
name: colours
models: {m: {kind: table, values: ["<b>red</b>", "</script> green", "blue & more", none]}}
parsers: {said: {kind: regex, pattern: "^(?!none).+", on_failure: reject}}
nodes:
  question: {kind: input}
  raw: {kind: lm, model: m, prompt: "{{ question }}"}
  answer: {kind: parse, parser: said}
edges: [question -> raw, raw -> answer]
outputs: [answer]
fit: {steps: 2, batch_size: 4, eval_fraction: 0}
"""
ROWS = [{"question": f"q{i}"} for i in range(16)]
LIKED = ["blue & more", "<b>red</b>", "</script> green"]
"""From the best on."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "c"


@pytest.fixture
def run(folder: Path) -> Callable[..., Any]:
    def call(**changes: Any) -> Any:
        return collect(GRAPH, ROWS, output=folder, reporter=Reporter(shown=False), **changes)

    return call


def data(text: str) -> dict[str, Any]:
    """What the page's script reads, as it reads it."""
    (found,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', text)
    return dict(json.loads(found))


def answered(text: str, better: Callable[[dict[str, Any]], str | None]) -> str:
    """What the page writes."""
    found = data(text)
    answers = [
        {**{k: one[k] for k in ("input", "left", "right")}, "better": better(one)}
        for one in found["comparisons"]
    ]
    return json.dumps({"collection": found["collection"], "answers": answers})


def taste(one: dict[str, Any]) -> str | None:
    """Likes blue best; can not tell red from green, and leaves the first input out."""
    if one["input"] == 0:
        return None
    left, right = (LIKED.index(side[0]["text"]) for side in one["sides"])
    return "neither" if {left, right} == {1, 2} else "left" if left < right else "right"


def test_from_the_page_to_pairs(run: Callable[..., Any], folder: Path, tmp_path: Path) -> None:
    found = run(by_hand=True, comparisons=9)
    text = found.page.read_text()
    assert found.page == folder / "compare.html"
    shown = data(text)["comparisons"]
    assert len(shown) == found.comparisons > 10
    assert "<b>red" not in text, "what a model said is no part of the page's own text"
    assert text.count("</script>") == 2
    assert {one["inputs"]["question"] for one in shown} <= {row["question"] for row in ROWS}
    sides = Counter((one["left"] < one["right"]) for one in shown)
    assert min(sides.values()) > 2, "either stands on the left"
    file = tmp_path / "answers.json"
    file.write_text(answered(text, taste))
    done = run(answers=file)
    rows = [json.loads(line) for line in (folder / "traces.jsonl").open()]
    groups = [[r["values"]["answer"] for r in rows[i : i + 4]] for i in range(0, len(rows), 4)]
    expected: Counter[tuple[str, Any, Any]] = Counter()
    for i, group in enumerate(groups):
        some = {answer for answer in group if answer is not None}
        others = some - {"blue & more"} if "blue & more" in some and i else set()
        expected.update((f"q{i}", "blue & more", other) for other in others)
        expected.update([(f"q{i}", a, None) for a in group if a is not None] * group.count(None))
    read = [json.loads(line) for line in done.file.open()]
    assert (
        Counter(
            (r["inputs"]["question"], r["chosen"]["answer"], r["rejected"]["answer"]) for r in read
        )
        == expected
    )
    assert done.undecided == sum(one["input"] == 0 for one in shown) > 0
    trained = sysgraph.fit(GRAPH, data=folder, output=tmp_path / "run", reporter=Reporter())
    assert (trained.folder / "models" / "m").is_dir()


def test_comparisons_are_bounded(run: Callable[..., Any]) -> None:
    counts = Counter(
        one["input"]
        for one in data(run(by_hand=True, comparisons=1).page.read_text())["comparisons"]
    )
    assert set(counts.values()) == {1}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "holds no answers: expected the file that the page's button `Download` wrote"),
        ("[1]", "holds no answers"),
        ("[" * 100_000, "holds no answers"),
        ('{"collection": 1, "answers": []}', "holds no answers"),
        ('{"collection": "other", "answers": []}', "answers the page of another collection"),
        ('{"collection": "C", "answers": [7]}', "answer 1: 7: expected input, left and right"),
        ('{"collection": "C", "answers": [{"input": 0, "left": 1, "right": 1}]}', "answer 1: "),
        ('{"collection": "C", "answers": [A, A]}', "answer 2: there is one about these"),
        ('{"collection": "C", "answers": [{"input": 99, "left": 0, "right": 1}]}', "input 99 has"),
    ],
)
def test_answers_that_are_none(
    content: str, said: str, run: Callable[..., Any], folder: Path, tmp_path: Path
) -> None:
    collection = data(run(by_hand=True).page.read_text())["collection"]
    one = '{"input": 0, "left": 1, "right": 2, "better": "left"}'
    file = tmp_path / "answers.json"
    file.write_text(
        content.replace('"C"', json.dumps(collection))
        .replace("A,", f"{one},")
        .replace("A]", f"{one}]")
    )
    before = sorted(folder.iterdir())
    with pytest.raises((InputError, DataError), match=said):
        run(answers=file)
    assert sorted(folder.iterdir()) == before


def test_answers_need_their_collection(
    run: Callable[..., Any], folder: Path, tmp_path: Path
) -> None:
    file = tmp_path / "answers.json"
    file.write_text('{"collection": "x", "answers": []}')
    with pytest.raises(InputError, match="holds no collection to answer about: collect with --by-"):
        run(answers=file)
    assert not folder.exists()
    run(by_hand=True)
    with pytest.raises(InputError, match="other settings: seed was 0, now is 1"):
        run(answers=file, seed=1)
    (folder / "traces.jsonl").write_bytes((folder / "traces.jsonl").read_bytes()[:-9])
    with pytest.raises(InputError, match="not all is sampled"):
        run(answers=file)
    run(by_hand=True)  # goes on, and the page is as it was
    with pytest.raises(InputError, match="another collection"):
        run(answers=file)


def test_images_are_in_the_page(tmp_path: Path) -> None:
    traces = []
    for color in ("red", "blue"):
        Image.new("RGB", (4, 3), color).save(tmp_path / f"{color}.png")
        picture = sysgraph.Picture.read(tmp_path / f"{color}.png")
        traces.append(sysgraph.Trace({"q": "?"}, {"picture": picture, "n": "1"}, ("picture", "n")))
    places = [Place(0, 0, 1), Place(0, 1, 0)]
    found = data(page("t", "c", places, [(traces[0], traces[1]), (traces[1], traces[0])]))
    assert len(found["images"]) == 2
    for url in found["images"].values():
        assert url.startswith("data:image/png;base64,iVBORw0KGgo")
    red = found["comparisons"][0]["sides"][0]
    assert [one["name"] for one in red] == ["picture", "n"]
    assert found["comparisons"][1]["sides"][1] == red


def test_the_commands_say_how_to_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("g.yaml").write_text(GRAPH)
    Path("in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    fixed = ["sysgraph", "collect", "g.yaml", "--inputs", "in.jsonl", "-o", "c"]
    for more, said in {
        ("--by-hand",): r"c/compare.html: \d+ comparisons of 64 traces.*--answers FILE in place",
        ("--answers", "a.json"): r"c/pairs.jsonl: \d+ pairs from 64 traces; .*1 comparisons with",
        ("--by-hand", "--scorer", "attributes"): "expected one of --scorer, --judge, --by-hand",
    }.items():
        monkeypatch.setattr("sys.argv", [*fixed, *more])
        with pytest.raises(SystemExit) as caught:
            main()
        out, err = capsys.readouterr()
        assert re.search(said, out + err, re.DOTALL), out + err
        assert int(caught.value.code or 0) == (2 if "--scorer" in more else 0)
        text = Path("c/compare.html").read_text()
        numbers = itertools.count()
        better = lambda one, numbers=numbers: "left" if next(numbers) else None  # noqa: E731
        Path("a.json").write_text(answered(text, better))
