"""What a failed start of a study leaves, and what --overwrite removes: what a study wrote."""

import json
from pathlib import Path

import pytest

import sysgraph
from sysgraph import InputError

from .conftest import Build, run


def files(folder: Path) -> set[str]:
    return {f.relative_to(folder).as_posix() for f in folder.rglob("*") if f.is_file()}


def test_overwriting(twins: Build, chain: Build, tmp_path: Path) -> None:
    """Of another system, whose rows have other names: none of them stays."""
    fast = {"rounds": 1, "steps": 1}
    root, fresh = tmp_path / "study", tmp_path / "fresh"
    run(chain(**fast), root)
    mine = {"notes.txt", "mine/seed0.json", "joint/notes.txt"}
    (root / "mine").mkdir()
    for name in mine:
        (root / name).write_text("{}")
    changed = twins(**fast, beta=0.7)
    with pytest.raises(InputError, match=r"other settings: .*, add --overwrite to remove the stud"):
        run(changed, root)
    for place in ("models", "."):
        theirs = root / "joint" / "seed0" / place / "notes.txt"
        theirs.write_text("mine")
        before = files(root)
        with pytest.raises(
            InputError, match=r"notes\.txt was not written by this .*: move it away"
        ):
            run(changed, root, overwrite=True)
        assert files(root) == before
        theirs.unlink()
    assert run(changed, root, overwrite=True) == run(changed, fresh)
    assert files(root) == files(fresh) | mine


def test_what_is_no_study_is_not_overwritten(twins: Build, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "precious").write_text("mine")
    with pytest.raises(InputError, match="holds no study: choose another"):
        run(twins(), tmp_path / "mine", overwrite=True)
    run(twins(rounds=1, steps=1), tmp_path / "study")
    with pytest.raises(InputError, match="holds a run and no study"):
        run(twins(), tmp_path / "study" / "joint" / "seed0", overwrite=True)


def test_a_failed_start_can_be_tried_again(twins: Build, tmp_path: Path) -> None:
    """One that was killed leaves two files, one whose models are wrong leaves nothing."""
    root = tmp_path / "study"
    plain = json.loads(twins().model_dump_json(exclude_unset=True))
    plain["models"]["m"] = {"kind": "causal_lm", "id": "./nosuch"}
    with pytest.raises(InputError, match="no such folder"):
        run(sysgraph.load(json.dumps(plain)), root)
    assert not root.exists()
    whole = run(twins(rounds=1, steps=1), tmp_path / "whole")
    root.mkdir()
    for name in ("program.json", "graph.yaml"):
        (root / name).write_bytes((tmp_path / "whole" / name).read_bytes())
    assert run(twins(rounds=1, steps=1, beta=0.7), root) != whole
