"""What is exported is what was trained: to sysgraph, and to the libraries that load it alone."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from diffusers import DiffusionPipeline
from huggingface_hub import ModelCard
from peft import AutoPeftModelForCausalLM, PeftModel
from transformers import (
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    PreTrainedModel,
)

import sysgraph
from sysgraph import CausalLM, System, Trace
from sysgraph.engines import Draw
from sysgraph.engines.causal_lm import CausalLMEngine
from sysgraph.exporting.export import Export, export
from sysgraph.traces.pictures import Picture

from ..engines.diffusion.test_saving import drawn
from ..engines.loading.test_hub import publish as publish
from .conftest import graph_of, run_of

INPUTS = {"question": "a red fox"}
Ran = tuple[Path, System]


@pytest.fixture(scope="module")
def exported(ran: Ran, tmp_path_factory: pytest.TempPathFactory) -> Export:
    """In a folder that was moved since."""
    made = tmp_path_factory.mktemp("exports") / "made"
    found = export(ran[0], made, copy_base=True)
    moved = made.rename(made.with_name("moved"))
    return Export(moved, found.parts, found.serving)


@pytest.fixture(scope="module")
def again(exported: Export) -> System:
    return opened(exported.folder)


@pytest.fixture(scope="module")
def merged(ran: Ran, tmp_path_factory: pytest.TempPathFactory) -> Export:
    return export(ran[0], tmp_path_factory.mktemp("exports") / "merged", merge=True)


def opened(folder: Path) -> System:
    graph = sysgraph.load(folder / "graph.yaml")
    return System(sysgraph.compile(graph), device="cpu", seed=5)


def latents(system: System, trace: Trace) -> torch.Tensor:
    picture = trace.values["picture"]
    assert isinstance(picture, Picture)
    engine = system._engines["painter"]
    found = picture.latents(engine._weights["painter"].resident.autoencoder.name)  # type: ignore[attr-defined]
    assert found is not None
    return found


@torch.no_grad()
def log_prob(model: PreTrainedModel | PeftModel, prompt: str, ids: tuple[int, ...]) -> float:
    """By transformers and peft alone."""
    start = AutoTokenizer.from_pretrained(model.config._name_or_path)(prompt)["input_ids"]
    logits = model.eval()(torch.tensor([[*start, *ids]])).logits[0].float()
    table = logits.log_softmax(-1)[len(start) - 1 : -1]
    return float(table[range(len(ids)), list(ids)].sum())


def ids_of(trace: Trace, node: str) -> tuple[int, ...]:
    ids = trace.values[node].ids  # type: ignore[union-attr]
    assert ids
    return tuple(ids)


def test_the_graph_answers_as_the_run(ran: Ran, again: System) -> None:
    system = ran[1]
    assert again.trained() == ()
    ours, theirs = (one.sample(INPUTS, n=2, seed=3) for one in (system, again))
    for one, other in zip(ours, theirs, strict=True):
        texts = [name for name in one.values if name != "picture"]
        assert {n: one.values[n] for n in texts} == {n: other.values[n] for n in texts}
        assert torch.equal(latents(system, one), latents(again, other))
    before, after = (system.log_prob(ours, reference=reference) for reference in (True, False))
    # Policy and reference are one now, and cy has no adapter though two are on its base.
    for found in (again.log_prob(ours, reference=reference) for reference in (False, True)):
        torch.testing.assert_close(found, after, rtol=1e-6, atol=1e-6)
    same = [node for node in after if torch.allclose(after[node], before[node], atol=1e-3)]
    assert same == ["plain"]
    assert len({again.digest(model) for model in ("ada", "bo", "cy")}) == 3
    assert again.digest("cy") == system.digest("cy")


def test_peft_and_diffusers_load_it(
    ran: Ran, exported: Export, again: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(exported.folder)
    system = ran[1]
    (trace,) = system.sample(INPUTS, seed=3)
    ours = {node: float(value.detach()) for node, value in system.log_prob([trace]).items()}
    ada = AutoPeftModelForCausalLM.from_pretrained("chat/adapters/ada")
    assert log_prob(ada, "a red fox", ids_of(trace, "draft")) == pytest.approx(ours["draft"])
    bo = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained("chat"), "chat/adapters/bo")
    assert log_prob(bo, "a red fox", ids_of(trace, "rival")) == pytest.approx(ours["rival"])
    reader = PeftModel.from_pretrained(
        AutoModelForSequenceClassification.from_pretrained("reader"), "reader/adapters/reader"
    ).eval()
    ids = AutoTokenizer.from_pretrained("reader")("a red fox", return_tensors="pt").input_ids
    label = reader.config.label2id[trace["route"]]
    found = reader(ids).logits[0].log_softmax(-1)[label]
    assert float(found) == pytest.approx(ours["route"], rel=1e-5)
    pipeline = DiffusionPipeline.from_pretrained("painter", use_safetensors=True)
    pipeline.load_lora_weights("painter/adapters/painter")
    (picture,) = again.draw([Draw("painter", "a red fox", 3)])
    torch.testing.assert_close(
        latents(again, Trace(INPUTS, {"picture": picture}, ())),
        drawn(pipeline),
        rtol=1e-4,
        atol=1e-4,
    )


def test_merged_ones_need_no_adapter(ran: Ran, merged: Export) -> None:
    system, again = ran[1], opened(merged.folder)
    assert not [*merged.folder.rglob("adapter*")]
    traces = system.sample(INPUTS, n=2, seed=3)
    log_probs = system.log_prob(traces)
    torch.testing.assert_close(again.log_prob(traces), log_probs, rtol=1e-4, atol=1e-4)
    ada = AutoModelForCausalLM.from_pretrained(merged.folder / "ada")
    ours = float(log_probs["draft"][0].detach())
    assert log_prob(ada, "a red fox", ids_of(traces[0], "draft")) == pytest.approx(ours, abs=1e-4)
    assert "vllm serve ./ada --dtype float32 --served-model-name ada" in merged.serving
    # cy is on the base, which was not copied: no other machine could use that.
    base = sysgraph.load(merged.folder / "graph.yaml").models["cy"].base
    assert base is not None
    assert base.id == str(system.program.models["cy"].id)
    with pytest.raises(sysgraph.InputError, match="this machine alone: add --copy-base"):
        export(ran[0], merged.folder.with_name("none"), merge=True, portable=True)
    assert not merged.folder.with_name("none").exists()


def test_trained_whole_in_half_precision(folders: dict[str, Path], tmp_path: Path) -> None:
    whole = {"train": "full", "dtype": "bfloat16"}
    graph = graph_of(folders, ("draft", "rival"), ada=whole, bo={"dtype": "bfloat16"})
    system = run_of(graph, tmp_path / "run")
    found = export(tmp_path / "run", tmp_path / "out")
    again = opened(found.folder)
    assert AutoModelForCausalLM.from_pretrained(found.folder / "ada").dtype == torch.bfloat16
    ours, theirs = (one.sample(INPUTS, n=2, seed=3) for one in (system, again))
    assert [t.values for t in ours] == [t.values for t in theirs]
    torch.testing.assert_close(system.log_prob(ours), again.log_prob(ours), rtol=0, atol=0)


def test_a_base_of_the_hub_stays_there(
    publish: Callable[..., Path], folders: dict[str, Path], tmp_path: Path
) -> None:
    publish("someone/lm", lambda folder: shutil.copytree(folders["chat"], folder))
    lm = {**folders, "chat": Path("someone/lm")}
    system = run_of(graph_of(lm, ("draft",), ada={"revision": "main"}), tmp_path / "run")
    found = export("run", "out", portable=True)
    again = opened(found.folder)
    assert again.sample(INPUTS, seed=3)[0].values == system.sample(INPUTS, seed=3)[0].values
    assert found.serving[0].startswith("vllm serve someone/lm --revision main --enable-lora ")
    said = json.loads(Path("out/lm/adapters/ada/adapter_config.json").read_text())
    assert (said["base_model_name_or_path"], said["revision"]) == ("someone/lm", "main")
    assert sorted(path.name for path in Path("out/lm").iterdir()) == ["adapters"]
    card = ModelCard.load("out/lm/adapters/ada/README.md")
    assert card.data.to_dict()["base_model"] == "someone/lm"
    assert 'AutoModelForCausalLM.from_pretrained("someone/lm", revision="main")' in card.text


def test_cards(exported: Export) -> None:
    base, adapter = exported.folder / "chat", exported.folder / "chat" / "adapters" / "ada"
    assert not (base / "adapters" / "README.md").exists()
    (serving,) = exported.serving
    assert serving == (
        "vllm serve ./chat --dtype float32 --enable-lora --max-loras 2 --max-lora-rank 8 "
        "--lora-modules ada=./chat/adapters/ada bo=./chat/adapters/bo"
    )
    card = ModelCard.load(adapter / "README.md")
    assert card.data.to_dict()["library_name"] == "peft"
    assert card.data.to_dict()["pipeline_tag"] == "text-generation"
    assert "| before | 0.250 |\n| after | 0.750 |" in card.text
    whole = ModelCard.load(exported.folder / "README.md")
    assert serving in whole.text
    for file in exported.folder.rglob("README.md"):
        for target in ModelCard.load(file).text.split("](")[1:]:
            path = target.partition(")")[0]
            assert "://" in path or (file.parent / path).exists(), (file, path)
    assert not {f.suffix for f in exported.folder.rglob("*")} & {".bin", ".pt", ".pkl"}


def test_an_adapter_that_does_not_fit(exported: Export, tmp_path: Path) -> None:
    adapter = shutil.copytree(exported.folder / "chat/adapters/ada", tmp_path / "ada")
    spec = CausalLM(id=str(exported.folder / "chat"), adapter=str(adapter), train="frozen")

    def digest() -> str:
        return CausalLMEngine({"ada": spec}, device=torch.device("cpu"), seed=0).digest("ada")

    file = adapter / "adapter_config.json"
    said, before = json.loads(file.read_text()), digest()
    for change, why in (
        ({"r": 5}, "do not fit"),
        ({"peft_type": "IA3"}, "does not say that it is LoRA"),
        ({"target_modules": ["nope"]}, "nope"),
    ):
        file.write_text(json.dumps(said | change))
        with pytest.raises(sysgraph.InputError, match="the adapter of model 'ada'") as caught:
            digest()
        assert why in str(caught.value)
    # What names a module to import, or would change the base, is not heeded; the scale is.
    file.write_text(json.dumps(said | {"megatron_core": "nope", "megatron_config": {"a": 1}}))
    assert digest() == before
    file.write_text(json.dumps(said | {"lora_alpha": 7.0}))
    assert digest() != before
