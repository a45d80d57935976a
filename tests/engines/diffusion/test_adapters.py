"""Models with one id share one pipeline; their adapters and references stay apart."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from diffusers import DiffusionPipeline, UNet2DConditionModel
from torch import Tensor, nn

from sysgraph import InputError
from sysgraph.engines import Draw
from sysgraph.engines.diffusion import DiffusionEngine
from sysgraph_schemas import Diffusion

MakeEngine = Callable[..., DiffusionEngine]
Jitter = Callable[..., None]


Score = Callable[..., Tensor]


@pytest.fixture
def three(make: MakeEngine, jitter: Jitter) -> DiffusionEngine:
    """Two adapters of different ranks and a frozen model, on one pipeline."""
    engine = make(
        several={
            "ada": {"lora": {"r": 4, "alpha": 8}},
            "bo": {"lora": {"r": 2, "target_modules": ["to_q", "conv1"]}},
            "cy": {"train": "frozen"},
        }
    )
    for model in ("ada", "bo"):
        jitter(engine, model=model)
    return engine


# ---- sharing


def test_one_pipeline_in_memory(three: DiffusionEngine, folders: dict[str, Path]) -> None:
    residents = {id(three._weights[m].resident) for m in ("ada", "bo", "cy")}
    assert len(residents) == 1
    unet = three._weights["ada"].resident.denoiser
    plain = [p for name, p in unet.named_parameters() if "lora_" not in name]
    alone = UNet2DConditionModel.from_pretrained(folders["sd"], subfolder="unet")
    assert sum(p.numel() for p in plain) == sum(p.numel() for p in alone.parameters())


def test_attention_projections_are_the_default(make: MakeEngine) -> None:
    names = {name.split(".lora_")[0] for name in make().parameters("ada")}
    assert {name.split(".attn")[1][2:] for name in names} == {"to_q", "to_k", "to_v", "to_out.0"}
    every = make(lora={"target_modules": "all-linear"})
    reached = {name.split(".lora_")[0] for name in every.parameters("ada")}
    linear = {
        name.removesuffix(".base_layer")
        for name, module in every._weights["ada"].resident.denoiser.named_modules()
        if isinstance(module, nn.Linear) and ".lora_" not in name
    }
    assert reached == linear
    with pytest.raises(InputError, match="target_modules"):
        make(lora={"target_modules": ["none_such"]})


def test_all_linear_beside_another_adapter(make: MakeEngine) -> None:
    alone = make(several={"bo": {"lora": {"target_modules": "all-linear"}}})
    beside = make(several={"ada": {}, "bo": {"lora": {"target_modules": "all-linear"}}})
    assert beside.parameters("bo").keys() == alone.parameters("bo").keys()
    for name, parameter in alone.parameters("bo").items():
        assert parameter.shape == beside.parameters("bo")[name].shape


def test_adapters_do_not_touch_each_other(three: DiffusionEngine, score: Score) -> None:
    base = score(three, "cy")
    for model in ("ada", "bo"):
        assert not torch.isclose(score(three, model), base).any()
        torch.testing.assert_close(score(three, model, reference=True), base)
    bo = score(three, "bo")
    with torch.no_grad():
        for parameter in three.parameters("ada").values():
            parameter.zero_()
    assert torch.equal(score(three, "bo"), bo)
    torch.testing.assert_close(score(three, "ada"), base)


def test_a_joint_loss_gives_each_adapter_the_gradient_it_gets_alone(
    three: DiffusionEngine, score: Score
) -> None:
    alone: dict[str, dict[str, Tensor]] = {}
    for model in ("ada", "bo"):
        score(three, model).sum().backward()
        found = three.parameters(model)
        alone[model] = {n: p.grad.clone() for n, p in found.items() if p.grad is not None}
        assert alone[model].keys() == found.keys()
        for parameter in found.values():
            parameter.grad = None
    loss = score(three, "ada").sum() + score(three, "cy").sum()
    three.sample([Draw("bo", "fog", 0)])
    loss = loss + score(three, "bo").sum()
    with torch.no_grad():
        score(three, "bo", reference=True)
    loss.backward()
    for model, wanted in alone.items():
        for name, parameter in three.parameters(model).items():
            torch.testing.assert_close(parameter.grad, wanted[name], msg=name)


def test_initial_adapters_depend_on_seed_and_name_alone(make: MakeEngine) -> None:
    def adapter(names: list[str], model: str) -> Tensor:
        torch.manual_seed(len(names))
        engine = make(several={name: {} for name in names})
        return torch.cat([p.flatten() for p in engine.parameters(model).values()])

    alone = adapter(["bo"], "bo")
    assert torch.equal(adapter(["ada", "bo"], "bo"), alone)
    assert not torch.equal(adapter(["ada", "bo"], "ada"), alone)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision_bases_have_float32_adapters(
    make: MakeEngine, jitter: Jitter, score: Score, dtype: str
) -> None:
    engine = make(dtype=dtype, train="lora")
    assert {p.dtype for p in engine.parameters("ada").values()} == {torch.float32}
    resident = engine._weights["ada"].resident
    plain = {p.dtype for n, p in resident.denoiser.named_parameters() if "lora_" not in n}
    assert plain == {getattr(torch, dtype)}
    assert resident.pipeline.vae.dtype == torch.float32
    torch.testing.assert_close(score(engine), score(make(train="frozen")), rtol=0.05, atol=0)
    score(engine).sum().backward()
    assert all(p.grad is not None for p in engine.parameters("ada").values())
    (picture,) = engine.sample([Draw("ada", "fog", 0)])
    assert picture.size == (8, 8)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_a_half_precision_unet_is_trained_in_float32(
    make: MakeEngine, score: Score, tmp_path: Path, dtype: str
) -> None:
    engine = make(dtype=dtype, train="full")
    assert {p.dtype for p in engine.parameters("ada").values()} == {torch.float32}
    assert torch.equal(score(engine), score(engine, reference=True))
    before = {name: p.detach().clone() for name, p in engine.parameters("ada").items()}
    adam = torch.optim.AdamW(engine.parameters("ada").values(), lr=1e-6, weight_decay=0)
    score(engine).sum().backward()
    used = {name for name, p in engine.parameters("ada").items() if p.grad is not None}
    adam.step()
    engine.save("ada", tmp_path / "ada")
    unet = UNet2DConditionModel.from_pretrained(tmp_path / "ada", subfolder="unet")
    assert unet.dtype == torch.float32
    for name, parameter in engine.parameters("ada").items():
        assert torch.equal(unet.get_parameter(name), parameter), name
        assert name not in used or not torch.equal(parameter, before[name]), name


def test_auto_is_the_checkpoints_own_type(folders: dict[str, Path], tmp_path: Path) -> None:
    pipeline = DiffusionPipeline.from_pretrained(folders["sd"], dtype=torch.bfloat16)
    pipeline.save_pretrained(tmp_path / "half")
    spec = Diffusion(id=str(tmp_path / "half"), train="frozen")
    engine = DiffusionEngine({"ada": spec}, device=torch.device("cpu"), seed=0)
    assert engine._weights["ada"].resident.denoiser.dtype == torch.bfloat16


# ---- references


@pytest.mark.parametrize("train", ["lora", "full"])
def test_reference_is_set_and_put_back(
    make: MakeEngine, jitter: Jitter, score: Score, train: str
) -> None:
    engine = make(train=train)
    original = score(engine, reference=True).detach()
    torch.testing.assert_close(score(engine), original)
    jitter(engine, 0.05)
    snapshot = {name: p.detach().clone() for name, p in engine.parameters("ada").items()}
    then = score(engine).detach()
    engine.set_reference("ada", snapshot)
    torch.testing.assert_close(score(engine, reference=True), then)
    jitter(engine, 0.05)
    torch.testing.assert_close(score(engine, reference=True), then)
    assert not torch.isclose(score(engine), then).any()
    asking = {n for n, p in engine.parameters("ada").items() if p.requires_grad}
    assert asking == engine.parameters("ada").keys()
    assert not score(engine, reference=True).requires_grad
    engine.set_reference("ada", None)
    torch.testing.assert_close(score(engine, reference=True), original)
