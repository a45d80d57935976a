"""A server that answers as vLLM does, with a model of transformers and adapters of peft inside."""

import contextlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

NOT_FOUND = 404


@dataclass
class Vllm:
    """What it was asked, and how it fails.

    Attributes:
        asked: (path, body) of each request.
        adapters: the folder of each adapter, by name.
        down: requests from now on that get no answer.
        hung: while it is there, texts are waited for in vain, and nothing else is answered; it ends
            with the next question after its health.
        runtime_lora: whether it takes adapters while it runs.
    """

    folder: Path
    url: str = ""
    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    adapters: dict[str, str] = field(default_factory=dict)
    down: int = 0
    hung: threading.Event | None = None
    dies_after: int | None = None
    runtime_lora: bool = True
    logits_mode: bool = False
    ends_at: int | None = None
    max_rank: int = 16
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.tokenizer = AutoTokenizer.from_pretrained(self.folder)
        self._base = AutoModelForCausalLM.from_pretrained(self.folder)
        self._host: Any = None

    def bodies(self, path: str = "/v1/completions") -> list[dict[str, Any]]:
        return [body for found, body in self.asked if found == path]

    def restart(self) -> None:
        """Forgets the adapters."""
        self.adapters.clear()

    def answer(self, path: str, body: dict[str, Any]) -> tuple[int, Any]:
        if path == "/v1/models":
            return 200, {"data": [{"id": "base", "parent": None, "root": str(self.folder)}]}
        if path == "/v1/load_lora_adapter" and self.runtime_lora:
            return self._load(body["lora_name"], Path(body["lora_path"]))
        if path == "/v1/unload_lora_adapter" and self.runtime_lora:
            return 200, self.adapters.pop(body["lora_name"], None)
        if path == "/v1/completions":
            return self._completions(body)
        return NOT_FOUND, {"detail": "Not Found"}

    def _load(self, name: str, folder: Path) -> tuple[int, Any]:
        if name in self.adapters:
            return 400, _error(f"The lora adapter '{name}' has already been loaded.")
        if not (folder / "adapter_model.safetensors").is_file():
            return NOT_FOUND, _error(f"Loading lora {name} failed: No adapter found for <path>")
        rank = json.loads((folder / "adapter_config.json").read_text())["r"]
        if rank > self.max_rank:
            return 500, _error(f"LoRA rank {rank} is greater than max_lora_rank {self.max_rank}.")
        key = name.replace(".", "_")
        if self._host is None:
            self._host = PeftModel.from_pretrained(self._base, folder, adapter_name=key)
        else:
            self._host.load_adapter(folder, adapter_name=key)
        self._host.eval()
        self.adapters[name] = str(folder)
        return 200, "Success"

    def _completions(self, body: dict[str, Any]) -> tuple[int, Any]:
        if body["model"] != "base" and body["model"] not in self.adapters:
            return NOT_FOUND, _error(f"The model `{body['model']}` does not exist.")
        if not body["temperature"] and body["n"] > 1:
            return 400, _error("n must be 1 when using greedy sampling")
        choices = [self._choice(body, body["seed"] + index) for index in range(body["n"])]
        return 200, {"choices": choices}

    def _choice(self, body: dict[str, Any], seed: int) -> dict[str, Any]:
        generator = torch.Generator().manual_seed(seed % 2**32)
        ids, log_probs, reason = [], [], "length"
        for _ in range(body["max_tokens"]):
            logits = self._logits(body["model"], body["prompt"] + ids)
            probs = _warped(logits, body["temperature"], body["top_p"])
            ids.append(int(torch.multinomial(probs, 1, generator=generator)))
            said = logits if self.logits_mode else logits.log_softmax(-1)
            log_probs.append(float(said[ids[-1]]))
            text = self.tokenizer.decode(ids, skip_special_tokens=True)
            if ids[-1] in body["stop_token_ids"] or any(stop in text for stop in body["stop"]):
                reason = "stop"
                break
            if self.ends_at == len(ids):
                break
        choice = {"token_ids": ids, "prompt_token_ids": body["prompt"], "finish_reason": reason}
        said_too = {"logprobs": {"token_logprobs": log_probs}} if "logprobs" in body else {}
        return {**choice, **said_too}

    @torch.no_grad()
    def _logits(self, model: str, ids: list[int]) -> torch.Tensor:
        batch = torch.tensor([ids])
        if self._host is None:
            return self._base(batch).logits[0, -1]
        if model == "base":
            with self._host.disable_adapter():
                return self._host(batch).logits[0, -1]
        self._host.set_adapter(model.replace(".", "_"))
        return self._host(batch).logits[0, -1]


def _warped(logits: torch.Tensor, temperature: float, top_p: float) -> torch.Tensor:
    if not temperature:
        return torch.nn.functional.one_hot(logits.argmax(), len(logits)).float()
    probs = (logits / temperature).softmax(-1)
    values, order = probs.sort(descending=True)
    values[values.cumsum(0) - values >= top_p] = 0
    return torch.zeros_like(probs).scatter(0, order, values)


def _error(message: str) -> dict[str, Any]:
    return {"error": {"message": message}}


@contextlib.contextmanager
def serving(folder: Path, **how: Any) -> Iterator[Vllm]:
    """Serves the checkpoint in a folder until the block ends."""
    vllm = Vllm(folder, **how)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.do_POST()

        def do_POST(self) -> None:
            size = int(self.headers["Content-Length"] or 0)
            body = json.loads(self.rfile.read(size) or b"{}")
            hung = vllm.hung
            if hung is not None:
                if self.path == "/health":
                    vllm.hung = None
                    hung.set()
                hung.wait()
                return
            with vllm.lock:
                if vllm.dies_after is not None and len(vllm.asked) >= vllm.dies_after:
                    vllm.down, vllm.dies_after = vllm.down or 10**9, None
                if vllm.down:
                    vllm.down -= 1
                    return  # the connection is closed
                vllm.asked.append((self.path, body))
                status, found = vllm.answer(self.path, body)
            content = json.dumps(found).encode()
            with contextlib.suppress(OSError):
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    class Quick(ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False
        request_queue_size = 64

    server = Quick(("127.0.0.1", 0), Handler)
    vllm.url = f"http://127.0.0.1:{server.server_port}/v1"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield vllm
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
