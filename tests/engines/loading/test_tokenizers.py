"""Tokenizers in the forms that they are published in."""

import json
import shutil
from pathlib import Path

import pytest
import sentencepiece
from transformers import LlamaConfig, LlamaForCausalLM

from sysgraph import Completion, InputError
from sysgraph.engines import Request

from .kinds import KINDS, SMALL, system

TEXT = ["the quick brown fox jumps over a lazy dog", "one two three four five six seven"]


def test_one_that_is_kept_as_a_sentencepiece_model_alone(tmp_path: Path) -> None:
    """As those of Llama 2, Mistral and T5 once were."""
    (tmp_path / "text").write_text("\n".join(TEXT * 20))
    sentencepiece.SentencePieceTrainer.train(
        input=str(tmp_path / "text"),
        model_prefix=str(tmp_path / "tokenizer"),
        vocab_size=60,
        model_type="bpe",
        minloglevel=2,
    )
    folder = tmp_path / "model"
    config = LlamaConfig(**SMALL, vocab_size=60, max_position_embeddings=64)
    LlamaForCausalLM(config).save_pretrained(folder)
    shutil.move(tmp_path / "tokenizer.model", folder)
    settings = {"tokenizer_class": "LlamaTokenizer", "bos_token": "<s>", "eos_token": "</s>"}
    (folder / "tokenizer_config.json").write_text(json.dumps({**settings, "unk_token": "<unk>"}))
    found = system("causal_lm", folder)
    pieces = sentencepiece.SentencePieceProcessor(model_file=str(folder / "tokenizer.model"))
    tokenizer = found._engines["ada"]._weights["ada"].resident.tokenizer  # type: ignore[attr-defined]
    assert tokenizer("lazy fox", add_special_tokens=False).input_ids == pieces.encode("lazy fox")
    assert found.score([Request("ada", "one two", Completion("three"))]).isfinite().all()


@pytest.mark.parametrize("kind", ["causal_lm", "classifier", "reward", "clip"])
def test_a_tokenizer_that_is_missing(kind: str, tmp_path: Path) -> None:
    KINDS[kind].make(tmp_path)
    for file in tmp_path.glob("token*"):
        file.unlink()
    with pytest.raises(InputError, match=r"cannot load .*tokenizer"):
        KINDS[kind].load(str(tmp_path))


@pytest.mark.parametrize("template", [7, {"default": 7}])
@pytest.mark.parametrize("kind", ["causal_lm", "classifier", "reward"])
def test_a_chat_template_that_is_no_text(kind: str, template: object, tmp_path: Path) -> None:
    KINDS[kind].make(tmp_path)
    file = tmp_path / "tokenizer_config.json"
    settings = {**json.loads(file.read_text()), "chat_template": template}
    file.write_text(json.dumps(settings))
    with pytest.raises(InputError, match=r"cannot load .*`chat_template` is no text"):
        KINDS[kind].load(str(tmp_path))
