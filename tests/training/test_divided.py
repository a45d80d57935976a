"""Two processes that hold a half of every model train what one does, and end together."""

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import BertConfig, BertForSequenceClassification

import sysgraph
from sysgraph import Scorer
from sysgraph.support.progress import Reporter

from .conftest import tokenizer
from .diffusion.conftest import images as images
from .diffusion.conftest import pipeline as pipeline

# What the first graph takes is foreseen first. The last one is drawn from with a scorer that one of
# the two processes does not survive.
DRIVER = """
import runpy, sys
pairs = list(zip(sys.argv[1::2], sys.argv[2::2]))
for graph, output in [(pairs[0][0], ""), *pairs]:
    sys.argv = ["sysgraph", "fit", graph, *(["--output", output] if output else ["--dry-run"])]
    sys.argv += ["--scorer", __file__.replace("driver", "fails") + ":scorer"] * (output[-1:] == "3")
    try:
        runpy.run_module("sysgraph", run_name="__main__")
    except SystemExit as end:
        if end.code:
            raise
"""
FAILS = """
import os
from sysgraph import Scorer

def score(traces):
    if os.environ["RANK"] == "1":
        raise ValueError("no more scores")
    return [1.0] * len(traces)

scorer = Scorer("fails", score)
"""
FIT = {"steps": 3, "batch_size": 3, "learning_rate": 1e-3, "log_every": 1, "shard": True}
WORDS = ("cube", "ball")


