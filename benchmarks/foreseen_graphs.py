"""Systems on models of real size, whose training is foreseen and then measured.

The graphs are those of graphs/, with other models and less to do.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import yaml
from transformers import AutoTokenizer, BertConfig, BertForSequenceClassification

import sysgraph

from . import pairs, tiny_painter
from .row import Options

ROOT = Path(__file__).parents[1]
FIT = {"steps": 2, "batch_size": 2, "eval_fraction": 0.25, "seed": 0}
ROUNDS = {**FIT, "rounds": 1, "samples": 2}
"""With pairs that the system makes itself; `score` is their scorer."""


def score(trace: sysgraph.Trace) -> float:
    """Tells any two outputs apart."""
    return float(sum(map(ord, trace.output())) % 1009)


def moa(options: Options, folder: Path) -> sysgraph.Graph:
    """Seven nodes on four adapters of one base, in a round."""
    graph = _read("moa")
    for spec in graph["models"].values():
        spec |= {"id": str(options.language_model), "max_new_tokens": 24}
    return _loaded(graph, ROUNDS | {"inputs": _questions(options, folder)})


def router(options: Options, folder: Path) -> sysgraph.Graph:
    """A classifier, trained whole, that sends questions to three adapters of one base."""
    graph = _read("router")
    for spec in graph["models"].values():
        spec |= {"id": str(options.language_model), "max_new_tokens": 48}
    desk = {"kind": "classifier", "id": str(_desk(options, folder)), "train": "full"}
    graph["models"]["desk"] = desk
    return _loaded(graph, ROUNDS | {"inputs": _questions(options, folder)})


def progression(options: Options, folder: Path) -> sysgraph.Graph:
    """An adapter of a captioner, and a painter that is trained whole, on pairs."""
    graph = _read("progression")
    painter = folder / "painter"
    pixels = tiny_painter.save(painter, quick=options.quick)
    graph["models"]["captioner"]["id"] = str(options.language_model)
    graph["models"]["painter"] |= {
        "id": str(painter),
        "train": "full",
        "learning_rate": 1e-3,
    }
    drawn = [tiny_painter.pairs(_made(folder / str(i)), 4, pixels) for i in range(3)]
    rows = []
    for row, texts in enumerate(pairs.cut(options.language_model, 4, 40, 24)):
        sides: dict[str, Any] = {
            side: {
                "text": "; ".join(texts[side].replace(";", ",") for _ in range(3)),
                "image": [several[row][side]["image"] for several in drawn],  # type: ignore[index]
            }
            for side in ("chosen", "rejected")
        }
        rows.append({"inputs": {"prompt": texts["prompt"]}, **sides})
    return _loaded(graph, FIT, _written(folder, rows))


def sampling(options: Options, folder: Path) -> sysgraph.Graph:
    """Two adapters of one base; drafts are summed over, and drawn anew in every step."""
    graph = _two_stage(options, "lora")
    rows = [
        {"inputs": {"question": p["prompt"]}, **{s: {"answer": p[s]} for s in _SIDES}}
        for p in pairs.cut(options.language_model, 4, 64, 48)
    ]
    settings = {**FIT, "observed": ["answer"], "sampling": {"sampler": "diverse_beam", "k": 4}}
    return _loaded(graph, settings, _written(folder, rows))


def whole(options: Options, folder: Path) -> sysgraph.Graph:
    """Two models trained whole, every value observed."""
    graph = _two_stage(options, "full")
    made = zip(*[iter(pairs.cut(options.language_model, 8, 64, 48))] * 2, strict=True)
    rows = [
        {
            "inputs": {"question": draft["prompt"]},
            **{side: {"draft": draft[side], "answer": answer[side]} for side in _SIDES},
        }
        for draft, answer in made
    ]
    return _loaded(graph, FIT, _written(folder, rows))


GRAPHS: dict[str, Callable[[Options, Path], sysgraph.Graph]] = {
    "moa, a round": moa,
    "router with a classifier, a round": router,
    "progression with a painter, pairs": progression,
    "two stages, drafts drawn, pairs": sampling,
    "two stages trained whole, pairs": whole,
}
_SIDES = ("chosen", "rejected")


def _questions(options: Options, folder: Path) -> str:
    file = folder / "questions.jsonl"
    rows = [{"question": one["prompt"]} for one in pairs.cut(options.language_model, 4, 48, 8)]
    file.write_text("".join(f"{json.dumps(row)}\n" for row in rows), "utf-8")
    return str(file)


def _two_stage(options: Options, train: str) -> dict[str, Any]:
    graph = _read("two_stage")
    for spec in graph["models"].values():
        spec |= {"id": str(options.language_model), "train": train, "max_new_tokens": 48}
    return graph


def _read(name: str) -> dict[str, Any]:
    graph: dict[str, Any] = yaml.safe_load((ROOT / "graphs" / f"{name}.yaml").read_text("utf-8"))
    return graph


def _loaded(
    graph: dict[str, Any], settings: dict[str, Any], data: Path | None = None
) -> sysgraph.Graph:
    fit = {**settings, "data": str(data)} if data is not None else settings
    return sysgraph.load(json.dumps({**graph, "fit": fit}, indent=1))


def _written(folder: Path, rows: list[dict[str, Any]]) -> Path:
    file = folder / "pairs.jsonl"
    file.write_text("".join(f"{json.dumps(row)}\n" for row in rows), "utf-8")
    return file


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def _desk(options: Options, folder: Path) -> Path:
    """A random classifier of 50M numbers, with the language model's tokenizer."""
    words = AutoTokenizer.from_pretrained(options.language_model)
    width = 32 if options.quick else 512
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(words),
        hidden_size=width,
        intermediate_size=4 * width,
        num_hidden_layers=2 if options.quick else 8,
        num_attention_heads=4,
        pad_token_id=words.pad_token_id or 0,
        id2label=dict(enumerate(("cube", "ball", "ring"))),
    )
    place = folder / "desk"
    BertForSequenceClassification(config).save_pretrained(place)
    words.save_pretrained(place)
    return place
