"""Models with one id share one base; their adapters, references and gradients stay apart."""

import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig

from sysgraph import Completion, InputError, Program, System
from sysgraph.engines import Request

MakeProgram = Callable[..., Program]
Jitter = Callable[[System, float], None]

ROWS = [("How many clips?", " 72 clips."), ("Q", " It takes 3 bolts.")]


def requests(model: str) -> list[Request]:
    return [Request(model, prompt, Completion(text)) for prompt, text in ROWS]


def scores(system: System, model: str, *, reference: bool = False) -> Tensor:
    return system.score(requests(model), reference=reference).detach()


def expected(folder: Path, module: nn.Module) -> Tensor:
    """Log p of ROWS under a module of transformers or peft."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    out = []
    for prompt, text in ROWS:
        ids = tokenizer.encode(prompt + text + tokenizer.eos_token)
        start = len(tokenizer.encode(prompt))
        with torch.no_grad():
            log_probs = module.eval()(torch.tensor([ids])).logits[0].log_softmax(-1)
        out.append(sum(log_probs[t - 1, ids[t]] for t in range(start, len(ids))))
    return torch.stack(out)


def storages(system: System, model: str) -> dict[str, int]:
    """Where the base weights that `model` runs on lie in memory."""
    module = system._engines[model]._weights[model].module(reference=False)
    return {
        name: parameter.data_ptr()
        for name, parameter in module.named_parameters()
        if "lora_" not in name
    }


def gradients(system: System, model: str) -> dict[str, Tensor | None]:
    return {name: parameter.grad for name, parameter in system.parameters(model).items()}


@pytest.fixture
def three(several_nodes: MakeProgram, plain_folder: Path, jitter: Jitter) -> System:
    """Two adapters of different ranks and a frozen model, on one base."""
    base = {"id": str(plain_folder)}
    program = several_nodes(
        {
            "ada": {**base, "revision": "main", "lora": {"r": 4, "alpha": 8}},
            "bo": {**base, "lora": {"r": 2, "target_modules": ["q_proj", "down_proj"]}},
            "cy": {**base, "train": "frozen"},
        },
        {name: {"model": name, "prompt": "{{ question }}"} for name in ("ada", "bo", "cy")},
    )
    system = System(program, device="cpu")
    jitter(system, 0.1)
    return system


# ---- sharing


def test_one_base_in_memory(three: System, plain_folder: Path) -> None:
    places = storages(three, "ada")
    assert storages(three, "bo") == places
    assert storages(three, "cy") == places
    weights = AutoModelForCausalLM.from_pretrained(plain_folder).parameters()
    assert len(set(places.values())) == len(list(weights))


def test_full_trains_its_own_copy(several_nodes: MakeProgram, plain_folder: Path) -> None:
    base = {"id": str(plain_folder)}
    program = several_nodes(
        {"ada": {**base, "train": "full"}, "bo": {**base, "train": "frozen"}},
        {name: {"model": name, "prompt": "{{ question }}"} for name in ("ada", "bo")},
    )
    system = System(program, device="cpu")
    own, shared = storages(system, "ada"), storages(system, "bo")
    assert not set(own.values()) & set(shared.values())
    before = scores(system, "ada")
    with torch.no_grad():
        for parameter in system.parameters("ada").values():
            parameter.mul_(1.1)
    assert not torch.isclose(scores(system, "ada"), before).any()
    assert torch.equal(scores(system, "ada", reference=True), before)
    assert torch.equal(scores(system, "bo"), before)


def test_other_dtype_is_another_base(several_nodes: MakeProgram, plain_folder: Path) -> None:
    base = {"id": str(plain_folder)}
    program = several_nodes(
        {"ada": base, "bo": {**base, "dtype": "bfloat16"}},
        {name: {"model": name, "prompt": "{{ question }}"} for name in ("ada", "bo")},
    )
    system = System(program, device="cpu")
    assert not set(storages(system, "ada").values()) & set(storages(system, "bo").values())
    assert {p.dtype for p in system.parameters("bo").values()} == {torch.float32}


def test_adapters_do_not_touch_each_other(three: System, plain_folder: Path) -> None:
    base = expected(plain_folder, AutoModelForCausalLM.from_pretrained(plain_folder))
    torch.testing.assert_close(scores(three, "cy"), base)
    for model in ("ada", "bo"):
        assert not torch.isclose(scores(three, model), base).any()
        torch.testing.assert_close(scores(three, model, reference=True), base)
    bo = scores(three, "bo")
    with torch.no_grad():
        for parameter in three.parameters("ada").values():
            parameter.zero_()
    assert torch.equal(scores(three, "bo"), bo)
    torch.testing.assert_close(scores(three, "ada"), base)


def test_initial_adapters_depend_on_seed_and_name_alone(
    several_nodes: MakeProgram, plain_folder: Path
) -> None:
    def adapter(models: list[str], model: str, seed: int) -> Tensor:
        torch.manual_seed(len(models))
        base = {"id": str(plain_folder)}
        nodes = {name: {"model": name, "prompt": "{{ question }}"} for name in models}
        system = System(several_nodes(dict.fromkeys(models, base), nodes), device="cpu", seed=seed)
        return torch.cat([p.flatten() for p in system.parameters(model).values()])

    alone = adapter(["bo"], "bo", 0)
    assert torch.equal(adapter(["ada", "bo"], "bo", 0), alone)
    assert not torch.equal(adapter(["ada", "bo"], "ada", 0), alone)
    assert not torch.equal(adapter(["bo"], "bo", 1), alone)


# ---- gradients


def test_a_loss_reaches_its_own_adapter_only(three: System) -> None:
    three.score(requests("ada")).sum().backward()
    assert all(g is not None and g.isfinite().all() for g in gradients(three, "ada").values())
    assert any(g is not None and g.abs().max() > 0 for g in gradients(three, "ada").values())
    assert all(g is None for g in gradients(three, "bo").values())


def test_a_joint_loss_gives_each_adapter_the_gradient_it_gets_alone(three: System) -> None:
    alone: dict[str, dict[str, Tensor | None]] = {}
    for model in ("ada", "bo"):
        three.score(requests(model)).sum().backward()
        alone[model] = gradients(three, model)
        for parameter in three.parameters(model).values():
            parameter.grad = None
    # The last pass before `backward` runs with every adapter off, and one with samples between.
    loss = three.score(requests("ada")).sum() + three.score(requests("cy")).sum()
    three.sample({"question": "Q"}, n=1)
    loss = loss + three.score([*requests("bo"), *requests("cy")]).sum()
    scores(three, "bo", reference=True)
    loss.backward()
    for model, wanted in alone.items():
        for name, gradient in gradients(three, model).items():
            assert gradient is not None, name
            torch.testing.assert_close(gradient, wanted[name], msg=name)


def test_nothing_else_asks_for_a_gradient(three: System) -> None:
    three.set_reference("ada", {n: p.detach() for n, p in three.parameters("ada").items()})
    scores(three, "ada", reference=True)
    scores(three, "bo")
    asking = {
        id(p)
        for p in three._engines["ada"]._weights["ada"].module(reference=False).parameters()
        if p.requires_grad
    }
    wanted = {id(p) for m in ("ada", "bo") for p in three.parameters(m).values()}
    assert asking == wanted
    assert not three.score(requests("ada"), reference=True).requires_grad


# ---- references


@pytest.mark.parametrize("train", ["lora", "full"])
def test_reference_is_set_and_put_back(
    one_node: MakeProgram, chat_folder: Path, jitter: Jitter, train: str
) -> None:
    system = System(one_node(chat_folder, train=train), device="cpu")
    original = scores(system, "ada", reference=True)
    assert torch.equal(scores(system, "ada"), original)

    jitter(system, 0.05)
    snapshot = {name: p.detach().clone() for name, p in system.parameters("ada").items()}
    then = scores(system, "ada")
    system.set_reference("ada", snapshot)
    jitter(system, 0.05)  # training goes on
    assert not torch.isclose(scores(system, "ada"), then).any()
    assert torch.equal(scores(system, "ada", reference=True), then)

    later = {name: p.detach().clone() for name, p in system.parameters("ada").items()}
    system.set_reference("ada", later)  # the next round
    assert torch.equal(scores(system, "ada", reference=True), scores(system, "ada"))

    system.set_reference("ada", None)
    assert torch.equal(scores(system, "ada", reference=True), original)


def test_frozen_equals_its_reference(one_node: MakeProgram, plain_folder: Path) -> None:
    program = one_node(plain_folder, train="frozen")
    system = System(program, device="cpu")
    assert torch.equal(scores(system, "ada"), scores(system, "ada", reference=True))
    assert system.parameters("ada") == {}
    assert system.trained() == ()


# ---- folders


@pytest.mark.parametrize("name", ["ada", "a", "q_proj", "mlp", "model", "train", "lora_A"])
def test_saved_adapter_is_a_peft_adapter_whatever_its_name(
    several_nodes: MakeProgram, plain_folder: Path, jitter: Jitter, tmp_path: Path, name: str
) -> None:
    base = {"id": str(plain_folder), "lora": {"r": 4, "alpha": 8}}
    program = several_nodes(
        {name: base, f"{name}{name}": base},
        {n: {"model": n, "prompt": "{{ question }}"} for n in (name, f"{name}{name}")},
    )
    system = System(program, device="cpu")
    jitter(system, 0.1)
    system.set_reference(name, {n: p.detach() for n, p in system.parameters(name).items()})
    found = scores(system, name)
    assert torch.equal(scores(system, name, reference=True), found)
    system.save(tmp_path)
    fresh = AutoModelForCausalLM.from_pretrained(plain_folder)
    loaded = PeftModel.from_pretrained(fresh, tmp_path / name)
    torch.testing.assert_close(found, expected(plain_folder, loaded))


def test_adapters_on_embeddings_and_output_layer(
    one_node: MakeProgram, plain_folder: Path, jitter: Jitter, tmp_path: Path
) -> None:
    lora = {"r": 4, "alpha": 8, "target_modules": ["embed_tokens", "lm_head", "q_proj"]}
    system = System(one_node(plain_folder, lora=lora), device="cpu")
    assert len(system.parameters("ada")) == 2 * (1 + 1 + 2)
    jitter(system, 0.1)
    system.save(tmp_path)
    fresh = AutoModelForCausalLM.from_pretrained(plain_folder)
    loaded = PeftModel.from_pretrained(fresh, tmp_path / "ada")
    torch.testing.assert_close(scores(system, "ada"), expected(plain_folder, loaded))
    system.score(requests("ada")).sum().backward()
    assert all(g is not None for g in gradients(system, "ada").values())


@pytest.mark.parametrize("train", ["lora", "full"])
def test_load_reads_what_save_wrote(
    one_node: MakeProgram, chat_folder: Path, jitter: Jitter, tmp_path: Path, train: str
) -> None:
    program = one_node(chat_folder, train=train)
    system = System(program, device="cpu")
    jitter(system, 0.1)
    system.save(tmp_path)
    other = System(program, device="cpu", seed=1)
    assert not torch.isclose(scores(other, "ada"), scores(system, "ada")).any()
    other.load(tmp_path)
    assert torch.equal(scores(other, "ada"), scores(system, "ada"))
    other.score(requests("ada")).sum().backward()  # still trains
    assert any(p.grad is not None and p.grad.any() for p in other.parameters("ada").values())


def test_saved_full_model_is_a_checkpoint(
    one_node: MakeProgram, chat_folder: Path, jitter: Jitter, tmp_path: Path
) -> None:
    system = System(one_node(chat_folder, train="full"), device="cpu")
    jitter(system, 0.05)
    system.save(tmp_path)
    folder = tmp_path / "ada"
    module = AutoModelForCausalLM.from_pretrained(folder)
    torch.testing.assert_close(scores(system, "ada"), expected(folder, module))
    kept, original = (GenerationConfig.from_pretrained(f) for f in (folder, chat_folder))
    assert kept.eos_token_id == original.eos_token_id
    assert kept.repetition_penalty == original.repetition_penalty


def test_full_model_loads_into_another_dtype(
    one_node: MakeProgram, plain_folder: Path, jitter: Jitter, tmp_path: Path
) -> None:
    system = System(one_node(plain_folder, train="full"), device="cpu")
    jitter(system, 0.1)
    system.save(tmp_path)
    halves = System(one_node(plain_folder, train="full", dtype="bfloat16"), device="cpu")
    halves.load(tmp_path)
    for name, parameter in halves.parameters("ada").items():
        assert torch.equal(parameter, system.parameters("ada")[name].bfloat16())


def _nothing(folder: Path) -> None:
    folder.mkdir(parents=True)


def _other_scale(folder: Path) -> None:
    file = folder / "adapter_config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "lora_alpha": 99}))


def _no_weights(folder: Path) -> None:
    (folder / "adapter_model.safetensors").unlink()


def _no_object(folder: Path) -> None:
    (folder / "adapter_config.json").write_text("[1]")


def _half_a_file(folder: Path) -> None:
    for file in folder.glob("*.safetensors"):
        file.write_bytes(file.read_bytes()[:999])


BAD_FOLDERS = {
    "empty": (None, {}, _nothing, "is no"),
    "other rank": ("lora", {"r": 2}, None, "its r is 2"),
    "other scale": ("lora", {}, _other_scale, "its lora_alpha is 99"),
    "other modules": ("lora", {"target_modules": ["q_proj"]}, None, "weight.* do not fit"),
    "no weights": ("lora", {}, _no_weights, "is no adapter"),
    "no object": ("lora", {}, _no_object, "is no adapter"),
    "half a file": ("lora", {}, _half_a_file, "is no adapter"),
}


@pytest.mark.parametrize("case", BAD_FOLDERS)
def test_a_wrong_folder_names_the_model_and_changes_nothing(
    one_node: MakeProgram, plain_folder: Path, tmp_path: Path, case: str
) -> None:
    saved, lora, spoil, said = BAD_FOLDERS[case]
    if saved:
        System(one_node(plain_folder, lora=lora), device="cpu", seed=1).save(tmp_path)
    if spoil is not None:
        spoil(tmp_path / "ada")
    system = System(one_node(plain_folder), device="cpu")
    before = {name: p.detach().clone() for name, p in system.parameters("ada").items()}
    with pytest.raises(InputError, match=said) as caught:
        system.load(tmp_path)
    assert "'ada'" in str(caught.value)
    for name, parameter in system.parameters("ada").items():
        assert torch.equal(parameter, before[name])


@pytest.mark.parametrize("spoil", [None, _nothing, _half_a_file])
def test_a_wrong_folder_for_a_full_model(
    one_node: MakeProgram,
    plain_folder: Path,
    chat_folder: Path,
    tmp_path: Path,
    spoil: Callable[[Path], None] | None,
) -> None:
    if spoil is not _nothing:
        System(one_node(chat_folder, train="full"), device="cpu").save(tmp_path)
    if spoil is not None:
        spoil(tmp_path / "ada")
    system = System(one_node(plain_folder, train="full"), device="cpu")
    with pytest.raises(InputError, match="model 'ada'"):
        system.load(tmp_path)


def test_a_full_checkpoint_that_lacks_a_weight(
    one_node: MakeProgram, plain_folder: Path, tmp_path: Path
) -> None:
    """transformers would make the missing weight up, with a notice."""
    system = System(one_node(plain_folder, train="full"), device="cpu")
    system.save(tmp_path)
    file = tmp_path / "ada" / "model.safetensors"
    weights = load_file(file)
    del weights["model.layers.1.mlp.up_proj.weight"]
    save_file(weights, file, metadata={"format": "pt"})
    with pytest.raises(InputError, match=r"model 'ada': it lacks model.layers.1.mlp.up_proj"):
        system.load(tmp_path)


def test_a_folder_without_any_of_the_models(
    one_node: MakeProgram, plain_folder: Path, tmp_path: Path
) -> None:
    system = System(one_node(plain_folder), device="cpu")
    with pytest.raises(InputError, match="no trained models of this system"):
        system.load(tmp_path / "absent")


@pytest.mark.parametrize("broken", ["absent", "empty", "no tokenizer"])
def test_a_model_that_cannot_be_loaded(
    one_node: MakeProgram, plain_folder: Path, tmp_path: Path, broken: str
) -> None:
    folder = tmp_path / "model"
    if broken != "absent":
        folder.mkdir()
    if broken == "no tokenizer":
        AutoModelForCausalLM.from_pretrained(plain_folder).save_pretrained(folder)
    with pytest.raises(InputError, match="cannot load model id"):
        System(one_node(folder), device="cpu")


def test_target_modules_that_are_not_there(one_node: MakeProgram, plain_folder: Path) -> None:
    with pytest.raises(InputError, match="target_modules"):
        System(one_node(plain_folder, lora={"target_modules": ["nope"]}), device="cpu")


def test_scale_is_alpha_over_rank(
    one_node: MakeProgram, plain_folder: Path, jitter: Jitter
) -> None:
    """With the same A and B, alpha 2a at rank r is the update of alpha a, twice."""
    updates = []
    for alpha in (0.01, 0.02):  # small, so that the model is linear in the update
        system = System(one_node(plain_folder, lora={"r": 4, "alpha": alpha}), device="cpu")
        jitter(system, 0.1)
        updates.append(scores(system, "ada") - scores(system, "ada", reference=True))
    ratio = float((updates[1] / updates[0]).mean())
    assert math.isclose(ratio, 2, rel_tol=0.05)
