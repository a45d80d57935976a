"""Files and folders on disk: whole or not there, whenever a crash comes; no pickle among them."""

import contextlib
import io
import json
import os
import pickletools
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from peft import PeftModel
from torch import Tensor
from transformers import AutoModelForCausalLM

import sysgraph
from sysgraph import InputError, RunError, Scorer
from sysgraph.support.files import write_text
from sysgraph.support.manifest import MANIFEST, digest, remove, require_whole
from sysgraph.support.progress import Reporter
from sysgraph.training.checkpoint import State, load_state, publish, save_state


class Crash(BaseException):
    """What no handler catches, as a SIGKILL would not be caught."""


class Crashing:
    """The operations that change a folder's entries or force them to disk; the `at`-th crashes.

    Args:
        after: crash when the operation is done, not before it.
    """

    def __init__(self, patch: pytest.MonkeyPatch, at: int, *, after: bool) -> None:
        self.count = 0
        self._at, self._after = at, after
        for module, name in (
            (os, "rename"),
            (os, "replace"),
            (os, "mkdir"),
            (os, "fsync"),
            (shutil, "rmtree"),
        ):
            patch.setattr(module, name, self._counted(getattr(module, name)))

    def _counted(self, real: Callable[..., object]) -> Callable[..., object]:
        def operation(*args: object, **kwargs: object) -> object:
            self.count += 1
            mine = self.count == self._at
            if mine and not self._after:
                raise Crash
            result = real(*args, **kwargs)
            if mine:
                raise Crash
            return result

        return operation


def state(value: float) -> State:
    return State({"policy/m/w": torch.full((3,), value)}, {"value": value})


def read(folder: Path) -> float:
    found = load_state(folder)
    assert found is not None
    assert found.tensors["policy/m/w"].tolist() == [found.info["value"]] * 3
    value: float = found.info["value"]
    return value


@pytest.mark.parametrize("after", [False, True])
def test_a_crash_at_any_operation_leaves_a_state_that_loads(tmp_path: Path, after: bool) -> None:
    seen = []
    for at in range(1, 100):
        folder = tmp_path / f"{at}" / "state"
        save_state(folder, state(1))
        with pytest.MonkeyPatch.context() as patch:
            crashing = Crashing(patch, at, after=after)
            try:
                save_state(folder, state(2))
            except Crash:
                pass
            else:
                assert crashing.count == at - 1, "every operation has crashed once"
                break
        seen.append(read(folder))
        save_state(folder, state(3))
        assert read(folder) == 3
        assert [entry.name for entry in folder.parent.iterdir()] == ["state"]
    assert len(seen) >= 8
    assert seen == sorted(seen), "the old one up to some operation, the new one from then on"
    assert set(seen) == {1, 2}


def test_a_crash_while_the_first_state_is_saved(tmp_path: Path) -> None:
    for at in range(1, 100):
        folder = tmp_path / f"{at}" / "state"
        with pytest.MonkeyPatch.context() as patch:
            Crashing(patch, at, after=False)
            try:
                save_state(folder, state(1))
            except Crash:
                pass
            else:
                return
        found = load_state(folder)
        assert found is None or found.info["value"] == 1
        save_state(folder, state(2))
        assert read(folder) == 2


def test_a_failing_writer_leaves_what_was_there(tmp_path: Path) -> None:
    folder = tmp_path / "models"
    publish(folder, lambda staged: write_text(staged / "a", "old"))

    def fail(staged: Path) -> None:
        write_text(staged / "a", "new")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        publish(folder, fail)
    assert (folder / "a").read_text() == "old"


def test_a_text_is_the_old_or_the_new_one(tmp_path: Path) -> None:
    file = tmp_path / "file"
    for at in range(1, 10):
        write_text(file, "old")
        with pytest.MonkeyPatch.context() as patch:
            Crashing(patch, at, after=False)
            try:
                write_text(file, "new")
            except Crash:
                assert file.read_text() in {"old", "new"}
            else:
                assert file.read_text() == "new"
                return


def damage(file: Path, how: str) -> None:
    content = file.read_bytes()
    middle = len(content) // 2
    flipped = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
    file.write_bytes({"flipped": flipped, "cut": content[:middle], "empty": b"", "{": b"{"}[how])


def test_every_byte_of_a_manifest_counts(tmp_path: Path) -> None:
    """Also of what it says about the folder, which no digest of a file covers."""
    folder = tmp_path / "models"
    publish(folder, lambda staged: write_text(staged / "a", "1"), {"graph": {"beta": 0.5}})
    file = folder / MANIFEST
    content = file.read_bytes()
    key = content.index(b"blake2b")  # one that it does not know is an older one's that has none
    for at in {*range(len(content) - 1)} - {*range(key, key + len("blake2b"))}:
        file.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
        with pytest.raises(InputError, match=r"is damaged|cannot read"):
            require_whole(folder, "remedy")
    file.write_bytes(content)
    assert require_whole(folder, "remedy")["graph"] == {"beta": 0.5}


