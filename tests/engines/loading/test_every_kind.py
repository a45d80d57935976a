"""What holds for models, classifiers, judges and meters alike: data alone, and all of it."""

import builtins
import json
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from sysgraph import InputError

from .kinds import KINDS, edit


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folders = {}
    for name, kind in KINDS.items():
        torch.manual_seed(0)
        folders[name] = tmp_path_factory.mktemp("kinds") / name.replace(" ", "-")
        kind.make(folders[name])
    return folders


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def folder(made: dict[str, Path], kind: str, tmp_path: Path) -> Path:
    """A copy of a checkpoint of the kind, to be spoilt."""
    return shutil.copytree(made[kind], tmp_path / "model")


def refusal(kind: str, name: str | Path) -> str:
    with pytest.raises(InputError) as caught:
        KINDS[kind].load(str(name))
    said = str(caught.value)
    assert str(name) in said
    assert "\n" not in said
    assert len(said) < 500 + len(str(name))
    return said


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model.safetensors")


def write(folder: Path, several: dict[str, torch.Tensor]) -> None:
    save_file(several, folder / "model.safetensors", metadata={"format": "pt"})


def test_a_whole_one_is_loaded_without_a_word(
    kind: str, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    KINDS[kind].load(str(folder))
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("native", [True, False])
def test_code_of_a_checkpoint_is_never_run(
    kind: str, native: bool, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever a user on a terminal would answer; an architecture of transformers' own is used."""
    monkeypatch.setattr(builtins, "input", lambda *_: pytest.fail("it asked"))
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    ran = folder / "ran"
    (folder / "code.py").write_text(f"open({str(ran)!r}, 'w')\nclass Thing: pass\n")
    autos = ("Config", "ModelForCausalLM", "ModelForSequenceClassification", "Tokenizer")
    autos += ("ModelForImageClassification", "ImageProcessor", "Processor", "Model")
    code: dict[str, Any] = {f"Auto{one}": "code.Thing" for one in autos}
    code["AutoTokenizer"] = ["code.Thing", "code.Thing"]
    for file in folder.glob("*.json"):
        config = json.loads(file.read_text())
        if file.name in ("config.json", "preprocessor_config.json", "tokenizer_config.json"):
            config["auto_map"] = code
            if file.name == "config.json" and not native:
                config["model_type"] = "something_new"
        file.write_text(json.dumps(config))
    if native:
        KINDS[kind].load(str(folder))
    elif kind != "clip":  # named by its class: its config's type is only a remark
        assert "it brings along (`auto_map` in its files), and that is never run" in refusal(
            kind, folder
        )
    assert not ran.exists()


@pytest.mark.parametrize("key", ["attn_implementation", "_attn_implementation"])
def test_compiled_code_from_elsewhere_is_never_fetched(kind: str, key: str, folder: Path) -> None:
    edit(folder, (key,), "someone/kernel")
    assert "compiled code from the Hub (someone/kernel)" in refusal(kind, folder)


@pytest.mark.parametrize("file", ["pytorch_model.bin", "model.pt", "model.ckpt"])
def test_pickled_weights_are_never_read(kind: str, file: str, folder: Path) -> None:
    class Bomb:
        def __reduce__(self) -> Any:
            return open, (str(folder / "ran"), "w")

    torch.save({"a": Bomb()}, folder / file)
    (folder / "model.safetensors").unlink()
    said = refusal(kind, folder)
    assert f"its weights are pickled ({file})" in said
    assert "`save_pretrained`, which writes safetensors" in said
    assert not (folder / "ran").exists()


def test_a_layer_that_is_missing(kind: str, folder: Path) -> None:
    several = weights(folder)
    kept = {name: w for name, w in several.items() if not re.search(r"layers?\.1\.", name)}
    gone = len(several) - len(kept)
    assert gone > 3
    write(folder, kept)
    said = refusal(kind, folder)
    assert f"it lacks {KINDS[kind].layers}.1." in said
    assert f"and {gone - 3} more" in said


@pytest.mark.parametrize("part", ["embed", "norm"])
def test_one_weight_that_is_missing(kind: str, part: str, folder: Path) -> None:
    several = weights(folder)
    name = next(n for n in several if part in n.lower() and "head" not in n)
    write(folder, {n: w for n, w in several.items() if n != name})
    own = name.replace("vit.encoder.layer", "vit.layers")  # transformers' own name for it
    assert f"it lacks {own}" in refusal(kind, folder)


@pytest.mark.parametrize(("layers", "said"), [(3, "it lacks"), (1, "fewer layers than its files")])
def test_a_config_with_another_number_of_layers(
    kind: str, layers: int, said: str, folder: Path
) -> None:
    edit(folder, KINDS[kind].layers_setting, layers)
    told = refusal(kind, folder)
    assert said in told
    assert f"{KINDS[kind].layers}.{'2.' if layers == 3 else '1'}" in told


def test_weights_of_another_shape(kind: str, folder: Path) -> None:
    edit(folder, KINDS[kind].width_setting, 24)
    assert "weights do not fit its config: " in (said := refusal(kind, folder))
    assert "16 x 16 in its file" in said
    assert "24 x 16 by its config" in said or "16 x 24 by its config" in said


def test_weights_that_the_architecture_has_no_use_for(
    folder: Path, kind: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """As the biases of another architecture."""
    several = weights(folder)
    name = next(n for n in several if n.endswith("norm.weight") or "layernorm" in n.lower())
    odd = f"{name.rpartition('.')[0]}.scale_of_another"
    write(
        folder, {**several, odd: several[name].clone(), "other_head.weight": several[name].clone()}
    )
    KINDS[kind].load(str(folder))
    told = capfd.readouterr().err
    assert odd.replace("vit.encoder.layer", "vit.layers") in told
    assert told.count("warning") == 1
    assert "other_head" not in told


@pytest.mark.parametrize(
    "name",
    ["./nosuch", "../nosuch", "a/b/nosuch", "/nosuch/x", "~/nosuch", "no such", "a\\b", "-x"],
)
def test_a_folder_that_is_not_there(
    kind: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    where = Path(name).expanduser().absolute()
    assert f"no such folder: {where}" in refusal(kind, name).replace("\\\\", "\\")


def test_a_folder_that_is_nearly_there(
    kind: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder.parent)
    assert refusal(kind, "./modle").endswith("; did you mean model?")


def test_a_file(kind: str, folder: Path) -> None:
    file = folder / "model.safetensors"
    assert "is a file; name the folder of the whole checkpoint" in refusal(kind, file)


@pytest.mark.parametrize("beside", [True, False])
def test_an_adapter_is_no_checkpoint(kind: str, beside: bool, folder: Path) -> None:
    """Whether or not a whole model is beside it: today's loaders use the one, then the other."""
    settings = {"peft_type": "LORA", "base_model_name_or_path": "someone/base"}
    (folder / "adapter_config.json").write_text(json.dumps(settings))
    if not beside:
        (folder / "config.json").unlink()
    said = refusal(kind, folder)
    assert "it is an adapter on 'someone/base', no whole model" in said
    assert "merge" in said


def test_a_package_that_is_not_installed(kind: str, folder: Path) -> None:
    settings = {"quant_method": "gptq", "bits": 4, "group_size": 128, "damp_percent": 0.1}
    edit(folder, ("quantization_config",), settings)
    assert "its weights are quantized (gptq), which needs a package that is not installed: " in (
        refusal(kind, folder)
    )


@pytest.mark.parametrize("config", ["{", "[1]", "{}", '{"model_type": "never_heard_of"}'])
def test_a_config_that_is_none(kind: str, config: str, folder: Path) -> None:
    (folder / "config.json").write_text(config)
    if kind == "clip" and config in ("{}", '{"model_type": "never_heard_of"}'):
        return  # named by its class, it has the class's own settings, whose weights do not fit
    refusal(kind, folder)


def test_another_architecture_is_named(made: dict[str, Path], tmp_path: Path) -> None:
    """In a sentence, not by the two hundred that there are."""
    vit = shutil.copytree(made["image classifier"], tmp_path / "vit")
    for file in made["causal_lm"].glob("token*"):
        shutil.copy(file, vit)
    assert "its architecture, ViT, is none that AutoModelForCausalLM loads" in refusal(
        "causal_lm", vit
    )
    for loader, other in (("causal_lm", "image classifier"), ("image classifier", "causal_lm")):
        said = refusal(loader, made[other])
        assert len(said) < 400
