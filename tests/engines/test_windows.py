"""The longest text that a model takes is the longest that it runs on, whatever its config says."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    AutoTokenizer,
)

from sysgraph import Completion, Program, System
from sysgraph.engines import Request
from sysgraph.engines.checkpoints.window import window
from sysgraph.measuring.scorers.reward import RewardModel
from sysgraph.support.progress import Reporter
from sysgraph.traces.trace import Trace

SIZE = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 1}
HEADS = {"num_attention_heads": 4, "bos_token_id": 2, "eos_token_id": 3}
SPEECH = {"d_model": 32, "decoder_layers": 1, "decoder_attention_heads": 4, "decoder_ffn_dim": 48}
MPT = {"d_model": 32, "n_heads": 4, "n_layers": 1, "max_seq_len": 24}


def config_of(kind: str, **settings: Any) -> Any:
    return AutoConfig.for_model(
        kind, **{"vocab_size": 360, "pad_token_id": 1, **SIZE, **HEADS, **settings}
    )


@pytest.mark.parametrize(
    ("kind", "settings", "longest"),
    [
        ("mpt", MPT, 24),
        ("mpt", {**MPT, "max_position_embeddings": 256}, 24),  # which it does not have
        ("gpt2", {"n_positions": 24, "n_embd": 32, "n_layer": 1, "n_head": 4}, 24),
        ("opt", {"max_position_embeddings": 24, "ffn_dim": 48, "word_embed_proj_dim": 32}, 24),
        ("trocr", {"max_position_embeddings": 24, **SPEECH}, 24),
        ("whisper", {"max_target_positions": 24, "encoder_layers": 1, **SPEECH}, 24),
        ("bert", {"max_position_embeddings": 24, "is_decoder": True}, 24),
        ("roberta", {"max_position_embeddings": 24, "is_decoder": True}, 22),
        ("roberta", {"max_position_embeddings": 24, "is_decoder": True, "pad_token_id": 3}, 20),
        ("xlm-roberta", {"max_position_embeddings": 24, "is_decoder": True}, 22),
    ],
)
def test_runs_on_the_window_and_on_no_more(
    kind: str, settings: dict[str, Any], longest: int
) -> None:
    module = AutoModelForCausalLM.from_config(config_of(kind, **settings)).eval()
    assert window(module) == longest
    module(input_ids=torch.full((1, longest), 9))
    with pytest.raises((RuntimeError, IndexError)):
        module(input_ids=torch.full((1, longest + 1), 9))


@pytest.mark.parametrize(
    ("kind", "settings", "wanted"),
    [
        ("llama", {"max_position_embeddings": 40}, 40),
        ("llama", {"max_position_embeddings": 40, "max_sequence_length": 20}, 40),
        ("bloom", {"n_layer": 1, "n_head": 4}, None),
        ("bloom", {"n_layer": 1, "n_head": 4, "seq_length": 30}, 30),  # as published ones say
        ("mamba", {"state_size": 8}, None),
        ("xlnet", {"d_model": 32, "n_layer": 1, "n_head": 4, "d_inner": 48}, None),
    ],
)
def test_the_window_that_is_declared(
    kind: str, settings: dict[str, Any], wanted: int | None
) -> None:
    assert window(AutoModelForCausalLM.from_config(config_of(kind, **settings))) == wanted


def test_a_text_beyond_it_is_told(
    one_node: Callable[..., Program], plain_folder: Path, tmp_path: Path
) -> None:
    AutoModelForCausalLM.from_config(config_of("mpt", **MPT)).save_pretrained(tmp_path)
    AutoTokenizer.from_pretrained(plain_folder).save_pretrained(tmp_path)
    system = System(one_node(tmp_path, train="frozen"), device="cpu")
    said = system.problem(Request("ada", "Q " * 30, Completion("a")))
    assert said is not None
    assert "has a window of 24" in said


def test_a_reward_model_is_cut_at_the_positions_that_it_uses(
    plain_folder: Path, tmp_path: Path
) -> None:
    config = config_of("roberta", max_position_embeddings=24, num_labels=1)
    AutoModelForSequenceClassification.from_config(config).save_pretrained(tmp_path)
    AutoTokenizer.from_pretrained(plain_folder).save_pretrained(tmp_path)
    lines: list[str] = []
    reporter = Reporter()
    reporter.line = lines.append  # type: ignore[method-assign]
    model = RewardModel(str(tmp_path), device=torch.device("cpu"), reporter=reporter)
    traces = [Trace({"q": "Q"}, {"a": Completion("c " * n)}, ("a",)) for n in (2, 40)]
    assert len(model.score(traces)) == 2
    assert "longer than the model's 22 tokens" in lines[0]
