"""`train: full` on half-precision weights: what is trained is float32, what runs is the base's."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor
from transformers import AutoModelForCausalLM

from sysgraph import Program, System

from .rows import requests, scores

MakeProgram = Callable[..., Program]
Jitter = Callable[[System, float], None]

HALVES = ["bfloat16", "float16"]


@pytest.fixture
def half_folder(
    request: pytest.FixtureRequest, chat_folder: Path, tmp_path: Path
) -> tuple[Path, torch.dtype]:
    """The chat checkpoint (tied embeddings) in half precision."""
    dtype: torch.dtype = getattr(torch, request.param)
    folder = tmp_path / request.param
    model = AutoModelForCausalLM.from_pretrained(chat_folder, dtype=dtype)
    model.generation_config.to_json_file(str(folder.with_suffix(".json")))
    model.generation_config = type(model.generation_config)()
    model.save_pretrained(folder)
    for file in chat_folder.glob("tokenizer*"):
        (folder / file.name).write_bytes(file.read_bytes())
    return folder, dtype


def dpo_steps(system: System, count: int, rate: float = 1e-6) -> None:
    """AdamW on one pair's DPO loss."""
    chosen, rejected = requests("ada")
    adam = torch.optim.AdamW(system.parameters("ada").values(), lr=rate, weight_decay=0)
    for _ in range(count):
        now = system.score([chosen, rejected])
        then = system.score([chosen, rejected], reference=True)
        ratio = now - then
        (-torch.nn.functional.logsigmoid(0.1 * (ratio[0] - ratio[1]))).backward()
        adam.step()
        adam.zero_grad()


def moved(system: System, base: dict[str, Tensor]) -> float:
    """The share of weights that are not the base's any more."""
    found = system.parameters("ada")
    changed = sum(int((p.detach() != base[n]).sum()) for n, p in found.items())
    return changed / sum(p.numel() for p in found.values())


@pytest.mark.parametrize("half_folder", HALVES, indirect=True)
def test_small_updates_are_kept_as_in_float32(
    one_node: MakeProgram, half_folder: tuple[Path, torch.dtype], tmp_path: Path
) -> None:
    folder, _ = half_folder
    shares, updates = {}, {}
    for dtype in ("auto", "float32"):
        system = System(one_node(folder, train="full", dtype=dtype), device="cpu")
        base = {n: p.detach().clone() for n, p in system.parameters("ada").items()}
        assert {p.dtype for p in base.values()} == {torch.float32}
        dpo_steps(system, 3)
        shares[dtype] = moved(system, base)
        updates[dtype] = torch.cat(
            [(p.detach() - base[n]).flatten() for n, p in system.parameters("ada").items()]
        )
        system.save(tmp_path / dtype)
    assert shares["float32"] > 0.5
    assert shares["auto"] == pytest.approx(shares["float32"], rel=0.03)
    assert torch.cosine_similarity(updates["auto"], updates["float32"], dim=0) > 0.95
    saved = load_file(tmp_path / "auto" / "ada" / "model.safetensors")
    assert {tensor.dtype for tensor in saved.values()} == {torch.float32}
    assert AutoModelForCausalLM.from_pretrained(tmp_path / "auto" / "ada").dtype == torch.float32