@pytest.fixture
def classifier(tmp_path: Path) -> Path:
    """A classifier of random weights over bytes."""
    config = BertConfig(
        vocab_size=257,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=128,
        pad_token_id=0,
        id2label=dict(enumerate(WORDS)),
        label2id={word: i for i, word in enumerate(WORDS)},
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        BertForSequenceClassification(config).save_pretrained(tmp_path / "desk")
    tokenizer().save_pretrained(tmp_path / "desk")
    return tmp_path / "desk"


def graph(**parts: Any) -> sysgraph.Graph:
    return sysgraph.load(json.dumps({"sysgraph": 1, "name": "divided", **parts}))


def gated(classifier: Path, checkpoint: Path, write_pairs: Callable[..., Path]) -> sysgraph.Graph:
    """A gate, and two models behind it: of seven pairs one reaches the second, in one process.

    Hints of a frozen model are drawn and summed over. A table is whole in each process.
    """

    def side(word: str, text: str, toss: str) -> dict[str, Any]:
        said = [text if word == one else None for one in WORDS]
        return {"toss": toss, "route": word, "specialist": said}

    rows = [
        (
            {"question": f"q{i}"},
            side("ball" if i == 1 else "cube", f"yes {i}", "heads"),
            side("cube", f"no {i}", "tails"),
        )
        for i in range(7)
    ]
    base = {"kind": "causal_lm", "id": str(checkpoint), "max_new_tokens": 3}
    return graph(
        models={
            "desk": {"kind": "classifier", "id": str(classifier)},
            "coin": {"kind": "table", "values": ["heads", "tails"]},
            "cube": {**base, "gradient_checkpointing": True},
            "ball": {**base, "train": "full"},
            "still": {**base, "train": "frozen"},
        },
        nodes={
            "question": {"kind": "input"},
            "toss": {"kind": "lm", "model": "coin", "prompt": "{{ question }}"},
            "hint": {"kind": "lm", "model": "still", "prompt": "{{ question }}"},
            "route": {
                "kind": "choice",
                "model": "desk",
                "prompt": "{{ question }}",
                "options": list(WORDS),
            },
            "specialist": {
                "kind": "lm",
                "for_each": {"agent": list(WORDS)},
                "when": {"route": "{{ agent }}"},
                "model": "{{ agent }}",
                "prompt": "{{ question }} {{ toss }} {{ hint }}",
            },
            "answer": {"kind": "select"},
        },
        edges=[
            "question -> toss, route, hint",
            "question, toss, route, hint -> specialist",
            "specialist -> answer",
        ],
        outputs=["answer"],
        fit={
            **FIT,
            "eval_fraction": 0.3,
            "eval_every": 2,
            "data": str(write_pairs(rows, "gated.jsonl")),
        },
    )


def painted(
    pipeline: Path, images: Sequence[Path], checkpoint: Path, write_pairs: Callable[..., Path]
) -> sysgraph.Graph:
    """Captions that a parser rejects, and as many images as captions: a share may have none."""
    a, b, c = map(str, images[:3])
    good = {"text": "fog;owl", "image": [a, b]}
    bad: list[dict[str, Any]] = [
        {"text": "no captions"},
        {"text": "no captions, too"},
        {"text": "fog;owl", "image": [a, c]},
        {"text": "x;y;z", "image": [c, a, b]},
    ]
    rows = [({"prompt": f"p{i}"}, good, other) for i, other in enumerate(bad)]
    captions = {"kind": "split", "separator": ";", "min_items": 2, "max_items": 3}
    return graph(
        models={
            "writer": {"kind": "causal_lm", "id": str(checkpoint)},
            "painter": {
                "kind": "diffusion",
                "id": str(pipeline),
                "train": "full",
                "gradient_checkpointing": True,
            },
        },
        nodes={
            "prompt": {"kind": "input"},
            "text": {"kind": "lm", "model": "writer", "prompt": "{{ prompt }}"},
            "captions": {"kind": "parse", "parser": "captions"},
            "image": {
                "kind": "diffusion",
                "for_each": {"caption": "captions"},
                "model": "painter",
                "prompt": "{{ caption }}",
            },
        },
        parsers={"captions": {**captions, "on_failure": "reject"}},
        edges=["prompt -> text", "text -> captions", "captions -> image"],
        outputs=["image"],
        fit={**FIT, "eval_fraction": 0, "data": str(write_pairs(rows, "painted.jsonl"))},
    )


def collected(
    two_stage: Callable[..., sysgraph.Graph], questions: Path, **fit: Any
) -> sysgraph.Graph:
    """Two rounds: draws in shares, and references that are other weights than at the start."""
    return two_stage(
        models={"first": {"train": "full"}},
        inputs=str(questions),
        scorer="checksum",
        observed=["answer"],
        rounds=2,
        samples=3,
        batch_size=5,
        gradient_accumulation_steps=2,
        eval_fraction=0.25,
        learning_rate=1e-4,
        shard=True,
        **{"steps": 3, "log_every": 1, "eval_every": 2, **fit},
    )


def launch(graphs: Sequence[sysgraph.Graph], folder: Path, environment: dict[str, str]) -> str:
    """Fits each graph into folder/0, ... in two processes, until one fails; what they say."""
    (folder / "driver.py").write_text(DRIVER)
    (folder / "fails.py").write_text(FAILS)
    arguments = []
    for i, one in enumerate(graphs):
        (folder / f"{i}.yaml").write_text(sysgraph.dump(one))
        arguments += [str(folder / f"{i}.yaml"), str(folder / f"{i}")]
    options = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    done = subprocess.run(
        [sys.executable, *options, str(folder / "driver.py"), *arguments],
        env={**environment, "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1, done.stderr
    assert done.stdout.count(": 2 processes, each\n") == 1, "one process of two foresees"
    return done.stderr


def test_two_processes_with_a_half_each_train_what_one_does(
    two_stage: Callable[..., sysgraph.Graph],
    questions: Path,
    classifier: Path,
    pipeline: Path,
    images: list[Path],
    checkpoint: Callable[..., Path],
    write_pairs: Callable[..., Path],
    checksum: Scorer,
    environment: dict[str, str],
    weights: Callable[[Path], dict[str, Tensor]],
    metrics: Callable[[Path], list[dict[str, Any]]],
    tmp_path: Path,
    quiet: Reporter,
) -> None:
    graphs = [
        gated(classifier, checkpoint(), write_pairs),
        painted(pipeline, images, checkpoint(), write_pairs),
        collected(two_stage, questions),
    ]
    said = launch([*graphs, collected(two_stage, questions)], tmp_path, environment)
    for i, one in enumerate(graphs):
        sysgraph.fit(one, output=tmp_path / "one" / f"{i}", scorer=checksum, reporter=quiet)
        expected, found = weights(tmp_path / "one" / f"{i}"), weights(tmp_path / f"{i}")
        assert expected.keys() == found.keys(), said
        for name, tensor in expected.items():
            torch.testing.assert_close(found[name], tensor, atol=3e-5, rtol=0, msg=name)
        lines = metrics(tmp_path / "one" / f"{i}"), metrics(tmp_path / f"{i}")
        for before, after in zip(*lines, strict=True):
            assert after == pytest.approx(before, rel=3e-3, abs=1e-4)

    assert not (tmp_path / "3" / "result.json").exists()
    last = said.splitlines()[-20:]
    assert any("no more scores" in line for line in last), said
    assert "peer" not in said
