"""graphs/real: its rules by hand, its files as its script makes them, and all of it run once."""

import json
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from sysgraph.support.plugin import load_file

from ..cli.test_run import here

ROOT = Path(__file__).parents[2]
REAL = ROOT / "graphs" / "real"
SCORER = f"{REAL / 'cards.py'}:cards"
FACT = "The toothbrush was invented in China in 1498"
WHERE = "Where was the toothbrush invented in 1498?"


@pytest.mark.parametrize(
    ("question", "answer", "broken"),
    [
        (WHERE, "China", ""),
        (f" {WHERE} ", " in China.", ""),
        ("Who invented the toothbrush?", "1498", ""),
        ("The toothbrush was invented where", "China", "one question"),
        ("What? Where was the toothbrush invented?", "China", "one question"),
        ("Toothbrushes were invented where?", "China", ""),
        ("Toothbrushes invented where?", "China", "one question"),  # three words
        (f"Please tell me {'now ' * 8}{WHERE}", "China", "one question"),  # eighteen
        ("Where do we brush our teeth?", "China", "about the fact"),
        (WHERE, "It was invented in China", "short answer, answer from the fact"),
        (WHERE, "was invented in China in", "short answer, answer not in the question"),
        (WHERE, "Japan", "answer from the fact"),
        (WHERE, "Chin", "answer from the fact"),
        (WHERE, "in", "answer from the fact"),  # says nothing
        (WHERE, "toothbrush", "answer not in the question"),
        ("Who invented toothbrushes in China?", "toothbrush", "answer not in the question"),
        (WHERE, "1,498", "answer from the fact"),
        ("", "", "one question, about the fact, short answer, answer from the fact"),
    ],
)
def test_what_a_card_must_be(question: str, answer: str, broken: str) -> None:
    kept = load_file(str(REAL / "cards.py")).rules(FACT, question, answer)
    failed = {name for name, is_kept in kept.items() if not is_kept}
    expected = {name for name in broken.split(", ") if name}
    if "answer from the fact" in expected:
        expected.add("answer not in the question")
    assert failed == expected


def test_the_files_are_what_the_script_chooses() -> None:
    script = load_file(str(REAL / "facts.py"))
    facts = [fact for name in script.FILES for fact in read(name)]
    assert script.chosen(reversed([f"{fact}. \n" for fact in facts] * 2)) == facts
    assert [len(read(name)) for name in script.FILES] == list(script.FILES.values())
    assert script.chosen(["Seven words are not enough for it", "Å " * 9, "w " * 17, "w " * 8]) == [
        "w w w w w w w w"
    ]


def test_a_fit_on_a_tiny_base(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    facts = read("train.jsonl")[:4]
    save_tiny(tmp_path / "base", " ".join(facts).split())
    rows = tmp_path / "few.jsonl"
    rows.write_text("".join(json.dumps({"fact": fact}) + "\n" for fact in facts))
    settings = {
        "vars.base": tmp_path / "base", "fit.inputs": rows, "fit.eval_inputs": rows,
        "fit.samples": 8, "fit.eval_fraction": 0, "fit.rounds": 1, "fit.steps": 2,
    }  # fmt: skip
    words = [word for name, value in settings.items() for word in ("--set", f"{name}={value}")]
    run = ["graphs/real/cards.yaml", *words, "--scorer", SCORER, "-o", str(tmp_path / "run")]
    done = here(["fit", *run], monkeypatch, capsys)
    assert done.code == 0, done.err
    assert "held-out after:" in done.out
    trained = [path.name for path in (tmp_path / "run" / "models").iterdir() if path.is_dir()]
    assert sorted(trained) == ["answerer", "asker"]
    assert here(["check", run[0]], monkeypatch, capsys) == (0, f"{run[0]}: ok\n", "")


def read(name: str) -> list[str]:
    return [json.loads(line)["fact"] for line in (REAL / name).read_text().splitlines()]


def save_tiny(folder: Path, words: list[str]) -> None:
    """A random Llama that says these words, question marks among them."""
    vocabulary = {word: i for i, word in enumerate(dict.fromkeys(["<end>", "<unk>", "?", *words]))}
    inner = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    inner.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    PreTrainedTokenizerFast(
        tokenizer_object=inner, eos_token="<end>", pad_token="<end>", unk_token="<unk>"
    ).save_pretrained(folder)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(vocabulary),
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=128,
        eos_token_id=0,
        pad_token_id=0,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
