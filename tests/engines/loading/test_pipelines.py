"""Pipelines: every part of a known class, whole, from the files that there are."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import AutoencoderTiny, StableDiffusionPipeline
from safetensors.torch import load_file, save_file

from sysgraph import InputError, System
from sysgraph.engines import Request
from sysgraph.traces.pictures import Picture

from ..diffusion.folders import LIMIT, save_sd, save_sdxl, tokenizer
from .kinds import edit, system

FILES = {
    "unet": "diffusion_pytorch_model",
    "vae": "diffusion_pytorch_model",
    "text_encoder": "model",
    "text_encoder_2": "model",
}


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("pipelines")
    return {"sd": save_sd(root / "sd"), "sdxl": save_sdxl(root / "sdxl")}


@pytest.fixture
def folder(made: dict[str, Path], tmp_path: Path) -> Path:
    return shutil.copytree(made["sd"], tmp_path / "sd")


def load(folder: Path, **model: Any) -> System:
    return system("diffusion", folder, inference_steps=2, **model)


def refusal(folder: Path, **model: Any) -> str:
    with pytest.raises(InputError) as caught:
        load(folder, **model)
    said = str(caught.value)
    assert str(folder) in said
    assert "\n" not in said
    assert len(said) < 500 + len(str(folder))
    return said


def declare(folder: Path, **parts: Any) -> None:
    file = folder / "model_index.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **parts}))


def bound(system: System, folder: Path) -> float:
    """The score of a trained step's kind, of one image of the pipeline's size."""
    from PIL import Image

    size = system._engines["ada"]._sizes["ada"]  # type: ignore[attr-defined]
    Image.new("RGB", (size[1], size[0]), "teal").save(folder / "image.png")
    value = system.score([Request("ada", "a fox", Picture.read(folder / "image.png"))])
    value.sum().backward()  # type: ignore[no-untyped-call]
    gradients = [p.grad for p in system.parameters("ada").values()]
    assert any(g is not None and bool(g.abs().max() > 0) for g in gradients)
    return float(value)


@pytest.mark.parametrize("part", FILES)
def test_a_part_that_lacks_a_weight(part: str, made: dict[str, Path], tmp_path: Path) -> None:
    folder = shutil.copytree(made["sdxl"], tmp_path / "sdxl")
    file = folder / part / f"{FILES[part]}.safetensors"
    weights = load_file(file)
    gone = sorted(weights)[3]
    del weights[gone]
    save_file(weights, file, metadata={"format": "pt"})
    assert f"its {part}: it lacks {gone}" in refusal(folder)


@pytest.mark.parametrize(
    ("part", "setting", "value", "said"),
    [
        ("text_encoder", "num_hidden_layers", 1, "fewer layers than its files"),
        ("text_encoder", "num_hidden_layers", 3, "it lacks encoder.layers.2."),
        ("text_encoder", "intermediate_size", 24, "do not fit its config"),
        ("unet", "layers_per_block", 2, "it lacks down_blocks"),
        ("unet", "cross_attention_dim", 24, "do not fit its config"),
        ("vae", "latent_channels", 8, "do not fit its config"),
    ],
)
def test_a_part_whose_config_is_anothers(
    part: str, setting: str, value: int, said: str, folder: Path
) -> None:
    edit(folder / part, (setting,), value)
    found = refusal(folder)
    assert f"its {part}: " in found
    assert said in found


@pytest.mark.parametrize(
    ("part", "declared"),
    [
        ("text_encoder", ["transformers", "AutoModel"]),
        ("text_encoder", ["transformers", "BertModel"]),
        ("unet", ["code", "UNet"]),
        ("vae", ["os", "system"]),
        ("tokenizer", ["transformers", "AutoTokenizer"]),
        ("scheduler", ["subprocess", "Popen"]),
        ("scheduler", [None, None]),
    ],
)
def test_a_part_of_a_class_that_it_cannot_have(
    part: str, declared: list[str | None], folder: Path
) -> None:
    """A pipeline's file may name any class of any library: none is looked up."""
    ran = folder / "ran"
    code = f"open({str(ran)!r}, 'w')\nclass UNet: pass\n"
    (folder / part / "code.py").write_text(code)
    if part == "text_encoder":
        edit(folder / part, ("auto_map",), {"AutoConfig": "code.UNet", "AutoModel": "code.UNet"})
    declare(folder, **{part: declared})
    assert f"its {part} {'is missing' if declared[1] is None else 'is a ' + declared[1]}" in (
        refusal(folder)
    )
    assert not ran.exists()


@pytest.mark.parametrize("part", ["unet", "vae", "text_encoder"])
def test_pickled_weights_are_never_read(part: str, folder: Path) -> None:
    (folder / part / f"{FILES[part]}.safetensors").unlink()
    torch.save({}, folder / part / f"{FILES[part]}.bin")
    said = refusal(folder)
    assert f"the weights of its {part} are pickled ({FILES[part]}.bin)" in said
    assert "`save_pretrained`, which writes safetensors" in said


def _variant(folder: Path, **settings: Any) -> None:
    """Half-precision files beside or in place of the plain ones, as diffusers writes them."""
    pipeline = StableDiffusionPipeline.from_pretrained(folder).to(torch.float16)
    for part in ("unet", "vae", "text_encoder"):
        getattr(pipeline, part).save_pretrained(folder / part, variant="fp16", **settings)


