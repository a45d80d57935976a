"""Every kind of thing that is loaded from a checkpoint: made, and loaded as a user would."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    CLIPConfig,
    CLIPImageProcessor,
    CLIPModel,
    CLIPProcessor,
    CLIPTokenizer,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
    ViTConfig,
    ViTForImageClassification,
    ViTImageProcessor,
)

import sysgraph
from sysgraph.measuring.scorers.meters import Classifier, Clip
from sysgraph.measuring.scorers.reward import RewardModel

CPU = torch.device("cpu")
SMALL: dict[str, Any] = {
    "hidden_size": 16,
    "intermediate_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
}
WORDS = ["<pad>", "<s>", "</s>", "<unk>", "one", "two", "three"]


def _tokenizer() -> PreTrainedTokenizerFast:
    inner = Tokenizer(models.WordLevel({w: i for i, w in enumerate(WORDS)}, unk_token="<unk>"))
    inner.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(
        tokenizer_object=inner, unk_token="<unk>", eos_token="</s>", pad_token="<pad>"
    )


def _causal_lm(folder: Path) -> None:
    LlamaForCausalLM(LlamaConfig(**SMALL, vocab_size=8)).save_pretrained(folder)
    _tokenizer().save_pretrained(folder)


def _bert(labels: int) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        config = BertConfig(**SMALL, vocab_size=8, num_labels=labels, pad_token_id=0)
        BertForSequenceClassification(config).save_pretrained(folder)
        _tokenizer().save_pretrained(folder)

    return make


def _vit(folder: Path) -> None:
    config = ViTConfig(**SMALL, image_size=16, patch_size=8)
    ViTForImageClassification(config).save_pretrained(folder)
    ViTImageProcessor(size={"height": 16, "width": 16}).save_pretrained(folder)


def _clip(folder: Path) -> None:
    special = ["<|startoftext|>", "<|endoftext|>"]
    words = CLIPTokenizer(
        vocab={w: i for i, w in enumerate(["a", "a</w>", *special])}, merges=[], model_max_length=9
    )
    text = {**SMALL, "vocab_size": 4, "max_position_embeddings": 9}
    vision = {**SMALL, "image_size": 16, "patch_size": 8}
    CLIPModel(
        CLIPConfig(text_config=text, vision_config=vision, projection_dim=16)
    ).save_pretrained(folder)
    images = CLIPImageProcessor(size={"shortest_edge": 16}, crop_size={"height": 16, "width": 16})
    CLIPProcessor(images, words).save_pretrained(folder)


def system(kind: str, folder: str | Path, **model: Any) -> sysgraph.System:
    """The system of one model of a kind."""
    nodes = {
        "causal_lm": {"kind": "lm", "model": "ada", "prompt": "{{ question }}"},
        "classifier": {
            "kind": "choice",
            "model": "ada",
            "prompt": "{{ question }}",
            "options": ["a", "b"],
        },
        "diffusion": {"kind": "diffusion", "model": "ada", "prompt": "{{ question }}"},
    }
    graph = {
        "sysgraph": 1,
        "name": "test",
        "models": {"ada": {"kind": kind, "id": str(folder), **model}},
        "nodes": {"question": {"kind": "input"}, "answer": nodes[kind]},
        "edges": ["question -> answer"],
        "outputs": ["answer"],
    }
    return sysgraph.System(sysgraph.compile(sysgraph.load(json.dumps(graph))), device="cpu")


class Kind(NamedTuple):
    """How a kind is made and loaded, and what its files have."""

    make: Callable[[Path], None]
    load: Callable[[str], Any]
    layers: str
    """The name of its list of layers, of two."""
    layers_setting: tuple[str, ...] = ("num_hidden_layers",)
    width_setting: tuple[str, ...] = ("intermediate_size",)
    """A setting of config.json that is the shape of weights."""


KINDS: Mapping[str, Kind] = {
    "causal_lm": Kind(_causal_lm, lambda name: system("causal_lm", name), "model.layers"),
    "classifier": Kind(_bert(2), lambda name: system("classifier", name), "bert.encoder.layer"),
    "reward": Kind(_bert(1), lambda name: RewardModel(name, device=CPU), "bert.encoder.layer"),
    "image classifier": Kind(_vit, lambda name: Classifier(name, device=CPU), "vit.layers"),
    "clip": Kind(
        _clip,
        lambda name: Clip(name, device=CPU),
        "text_model.encoder.layers",
        ("text_config", "num_hidden_layers"),
        ("text_config", "intermediate_size"),
    ),
}


def edit(folder: Path, path: tuple[str, ...], value: Any) -> None:
    """Sets one setting of the config.json in a folder."""
    file = folder / "config.json"
    config = json.loads(file.read_text())
    inner = config
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    file.write_text(json.dumps(config))
