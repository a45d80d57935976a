"""graphs/hub/progression_sd15.yaml, step by step as it says, on small models of the same classes.

Collecting draws with Stable Diffusion XL's classes at twice the size; the images are shrunk, and
Llama's and Stable Diffusion 1.5's classes train on them.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import StableDiffusionPipeline
from peft import PeftModel
from PIL import Image
from safetensors.torch import load_file
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM
from transformers import PreTrainedTokenizerFast as Words

import sysgraph

from ..cli.test_run import Done, here
from ..engines.diffusion.folders import save_sd, save_sdxl
from ..measuring.scorers.checkpoints import save_clip

GRAPH = Path(__file__).parents[2] / "graphs" / "hub" / "progression_sd15.yaml"
LEVELS, SCENES = ("dim", "fair", "bright"), ("lake", "sea")
LLAMA_3 = (
    "{{ bos_token }}{% for m in messages %}<|start_header_id|>{{ m.role }}<|end_header_id|>\n\n"
    "{{ m.content }}<|eot_id|>{% endfor %}"
    "{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}"
)
ROWS = [
    {"prompt": f"show a {scene} that grows bright", "attribute": "bright", "scene": scene}
    for scene in SCENES
]

Command = Callable[..., Done]


def words() -> Words:
    """Llama 3's special tokens and template; one token a word."""
    special = ["<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"]
    known = ["<unk>", "user", "assistant", "<caption>", "</caption>", *LEVELS, *SCENES]
    vocabulary = {word: i for i, word in enumerate([*special, *known])}
    inner = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    inner.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    made = Words(
        tokenizer_object=inner,
        bos_token=special[0],
        eos_token=special[3],
        pad_token=special[3],
        additional_special_tokens=special[1:3],
        unk_token="<unk>",
    )
    made.chat_template = LLAMA_3
    return made


def save_llama(folder: Path) -> Path:
    """A Llama that has learned to write three captions, of any levels."""
    tokenizer = words()
    torch.manual_seed(0)
    module = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=2,
            num_attention_heads=4,
            eos_token_id=tokenizer.eos_token_id,
            bos_token_id=tokenizer.bos_token_id,
        )
    )
    program = sysgraph.compile(sysgraph.load(GRAPH))
    ask = "".join(m.content for v in program.variables if v.name == "text" for m in v.messages)
    optimizer = torch.optim.AdamW(module.parameters(), lr=1e-2)
    generator = torch.Generator().manual_seed(0)
    for _ in range(60):
        batch = []
        for _ in range(8):
            picks = torch.randint(len(LEVELS), (3,), generator=generator).tolist()
            scene = SCENES[int(torch.randint(2, (), generator=generator))]
            captions = " ".join(f"<caption> {LEVELS[i]} {scene} </caption>" for i in picks)
            asked = ask.replace("{{ prompt }}", ROWS[SCENES.index(scene)]["prompt"])
            turns = [{"role": "user", "content": asked}, {"role": "assistant", "content": captions}]
            batch.append(tokenizer.apply_chat_template(turns, return_dict=False))
        ids = torch.tensor(batch)
        labels = ids.clone()
        labels[:, :-16] = -100
        loss = module(input_ids=ids, labels=labels).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    module.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Folders of each of the published models' classes."""
    root = tmp_path_factory.mktemp("models")
    return {
        "llama": str(save_llama(root / "llama")),
        "sd15": str(save_sd(root / "sd15")),
        "sdxl": str(save_sdxl(root / "sdxl")),
        "scorer": f"progression:clip:{save_clip(root / 'clip')}",
    }


