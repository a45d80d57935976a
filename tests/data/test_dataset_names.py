"""Configurations, splits and slices of datasets, in folders as `load_dataset` itself reads them."""

import json
from pathlib import Path

import datasets
import pytest

from sysgraph import InputError
from sysgraph.data.dataset_names import DatasetName
from sysgraph.data.rows import read_rows

CARD = """---
configs:
- config_name: main
  data_files:
  - {split: train, path: data/main.jsonl}
  - {split: test, path: data/test.jsonl}
- config_name: socratic
  data_files: data/socratic.jsonl
---
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    data = tmp_path / "sets" / "gsm" / "data"
    data.mkdir(parents=True)
    for name in ("main", "test", "socratic"):
        rows = [{"a": f"{name} {i}"} for i in range(4)]
        (data / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (data.parent / "README.md").write_text(CARD)
    saved = {s: datasets.Dataset.from_list([{"a": f"{s} {i}"} for i in range(4)]) for s in "xy"}
    datasets.DatasetDict(saved).save_to_disk(str(tmp_path / "sets" / "saved"))
    saved["x"].save_to_disk(str(tmp_path / "sets" / "one"))
    return tmp_path


READ = {
    "sets/gsm/main": ["main 0", "main 1", "main 2", "main 3"],
    "./sets/gsm/socratic": ["socratic 0", "socratic 1", "socratic 2", "socratic 3"],
    "sets/gsm/main:test": ["test 0", "test 1", "test 2", "test 3"],
    "sets/gsm/main:train[:50%]": ["main 0", "main 1"],
    "sets/gsm/main:train[-1:]+test[1:2]": ["main 3", "test 1"],
    "sets/saved:x[:50%]": ["x 0", "x 1"],
    "sets/saved:y[3:]+x[:1]": ["y 3", "x 0"],
    "sets/one:train[1:3]": ["x 1", "x 2"],
}


@pytest.mark.parametrize("source", READ)
def test_local(source: str, folder: Path) -> None:
    assert [row.fields["a"] for row in read_rows(source)] == READ[source]


REFUSED = {
    "sets/gsm": "several configurations, main, socratic: name one, as in sets/gsm/main",
    "sets/gsm:train[:2]": r"as in sets/gsm/main:train\[:2\]",
    "sets/gsm/mian": "no configuration 'mian' .* it has main, socratic",
    "sets/gsm/main:nosuch": "Unknown split",
    "sets/saved:z[:1]": "no split 'z",
    "sets/nosuch.jsonl[:2]": "no file is called like",
}


@pytest.mark.parametrize("source", REFUSED)
def test_refused(source: str, folder: Path) -> None:
    with pytest.raises(InputError, match=REFUSED[source]):
        read_rows(source)


@pytest.mark.parametrize(
    ("text", "wanted"),
    {
        "openai/gsm8k/main": ("openai/gsm8k", "main", "train"),
        "openai/gsm8k/main:train[:50%]": ("openai/gsm8k", "main", "train[:50%]"),
        "openai/gsm8k:test": ("openai/gsm8k", None, "test"),
        "gsm8k": ("gsm8k", None, "train"),
    }.items(),
)
def test_on_the_hub(
    text: str, wanted: tuple[str, str | None, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    name = DatasetName.parse(text)
    assert (name.path, name.config, name.split) == wanted
    asked: list[object] = []

    def load(path: str, config: str | None, *, split: str) -> datasets.Dataset:
        asked.append((path, config, split))
        return datasets.Dataset.from_list([{"a": 1}])

    monkeypatch.setattr(datasets, "load_dataset", load)
    assert len(read_rows(text)) == 1
    assert asked == [wanted]


def test_patterns_are_still_files(folder: Path) -> None:
    for name in ("p1.jsonl", "p2.jsonl"):
        Path(name).write_text('{"a": 1}\n')
    assert len(read_rows("p[12].jsonl")) == 2
