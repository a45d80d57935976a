"""What is computed once and kept: text embeddings and latents."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from sysgraph.engines import Draw, Request
from sysgraph.engines.diffusion import DiffusionEngine
from sysgraph.engines.diffusion.cache import TensorCache
from sysgraph.engines.diffusion.noise_prediction import NoisePrediction
from sysgraph.objectives.diffusion import noise_seeds
from sysgraph.traces.pictures import Picture

MakeEngine = Callable[..., DiffusionEngine]


def test_each_key_is_made_once_while_it_is_kept() -> None:
    made: list[list[int]] = []

    def make(keys: list[int]) -> list[tuple[Tensor, ...]]:
        made.append(keys)
        return [(torch.full((4,), float(key)),) for key in keys]  # 16 bytes

    cache: TensorCache[int] = TensorCache(3 * 16)
    assert [float(row[0][0]) for row in cache.get([1, 2, 1, 3], make)] == [1, 2, 1, 3]
    cache.get([1], make)
    cache.get([4], make)  # 2 was not used for longest
    cache.get([3, 1, 4], make)
    cache.get([2], make)
    assert made == [[1, 2, 3], [4], [2]]
    assert [float(row[0][0]) for row in cache.get(range(10), make)] == list(range(10))
    assert set(made[-1]) >= {0, 5, 6, 7, 8, 9}
    assert cache._bytes == 3 * 16


def test_steps_encode_nothing_again(
    make: MakeEngine, pictures: list[Picture], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = make("sdxl")
    rows = [Request("ada", "fog", p, noise=noise_seeds(0, "a", 1)) for p in pictures]
    first = engine.log_prob(rows, reference=False)
    resident = engine._weights["ada"].resident

    def never(*args: object, **settings: object) -> None:
        raise AssertionError("encoded again")

    monkeypatch.setattr(resident.autoencoder, "encode", never)
    monkeypatch.setattr(resident.pipeline, "encode_prompt", never)
    again = [Request("ada", "fog", picture, noise=noise_seeds(1, "a", 1)) for picture in pictures]
    assert not torch.equal(engine.log_prob(again, reference=False), first)


def test_the_noise_that_an_image_was_drawn_from(make: MakeEngine) -> None:
    engine = make(train="frozen", objective={"noise": "drawn"})
    (drawn,) = engine.sample([Draw("ada", "fog", 7)])
    assert drawn.seed == 7
    resident = engine._weights["ada"].resident
    generator = [torch.Generator().manual_seed(7)]
    wanted = resident.pipeline.prepare_latents(
        1, 4, 8, 8, torch.float32, torch.device("cpu"), generator
    )
    assert torch.equal(resident.process.noise_of(7, (4, 4, 4), (8, 8)), wanted[0])
    rows = [Request("ada", "fog", drawn, noise=noise_seeds(i, "a", 1)) for i in range(2)]
    again = make(train="frozen")
    assert not torch.equal(*(one.log_prob(rows, reference=False) for one in (engine, again)))


def test_sizes_are_conditions_as_the_pipeline_writes_them(make: MakeEngine) -> None:
    resident = make("sdxl", train="frozen")._weights["ada"].resident
    process = resident.process
    assert isinstance(process, NoisePrediction)
    found = process.text.encode(["fog", "two owls"]).added(16, 24)
    assert found is not None
    wanted = resident.pipeline._get_add_time_ids(
        (16, 24), (0, 0), (16, 24), dtype=torch.float32, text_encoder_projection_dim=8
    )
    assert torch.equal(found["time_ids"], wanted.expand(2, -1))
    process = make("sd", train="frozen")._weights["ada"].resident.process
    assert isinstance(process, NoisePrediction)
    assert process.text.encode(["a"]).added(8, 8) is None