@pytest.mark.parametrize("half_folder", HALVES, indirect=True)
def test_policy_and_reference_agree_to_the_bit_until_trained(
    one_node: MakeProgram, half_folder: tuple[Path, torch.dtype], jitter: Jitter
) -> None:
    folder, dtype = half_folder
    system = System(one_node(folder, train="full"), device="cpu")
    frozen = System(one_node(folder, train="frozen"), device="cpu")
    assert torch.equal(scores(system, "ada"), scores(system, "ada", reference=True))
    assert torch.equal(scores(system, "ada"), scores(frozen, "ada"))

    jitter(system, 0.05)
    snapshot = {name: p.detach().clone() for name, p in system.parameters("ada").items()}
    assert not torch.isclose(scores(system, "ada"), scores(frozen, "ada")).any()
    system.set_reference("ada", snapshot)
    assert torch.equal(scores(system, "ada"), scores(system, "ada", reference=True))

    rounded = AutoModelForCausalLM.from_pretrained(folder)
    assert rounded.dtype == dtype
    with torch.no_grad():
        for name, parameter in rounded.named_parameters():
            parameter.copy_(snapshot[name])
    module = system._engines["ada"]._weights["ada"].module(reference=False)
    assert module.dtype == dtype
    for name, parameter in module.named_parameters():
        assert torch.equal(parameter, rounded.get_parameter(name)), name


@pytest.mark.parametrize("half_folder", HALVES, indirect=True)
def test_saving_leaves_what_runs_and_loading_gives_the_same_weights(
    one_node: MakeProgram,
    half_folder: tuple[Path, torch.dtype],
    jitter: Jitter,
    tmp_path: Path,
) -> None:
    folder, _ = half_folder
    program = one_node(folder, train="full")
    system = System(program, device="cpu")
    jitter(system, 0.001)
    before = scores(system, "ada")
    system.save(tmp_path / "saved")
    assert torch.equal(scores(system, "ada"), before)
    again = System(program, device="cpu", model_dir=tmp_path / "saved")
    for name, parameter in system.parameters("ada").items():
        assert torch.equal(parameter, again.parameters("ada")[name]), name
    assert torch.equal(scores(again, "ada"), before)
    dpo_steps(system, 1, 1e-2)  # still trains after it was saved
    assert not torch.isclose(scores(system, "ada"), before).any()


@pytest.mark.parametrize("way", ["foreach", "fused", "neither"])
@pytest.mark.parametrize("half_folder", ["bfloat16"], indirect=True)
def test_every_step_of_an_optimizer_is_seen(
    one_node: MakeProgram, half_folder: tuple[Path, torch.dtype], way: str
) -> None:
    """Also where gradients are accumulated, and where something is scored before the step."""
    system = System(one_node(half_folder[0], train="full"), device="cpu")
    weights = system.parameters("ada")
    module = system._engines["ada"]._weights["ada"].module(reference=False)
    adam = torch.optim.AdamW(
        weights.values(), lr=1e-2, foreach=way == "foreach", fused=way == "fused"
    )
    for _ in range(2):
        kept = system.score(requests("ada"))
        for _ in range(2):
            system.score(requests("ada")).sum().backward()
        scores(system, "ada")
        kept.sum().backward()  # its graph outlives the passes between
        scores(system, "ada")
        adam.step()
        adam.zero_grad()
        scores(system, "ada")
        for name, parameter in module.named_parameters():
            assert torch.equal(parameter, weights[name].bfloat16()), name


@pytest.mark.parametrize("half_folder", ["bfloat16"], indirect=True)
def test_gradients_of_several_passes_add_up_in_float32(
    one_node: MakeProgram, half_folder: tuple[Path, torch.dtype]
) -> None:
    """Bfloat16 loses the second pass's gradient where the first one's is 256 times as large."""
    folder, _ = half_folder
    system = System(one_node(folder, train="full"), device="cpu")
    rows = requests("ada")
    parts = []
    for weight, row in zip((1.0, 1e-3), rows, strict=True):
        (weight * system.score([row])).sum().backward()
        parts.append({n: p.grad.clone() for n, p in system.parameters("ada").items()})  # type: ignore[union-attr]
    for parameter in system.parameters("ada").values():
        parameter.grad = None
    (1e-3 * system.score([rows[1]])).sum().backward()
    for name, parameter in system.parameters("ada").items():
        assert parameter.grad is not None
        torch.testing.assert_close(parts[0][name] + parameter.grad, parts[1][name], rtol=0, atol=0)
