"""`attn_implementation`, and half precision: what is computed with, and that values stay right."""

import importlib.util
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM

from sysgraph import InputError, Program, System
from sysgraph.engines.checkpoints.attention import require_half

from .rows import expected, gradients, requests, scores

MakeProgram = Callable[..., Program]
Jitter = Callable[[System, float], None]


def test_each_implementation_is_the_one_that_runs(
    several_nodes: MakeProgram, plain_folder: Path, jitter: Jitter
) -> None:
    """Against transformers' own; two bases, as one has one way of attention."""
    names = ("eager", "sdpa", "plain")
    program = several_nodes(
        {
            name: {
                "id": str(plain_folder),
                **({} if name == "plain" else {"attn_implementation": name}),
            }
            for name in names
        },
        {name: {"model": name, "prompt": "{{ question }}"} for name in names},
    )
    system = System(program, device="cpu")
    residents = {name: system._engines[name]._weights[name].resident for name in names}  # type: ignore[attr-defined]
    used = {name: one.base.config._attn_implementation for name, one in residents.items()}
    packed = "sysgraph_packed"  # sdpa, with rows end to end
    assert used == {"eager": "eager", "sdpa": packed, "plain": packed}
    assert len({id(one) for one in residents.values()}) == 3
    asked = [resident.attn_implementation for resident in program.residents]
    assert asked == ["eager", "sdpa", None]
    for name in ("eager", "sdpa"):
        module = AutoModelForCausalLM.from_pretrained(plain_folder, attn_implementation=name)
        found = scores(system, name, reference=True)
        torch.testing.assert_close(found, expected(plain_folder, module), rtol=1e-5, atol=1e-4)
    jitter(system, 0.1)
    with torch.no_grad():
        for n, parameter in system.parameters("sdpa").items():
            parameter.copy_(system.parameters("eager")[n])
    for name in ("eager", "sdpa"):
        system.score(requests(name)).sum().backward()
    slopes = gradients(system, "eager")
    for name, slope in gradients(system, "sdpa").items():
        torch.testing.assert_close(slope, slopes[name], rtol=1e-4, atol=1e-4)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine may have it")
@pytest.mark.parametrize(
    ("name", "needs"),
    [("flash_attention_2", "the package flash-attn and a GPU"), ("flex_attention", "a GPU")],
)
def test_what_a_machine_has_not_is_refused_before_anything_is_loaded(
    name: str, needs: str, one_node: MakeProgram
) -> None:
    """Nor is it fetched: transformers would take the Hub's, where `kernels` is installed."""
    assert importlib.util.find_spec("flash_attn") is None
    with pytest.raises(InputError, match=f"`attn_implementation: {name}` needs {needs}"):
        System(one_node(Path("nowhere"), attn_implementation=name), device="cpu")


def test_flash_attention_is_for_half_precision(plain_folder: Path) -> None:
    module = AutoModelForCausalLM.from_pretrained(plain_folder)
    with pytest.raises(InputError, match="the weights are float32: add `dtype: bfloat16`"):
        require_half("m", "flash_attention_2", module)
    require_half("m", "flash_attention_2", module.bfloat16())
    require_half("m", "sdpa", module.float())


@pytest.mark.parametrize("way", ["weights", "autocast"])
def test_half_precision_gives_what_float32_gives_to_rounding(
    way: str, one_node: MakeProgram, plain_folder: Path
) -> None:
    """By the weights' type, and by `fit.mixed_precision`; log p is float32 in both."""
    exact = scores(System(one_node(plain_folder), device="cpu"), "ada")
    dtype = "bfloat16" if way == "weights" else "float32"
    system = System(one_node(plain_folder, dtype=dtype), device="cpu")
    with torch.autocast("cpu", torch.bfloat16, enabled=way == "autocast"):
        found = scores(system, "ada")
    assert found.dtype == torch.float32
    # bfloat16 has steps of 2^-8: of a sum of a dozen log p of some 6 nats, 1 % is one step each.
    assert not torch.equal(found, exact), "it computed in float32"
    torch.testing.assert_close(found, exact, rtol=1e-2, atol=0.1)