@pytest.mark.parametrize("sharded", [False, True])
@pytest.mark.parametrize("plain", [True, False])
def test_variants_of_files(plain: bool, sharded: bool, folder: Path) -> None:
    """Plain files come first; `dtype: auto` is the type of those that are loaded."""
    expected = bound(load(folder), folder)
    _variant(folder, **({"max_shard_size": "20kB"} if sharded else {}))
    if not plain:
        for part in ("unet", "vae", "text_encoder"):
            (folder / part / f"{FILES[part]}.safetensors").unlink()
    assert not sharded or len(list((folder / "unet").glob("*fp16-*"))) > 1
    found = load(folder)
    dtype = torch.float32 if plain else torch.float16
    resident = found._engines["ada"]._weights["ada"].resident  # type: ignore[attr-defined]
    assert resident.checkpoint.dtype == resident.denoiser.dtype == dtype
    assert resident.pipeline.text_encoder.dtype == dtype
    assert bound(found, folder) == pytest.approx(expected, rel=0 if plain else 0.02)


def test_several_variants_and_no_plain_files(folder: Path) -> None:
    unet = folder / "unet"
    plain = unet / "diffusion_pytorch_model.safetensors"
    for variant in ("fp16", "ema"):
        shutil.copy(plain, unet / f"diffusion_pytorch_model.{variant}.safetensors")
    plain.unlink()
    assert "its unet has files of several variants (ema, fp16): keep one" in refusal(folder)


def test_names_of_older_files(folder: Path) -> None:
    """As Stable Diffusion 1.5's are: its VAE's attention and its text encoder were named so."""
    expected = bound(load(folder), folder)
    old = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}
    file = folder / "vae" / "diffusion_pytorch_model.safetensors"
    weights = {}
    for name, weight in load_file(file).items():
        for new, older in old.items():
            name = name.replace(f".{new}.", f".{older}.")
        weights[name] = weight
    assert any(".query." in name for name in weights)
    save_file(weights, file, metadata={"format": "pt"})
    file = folder / "text_encoder" / "model.safetensors"
    weights = {f"text_model.{name}": weight for name, weight in load_file(file).items()}
    weights["text_model.embeddings.position_ids"] = torch.arange(LIMIT)[None]
    save_file(weights, file, metadata={"format": "pt"})
    assert bound(load(folder), folder) == expected


def _tiny_vae(folder: Path) -> AutoencoderTiny:
    torch.manual_seed(3)
    vae = AutoencoderTiny(
        encoder_block_out_channels=(8, 8),
        decoder_block_out_channels=(8, 8),
        num_encoder_blocks=(1, 1),
        num_decoder_blocks=(1, 1),
        upsampling_scaling_factor=2,
    )
    shutil.rmtree(folder / "vae")
    vae.save_pretrained(folder / "vae")
    declare(folder, vae=["diffusers", "AutoencoderTiny"])
    return vae.eval()


def test_a_tiny_autoencoder(folder: Path) -> None:
    from PIL import Image

    vae = _tiny_vae(folder)
    found = load(folder)
    bound(found, folder)
    resident = found._engines["ada"]._weights["ada"].resident  # type: ignore[attr-defined]
    image = Image.linear_gradient("L").resize((8, 8)).convert("RGB")
    latents = resident.autoencoder.encode([image])
    pixels = torch.tensor(list(image.getdata())).view(1, 8, 8, 3).permute(0, 3, 1, 2) / 127.5 - 1
    with torch.no_grad():
        torch.testing.assert_close(latents, vae.encode(pixels).latents)
        back = (vae.decode(latents).sample / 2 + 0.5).clamp(0, 1) * 255
    (decoded,) = resident.autoencoder.decode(latents)
    shown = torch.tensor(list(decoded.getdata())).view(1, 8, 8, 3).permute(0, 3, 1, 2)
    torch.testing.assert_close(shown.float(), back.round())
    (trace,) = found.sample({"question": "a fox"}, seed=1)
    assert trace.values["answer"].size == (8, 8)


def test_a_tokenizer_without_a_limit(folder: Path) -> None:
    """It is the text encoder's number of positions, as where the tokenizer says it."""
    expected = bound(load(folder), folder)
    words = tokenizer()
    words.model_max_length = int(1e30)
    shutil.rmtree(folder / "tokenizer")
    words.save_pretrained(folder / "tokenizer")
    found = load(folder)
    assert bound(found, folder) == expected
    picture = Picture.read(folder / "image.png")
    told = found.warning(Request("ada", "abcdefghijkl mnop", picture))
    assert told is not None
    assert f"reads {LIMIT}" in told


def test_a_unet_without_a_size(folder: Path) -> None:
    edit(folder / "unet", ("sample_size",), None)
    assert "set the model's `width` and `height`" in refusal(folder)
    assert "`width` and `height`" in refusal(folder, width=8)
    bound(load(folder, width=8, height=8), folder)


@pytest.mark.parametrize("zeros", [True, False])
def test_settings_of_the_pipeline_itself(
    zeros: bool, made: dict[str, Path], tmp_path: Path
) -> None:
    folder = shutil.copytree(made["sdxl"], tmp_path / "sdxl")
    declare(folder, force_zeros_for_empty_prompt=zeros)
    found = load(folder)
    resident = found._engines["ada"]._weights["ada"].resident  # type: ignore[attr-defined]
    assert bool((resident.process.text.unguided(1).embeds == 0).all()) == zeros


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    folder = tmp_path / "nosuch"
    assert f"no such folder: {folder}" in refusal(folder)