@pytest.fixture
def command(
    checkpoints: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Command:
    """`sysgraph NAME GRAPH ...` with a painter that draws so many pixels; in `tmp_path`."""
    monkeypatch.chdir(tmp_path)
    Path("rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))

    def run(name: str, *arguments: str, painter: str = "sd15", side: int = 8) -> Done:
        settings: dict[str, Any] = {
            "models.captioner.id": checkpoints["llama"],
            "models.painter.id": checkpoints[painter],
            "models.painter.width": side,
            "models.painter.height": side,
            "models.painter.inference_steps": 2,
            "fit.scorer": checkpoints["scorer"],
            "fit.steps": 2,
            "fit.batch_size": 4,
            "fit.gradient_accumulation_steps": 2,
            "fit.warmup_steps": 0,
        }
        sets = [f"--set={name}={value}" for name, value in settings.items()]
        return here([name, str(GRAPH), *arguments, *sets], monkeypatch, capsys)

    return run


def test_the_file_is_right_as_it_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    done = here(["check", str(GRAPH)], monkeypatch, capsys)
    assert (done.code, done.out, done.err) == (0, f"{GRAPH}: ok\n", "")


def test_collect_with_xl_shrink_train_and_evaluate(
    command: Command, checkpoints: dict[str, str]
) -> None:
    scorer = checkpoints["scorer"]
    asked = ["--inputs", "rows.jsonl", "--scorer", scorer]
    done = command("collect", *asked, "-o", "collected", painter="sdxl", side=16)
    assert done.code == 0, done.err
    pairs = [json.loads(row) for row in Path("collected/pairs.jsonl").read_text().splitlines()]
    assert 2 <= len(pairs) <= 12
    assert all(better > (-9 if worse is None else worse) for better, worse in scores(pairs))
    assert {row["attribute"] for row in pairs} == {"bright"}
    files = sorted(Path("collected/images").glob("*.png"))
    assert {Image.open(file).size for file in files} == {(16, 16)}

    refused = command("fit", "--data", "collected")
    assert refused.code == 2
    assert "is 16 x 16 pixels, but model 'painter' draws 8 x 8" in refused.err
    assert "pairs.jsonl:1: chosen.image[1]: " in refused.err
    assert not Path("runs").exists()

    for file in files:
        Image.open(file).resize((8, 8)).save(file)
    done = command("fit", "--data", "collected", "--set", "fit.eval_fraction=0")
    assert done.code == 0, done.err
    run = Path("runs/progression_sd15")
    assert_trained(run / "models", checkpoints)

    for options in ([], ["--model-dir", str(run)]):
        done = command("eval", *asked, *options)
        assert done.code == 0, done.err
        assert done.out.startswith(f"{scorer} ")
        assert ", order consistent " in done.out


def test_xl_may_draw_at_that_size_at_once(command: Command, checkpoints: dict[str, str]) -> None:
    asked = ["--inputs", "rows.jsonl", "--scorer", checkpoints["scorer"]]
    assert command("collect", *asked, "-o", "collected", painter="sdxl").code == 0
    done = command("fit", "--data", "collected")
    assert done.code == 0, done.err


def test_rows_without_an_attribute_start_nothing(
    command: Command, checkpoints: dict[str, str]
) -> None:
    Path("rows.jsonl").write_text("".join(f'{{"prompt": "{i}"}}\n' for i in range(2)))
    for name, options in (("collect", ["-o", "collected"]), ("eval", [])):
        done = command(name, "--inputs", "rows.jsonl", "--scorer", checkpoints["scorer"], *options)
        assert (done.code, done.out) == (2, "")
        for row in (1, 2):
            assert f"rows.jsonl:{row}: scorer progression:clip:" in done.err
        assert "attribute: missing; expected a text (the row has prompt)" in done.err
    assert not Path("collected").exists()


def scores(pairs: list[dict[str, Any]]) -> list[tuple[float, float | None]]:
    return [(row["scores"][0], row["scores"][1]) for row in pairs]


def assert_trained(folder: Path, checkpoints: dict[str, str]) -> None:
    """Both adapters load with their libraries' own loaders, and have moved."""
    base = AutoModelForCausalLM.from_pretrained(checkpoints["llama"])
    PeftModel.from_pretrained(base, folder / "captioner")
    StableDiffusionPipeline.from_pretrained(checkpoints["sd15"]).load_lora_weights(
        folder / "painter"
    )
    for file in folder.glob("*/*.safetensors"):
        moved = [w for name, w in load_file(file).items() if "lora_B" in name or ".up." in name]
        assert moved, file
        assert any(weight.abs().max() > 0 for weight in moved), file
    assert {file.parent.name for file in folder.glob("*/*.safetensors")} == {"captioner", "painter"}
