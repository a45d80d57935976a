"""Where models live: the devices that they name, and those that `auto` finds for them."""

import itertools
import json
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from typer.testing import CliRunner

import sysgraph
from sysgraph import InputError
from sysgraph.cli import app
from sysgraph.system import spreading
from sysgraph.system.places import places
from sysgraph.system.spreading import by_size, spread

CPU = torch.device("cpu")
GPUS = (torch.device("cuda:0"), torch.device("cuda:1"))


def chain(folder: Path, **models: dict[str, Any]) -> sysgraph.Graph:
    """A node for each model, of one base unless it says otherwise."""
    nodes: dict[str, Any] = {"question": {"kind": "input"}}
    for name in models:
        nodes[f"n_{name}"] = {"kind": "lm", "model": name, "prompt": "{{ question }}"}
    return sysgraph.load(
        json.dumps(
            {
                "name": "chain",
                "models": {
                    name: {"kind": "causal_lm", "id": str(folder), **said}
                    for name, said in models.items()
                },
                "nodes": nodes,
                "edges": [f"question -> {', '.join(f'n_{name}' for name in models)}"],
                "outputs": [f"n_{name}" for name in models],
            }
        )
    )


def _bytes(weights: Mapping[str, torch.Tensor]) -> int:
    return sum(one.nbytes for one in weights.values())


@pytest.mark.parametrize("seed", range(20))
def test_the_fullest_device_is_near_the_best_there_is(seed: int) -> None:
    """At most 4/3 - 1/(3m) of the best placement's (Graham 1969), which is enumerated."""
    draw = random.Random(seed)
    count = draw.randint(2, 3)
    sizes = {f"m{i}": draw.randint(1, 50) for i in range(draw.randint(1, 7))}
    found = spread(sizes, dict.fromkeys(range(count), 1000))

    def fullest(where: dict[str, int]) -> int:
        return max(sum(sizes[m] for m in where if where[m] == device) for device in range(count))

    every = itertools.product(range(count), repeat=len(sizes))
    best = min(fullest(dict(zip(sizes, one, strict=True))) for one in every)
    assert found.keys() == sizes.keys()
    assert fullest(found) <= (4 / 3 - 1 / (3 * count)) * best


def test_room_that_others_take_is_none() -> None:
    assert spread({"a": 5, "b": 6}, {0: 8, 1: 20}) == {"b": 1, "a": 1}