@pytest.mark.parametrize("how", ["flipped", "cut", "empty", "{", "gone"])
@pytest.mark.parametrize("broken", ["info.json", "tensors.safetensors", "manifest.json"])
def test_a_damaged_state_is_named(tmp_path: Path, broken: str, how: str) -> None:
    save_state(tmp_path / "state", state(1))
    file = tmp_path / "state" / broken
    if how == "gone":
        file.unlink()
    else:
        damage(file, how)
    said = r"(is damaged|cannot read).*; put it back as it was, or start anew"
    with pytest.raises(InputError, match=said) as raised:
        load_state(tmp_path / "state")
    assert broken in str(raised.value)
    assert len(str(raised.value)) < 1000


def test_what_others_put_into_a_folder_stays(tmp_path: Path) -> None:
    folder = tmp_path / "models"
    publish(folder, lambda staged: write_text(staged / "a", "old"))
    (folder / "notes").mkdir()
    write_text(folder / "notes" / "mine", "mine")
    publish(folder, lambda staged: write_text(staged / "b", "new"))
    files = {f.relative_to(tmp_path).as_posix() for f in tmp_path.rglob("*") if f.is_file()}
    assert files == {"models/b", "models/manifest.json", "models/notes/mine"}


@pytest.mark.parametrize("link", [False, True])
def test_a_folder_that_is_not_ours_is_left_alone(tmp_path: Path, link: bool) -> None:
    """Neither what was there before, nor what a link leads to."""
    precious = tmp_path / "precious"
    publish(precious, lambda staged: write_text(staged / "a", "mine"))
    folder = tmp_path / "models"
    if link:
        folder.symlink_to(precious)
    else:
        folder.mkdir()
        write_text(folder / "a", "mine")
    with pytest.raises(RunError, match="models is not what this run wrote: move it away"):
        publish(folder, lambda staged: write_text(staged / "a", "new"))
    assert (folder / "a").read_text() == (precious / "a").read_text() == "mine"


@pytest.mark.parametrize("name", ["../precious", "{}/precious", "linked/precious"])
def test_a_manifest_leads_nowhere_else(tmp_path: Path, name: str) -> None:
    """A run folder may come from a stranger."""
    precious = tmp_path / "precious"
    precious.write_text("mine")
    folder = tmp_path / "models"
    publish(folder, lambda staged: write_text(staged / "a", "a"))
    (folder / "linked").symlink_to(tmp_path)
    entry = {"size": 4, "blake2b": digest(precious)}
    (folder / MANIFEST).write_text(json.dumps({"files": {name.format(tmp_path): entry}}))
    with contextlib.suppress(InputError):
        remove(folder)
    assert precious.read_text() == "mine"


def holds_pickle(data: bytes) -> bool:
    """Whether the bytes are a pickle, or a zip archive as `torch.save` writes."""
    if data.startswith(b"PK\x03\x04"):
        return True
    if not data.startswith(b"\x80"):
        return False
    try:
        list(pickletools.genops(io.BytesIO(data)))
    except ValueError:
        return False
    return True


def test_a_run_folder(
    two_stage: Callable[..., sysgraph.Graph],
    questions: Path,
    checksum: Scorer,
    checkpoint: Callable[..., Path],
    weights: Callable[[Path], dict[str, Tensor]],
    tmp_path: Path,
    quiet: Reporter,
) -> None:
    """What lies where; adapters load with peft, whole models with transformers; no pickle."""
    run = tmp_path / "a run" / "of mine"
    graph = two_stage(
        models={"second": {"train": "full"}},
        inputs=str(questions),
        scorer="checksum",
        rounds=2,
        samples=3,
        steps=2,
        save_every=1,
        eval_fraction=0.25,
    )
    sysgraph.fit(graph, output=run, scorer=checksum, reporter=quiet)
    assert {entry.name for entry in run.glob("[!.]*")} == {
        "graph.yaml",
        "program.json",
        "metrics.jsonl",
        "timings.jsonl",
        "record",
        "rounds",
        "models",
        "state",
        "result.json",
    }
    names = {entry.name for entry in (run / "models").iterdir()}
    assert names == {"first", "second", "manifest.json"}
    assert sysgraph.load(run / "graph.yaml") == graph
    assert sysgraph.Program.from_json((run / "program.json").read_text()) == sysgraph.compile(graph)

    files = [file for file in run.rglob("*") if file.is_file()]
    assert not [f for f in files if f.suffix in {".bin", ".pt", ".pth", ".pkl", ".ckpt"}]
    assert not [f for f in files if holds_pickle(f.read_bytes())]
    assert holds_pickle(b"\x80\x04N."), "the check itself works"

    ids = torch.tensor([[5, 6, 7]])
    base = AutoModelForCausalLM.from_pretrained(checkpoint())
    plain = base(ids).logits.detach()
    adapted = PeftModel.from_pretrained(base, str(run / "models" / "first"))
    assert not torch.equal(adapted(ids).logits, plain)
    trained = AutoModelForCausalLM.from_pretrained(run / "models" / "second")
    assert not torch.equal(trained(ids).logits, plain)

    system = sysgraph.System(sysgraph.compile(graph), device="cpu")
    system.load(run)
    assert torch.equal(
        dict(system.parameters("second"))["lm_head.weight"], weights(run)["second/lm_head.weight"]
    )
