"""The reference's values on disk: a second run reads them, and is the same run to the bit."""

import json
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import sysgraph
from sysgraph import Completion, InputError, System
from sysgraph.engines import Request
from sysgraph.support.progress import Reporter
from sysgraph.support.shelf import Shelf
from sysgraph.system.references import SWITCH, References
from sysgraph.system.references import shelf as shelf_of_machine
from sysgraph.training.session import Session

Build = Callable[..., sysgraph.Graph]


class Lines(Reporter):
    """What is told."""

    def __init__(self) -> None:
        super().__init__(shown=False)
        self.told: list[str] = []

    def line(self, text: str) -> None:
        self.told.append(text)


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of what is kept, for this test alone."""
    monkeypatch.setenv("SYSGRAPH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv(SWITCH, "on")
    return tmp_path / "cache" / "references"


def files(folder: Path) -> dict[Path, bytes]:
    return {f: f.read_bytes() for f in folder.rglob("*") if f.is_file()}


def system_of(graph: sysgraph.Graph) -> System:
    return System(sysgraph.compile(graph), device="cpu")


def model_id(system: System) -> str:
    spec = system.program.models["first"]
    assert spec.base is not None
    return spec.base.id


def requests(model: str = "first", last: str = "four") -> list[Request]:
    return [Request(model, "what", Completion(text)) for text in ("a", "twenty", "two", last)]


def asked(system: System, rows: Sequence[Request], shelf: Shelf, **about: str) -> References:
    references = References(system, shelf, about)
    assert torch.equal(references.log_prob(rows), system.score(rows, reference=True))
    return references


def test_a_second_run_reads_and_is_the_same(
    two_stage: Build,
    pairs: Path,
    kept: Path,
    tmp_path: Path,
    weights: Callable[[Path], dict[str, Tensor]],
    metrics: Callable[[Path], list[dict[str, Any]]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = {"data": str(pairs), "eval_fraction": 0.25, "steps": 2}
    models = {"second": {"train": "full"}}
    told: list[list[str]] = []
    scored: list[int] = []
    passes = System.passes

    def counted(system: System, flat: Sequence[Request], **how: Any) -> Any:
        scored[-1] += len(flat) if how.get("reference") else 0
        return passes(system, flat, **how)

    def run(name: str) -> Path:
        reporter = Lines()
        scored.append(0)
        graph = two_stage(models=models, **settings)
        sysgraph.fit(graph, output=tmp_path / name, reporter=reporter)
        told.append([line for line in reporter.told if str(kept) in line])
        return tmp_path / name

    monkeypatch.setattr(System, "passes", counted)
    monkeypatch.setattr(Session, "_record_credit", lambda session: None)
    runs = [run("cold")]
    assert scored[0] > 20
    assert len(files(kept)) == 2, "train and held out, each one call of the base that both are on"
    runs.append(run("warm"))
    assert scored[1] == 0
    assert [len(lines) for lines in told] == [0, 2]
    monkeypatch.setenv(SWITCH, "off")
    runs.append(run("off"))
    assert (scored[2], told[2]) == (scored[0], [])
    first, *others = [(weights(one), metrics(one)) for one in runs]
    for found, lines in others:
        assert lines == first[1]
        assert all(torch.equal(found[name], tensor) for name, tensor in first[0].items())


def test_what_is_kept_is_what_would_be_computed(
    two_stage: Build, tmp_path: Path, kept: Path
) -> None:
    """Everything that moves a value, or its last bits, makes it another one."""
    shelf = Shelf(kept, Lines())
    system = system_of(two_stage())
    rows = requests()
    assert asked(system, rows, shelf).computed == 4
    assert asked(system, rows, shelf).read == 4
    assert asked(system, [*requests("second")], shelf).read == 4, "the same base"
    (file,) = files(kept)
    for damage in (b"x" * 40, file.read_bytes()[:-4], b""):
        whole = file.read_bytes()
        file.write_bytes(damage)
        assert asked(system, rows, shelf).computed == 4
        assert file.read_bytes() == whole, "worked out anew, to the bit"
    others = [
        (system, rows[::-1]),
        (system, rows[:3]),
        (system, requests(last="five")),
        (system_of(two_stage(dtype=torch.bfloat16)), rows),
        (system_of(two_stage(models={"first": {"lora": {"target_modules": ["lm_head"]}}})), rows),
    ]
    assert [asked(*other, shelf).read for other in others] == [0] * len(others)
    assert asked(system, rows, shelf, threads="9").read == 0
    with torch.autocast("cpu", torch.bfloat16):
        assert asked(system, rows, shelf).read == 0
    config = json.loads((Path(model_id(system)) / "config.json").read_text())
    turned = shutil.copytree(model_id(system), tmp_path / "turned")
    config["rope_parameters"] = {"rope_type": "default", "rope_theta": 7.0}
    (turned / "config.json").write_text(json.dumps(config))
    changed = system_of(two_stage(models={"first": {"id": str(turned)}}))
    assert changed.digest("first") == system.digest("first")
    assert asked(changed, rows, shelf).read == 0

    before = files(kept)
    system.set_reference("first", {n: p.data + 1 for n, p in system.parameters("first").items()})
    assert asked(system, rows, shelf).computed == 4
    assert files(kept) == before, "no other run has this reference"
    system.set_reference("first", None)
    assert asked(system, rows, shelf).read == 4


def test_choices_are_kept_by_option(two_stage: Build, kept: Path) -> None:
    """And a table, whose kind does not tell its requests, is computed beside them."""
    shelf = Shelf(kept, Lines())
    graph = two_stage(models={"second": {}})
    pick = [Request("first", "what", Completion("a"), ("a", "b"))]
    system = system_of(graph)
    assert asked(system, pick, shelf).computed == 2
    assert asked(system, [replace(pick[0], value=Completion("b"))], shelf).read == 2


def test_a_shelf_stays_in_bounds_and_never_fails(kept: Path, tmp_path: Path) -> None:
    reporter = Lines()
    shelf = Shelf(kept, reporter, most=5 * 4096)
    for n in range(8):
        shelf.put(f"{n:02}", torch.tensor([float(n), 0.1]))
        os.utime(kept / f"{n:02}" / f"{n:02}", (n, n))
    assert torch.equal(shelf.get("01", 2), torch.tensor([1.0, 0.1]))  # type: ignore[arg-type]
    shelf.tidy()
    assert {path.name for path in files(kept)} == {"01", "06", "07"}, "the latest used"
    assert shelf.get("06", 3) is None, "another number of values"
    (kept / "07" / "07").rename(kept / "06" / "06")
    assert shelf.get("06", 2) is None, "another's"
    assert len(reporter.told) == 1, reporter.told

    (tmp_path / "file").write_text("")
    shelf = Shelf(tmp_path / "file" / "references", reporter)
    for key in "ab":
        assert shelf.get(key, 1) is None
        shelf.put(key, torch.ones(1))
    assert sum("nothing is kept in" in line for line in reporter.told) == 1


def test_the_switch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SWITCH, "no")
    with pytest.raises(InputError, match="SYSGRAPH_REFERENCES is 'no': set it to `on` or `off`"):
        shelf_of_machine(Lines())