def test_by_what_they_take(
    plain_folder: Path, chat_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A base, gradients and moments, to the byte, beside what lives on a device anyway."""
    graph = chain(
        plain_folder,
        home={},
        ada={"device": "auto", "lora": {"r": 1}},
        bo={"device": "auto", "lora": {"r": 2}},
        cy={"device": "auto", "id": str(chat_folder), "train": "full"},
    )
    models: Any = graph.models
    plain, chat = (load_file(f / "model.safetensors") for f in (plain_folder, chat_folder))
    layers = [t for name, t in plain.items() if name.endswith("_proj.weight")]
    rank_1 = sum(sum(weight.shape) for weight in layers) * 4
    sizes = {
        "home": 7 * 10**5,
        "ada": _bytes(plain) + (1 + 2) * 4 * rank_1,
        "cy": _bytes(chat) + 4 * _bytes(chat),
    }
    home, lora, full = sizes.values()
    for names in (["ada", "bo"], ["cy"]):
        assert spreading._taken({name: models[name] for name in names}) == sizes[names[0]]
    assert full > lora
    monkeypatch.setattr(spreading, "_taken", lambda specs: sizes[next(iter(specs))])
    monkeypatch.setattr(spreading, "accelerators", lambda: GPUS)

    def auto(first: int, second: int, **said: torch.device) -> dict[str, int]:
        """With so much more than 1 GB on each; `home` is on the first, which has room for it."""
        free = (10**9 + home + first, 10**9 + second)
        monkeypatch.setattr(spreading, "free_bytes", lambda gpu: free[gpu.index])
        found = by_size(models, {"ada", "bo", "cy"} - said.keys(), said, GPUS[0])
        return {name: gpu.index for name, gpu in found.items()}

    assert auto(0, 0) == {"ada": 1, "bo": 1, "cy": 0}
    assert auto(-1, 0) == {"ada": 0, "bo": 0, "cy": 1}
    assert auto(full - 1, 0) == {"ada": 1, "bo": 1, "cy": 0}
    assert auto(full, 0) == {"ada": 0, "bo": 0, "cy": 0}
    there = {"ada": GPUS[1], "bo": GPUS[1]}
    assert auto(0, lora, **there) == {"cy": 0}
    assert auto(0, lora + 1, **there) == {"cy": 1}


def test_a_device_that_is_not_there(plain_folder: Path, tmp_path: Path) -> None:
    """Nothing is loaded, nothing is written, whatever command it is."""
    file = tmp_path / "graph.yaml"
    file.write_text(sysgraph.dump(chain(tmp_path / "none", ada={"device": "cuda:7"})))
    there = tmp_path / "there.yaml"  # a dry run reads configs first
    there.write_text(sysgraph.dump(chain(plain_folder, ada={"device": "cuda:7"})))
    rows = tmp_path / "rows.jsonl"
    row = {"inputs": {"question": "q"}, "chosen": {"n_ada": "a"}, "rejected": {"n_ada": "b"}}
    rows.write_text(json.dumps(row) + "\n")
    for words in (
        ["run", str(file), "--input", "question=x"],
        ["fit", str(file), "--data", str(rows), "-o", str(tmp_path / "out")],
        ["fit", str(there), "--data", str(rows), "--dry-run"],
    ):
        done = CliRunner().invoke(app, words)
        assert isinstance(done.exception, InputError)  # exit code 2
        said = str(done.exception)
        assert said.startswith("model 'ada': there is no device 'cuda:7' here, but cpu"), said
        assert said.endswith("`--set models.ada.device=cpu`")
    assert not (tmp_path / "out").exists()
    # A name that torch knows only with a package, and one that nobody knows.
    with pytest.raises(InputError, match="no device 'npu' here"):
        places(chain(plain_folder, ada={"device": "npu"}).models, CPU)
    with pytest.raises(sysgraph.GraphError, match="device"):
        chain(plain_folder, ada={"device": "gpu"})


def test_each_of_several_processes_has_a_device(
    plain_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = chain(plain_folder, ada={}, bo={"device": "cpu"}).models
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.distributed, "get_world_size", lambda: 2)
    assert places(models, CPU) == {"bo": CPU}
    for said in ("auto", "cuda:0"):
        with pytest.raises(InputError, match=f"'ada': `device: {said}` is for a run of one"):
            places(chain(plain_folder, ada={"device": said}).models, CPU)


def test_where_it_lived_is_no_setting(plain_folder: Path) -> None:
    """A run goes on, and its models are read, wherever they are then; SG307 tells of two bases."""
    from sysgraph.support.changes import program_changes
    from sysgraph.system.identity import differences

    one = chain(plain_folder, ada={}, bo={})
    two = chain(plain_folder, ada={"device": "cuda:1"}, bo={})

    def said(graph: sysgraph.Graph) -> Any:
        return json.loads(sysgraph.compile(graph).to_json())

    assert program_changes(said(one), said(two)) == []
    fit = one.fit.model_copy(update={"shard": True})
    parts = chain(plain_folder, ada={"shard": False}, bo={"shard": False}).model_copy(
        update={"fit": fit}
    )
    assert program_changes(said(one), said(parts)) == []
    assert differences(said(parts), said(two)) is None
    other = chain(plain_folder, ada={"device": "cuda:1"}, bo={"dtype": "float32"})
    assert [text.split()[0] for text in program_changes(said(one), said(other))] == [
        "models.bo.dtype"
    ]
    assert len(said(one)["residents"]) == 1
    assert [r["device"] for r in said(two)["residents"]] == ["cuda:1", None]
