"""What each process holds of a model that is divided over several: `python -m benchmarks.divided`.

A Llama of random weights with 200 million parameters, trained for two steps of a pair. Memory is
what the process has that no file backs (`RssAnon`), above what it had before the model was loaded:
so a base that is whole in its process, and mapped from its files, is not in it.
"""

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MIB = 2**20
PROCESSES = (1, 2)
WAYS = ("lora", "full")
SIDES = ("yes, it is", "no, it is not")


def main() -> None:
    """Prints a table; a row a way of training and number of processes."""
    with tempfile.TemporaryDirectory() as place:
        _save(Path(place) / "model")
        print("way   processes  weights held MiB  resting MiB  most while training MiB")
        for way in WAYS:
            for count in PROCESSES:
                print(f"{way:5} {count:9}  {_measured(Path(place), way, count)}", flush=True)


def _measured(place: Path, way: str, count: int) -> str:
    launch = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={count}"]
    # Freed memory goes back at once, or peaks would be those of loading.
    environment = {**os.environ, "MALLOC_MMAP_THRESHOLD_": "65536", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, *launch, "-m", "benchmarks.divided", str(place), way],
        env=environment,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    held, resting, most = json.loads(done.stdout.splitlines()[-1])
    return f"{held:16.0f}  {resting:11.0f}  {most:23.0f}"


def _save(folder: Path) -> None:
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from tests.training.conftest import tokenizer

    config = LlamaConfig(
        vocab_size=8192,
        hidden_size=1024,
        intermediate_size=2816,
        num_hidden_layers=15,
        num_attention_heads=16,
        max_position_embeddings=512,
        bos_token_id=None,
        eos_token_id=0,
        pad_token_id=0,
    )
    torch.manual_seed(0)
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer().save_pretrained(folder)


def side(place: Path, way: str) -> None:
    """One process of a measurement: prints its MiB, the main one's."""
    import sysgraph
    from sysgraph.engines import Request
    from sysgraph.engines.sharding import part_of
    from sysgraph.support.progress import Reporter
    from sysgraph.system import System
    from sysgraph.traces.trace import Completion
    from sysgraph.training.adjoint import Adjoint
    from sysgraph.training.optimization import Optimization
    from sysgraph.training.workers import Workers

    model = {"kind": "causal_lm", "id": str(place / "model"), "train": way}
    nodes = {"q": {"kind": "input"}, "a": {"kind": "lm", "model": "m", "prompt": "{{ q }}"}}
    program = sysgraph.compile(
        sysgraph.load(
            json.dumps(
                {
                    "sysgraph": 1,
                    "name": "divided",
                    "models": {"m": model},
                    "nodes": nodes,
                    "edges": ["q -> a"],
                    "outputs": ["a"],
                    "fit": {"steps": 2, "shard": True, "learning_rate": 1e-5},
                }
            )
        )
    )
    workers, before = Workers("no"), _anonymous()
    system = System(program, sharding=workers.sharding(program, Reporter(shown=False)))
    parameters = system.parameters("m")
    engine = system._engines["m"]
    weights = engine._weights["m"].resident.weights.values()  # type: ignore[attr-defined]
    held = sum(part_of(weight).nbytes for weight in weights)
    optimization = Optimization(program, {"m": parameters}, workers)
    requests = [Request("m", "is it ?", Completion(said)) for said in SIDES]
    with _most() as most:
        for _ in range(program.fit.steps):
            adjoint = Adjoint(system)
            loss = -adjoint.score(requests)[workers.number]
            loss.backward()
            adjoint.backward()
            optimization.step(workers.sum(loss.detach()))
    workers.wait()
    if workers.main:
        print(json.dumps([n / MIB for n in (held, _anonymous() - before, most[0] - before)]))


@contextmanager
def _most() -> Iterator[list[int]]:
    """The most memory that the process has meanwhile."""
    most, done = [_anonymous()], threading.Event()

    def watch() -> None:
        while not done.is_set():
            most[0] = max(most[0], _anonymous())
            time.sleep(0.005)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield most
    finally:
        done.set()
        thread.join()


def _anonymous() -> int:
    """Bytes of the process's memory that no file backs."""
    lines = Path("/proc/self/status").read_text("ascii").splitlines()
    line = next(line for line in lines if line.startswith("RssAnon:"))
    return int(line.split()[1]) * 1024


if __name__ == "__main__":
    if len(sys.argv) == 3:
        side(Path(sys.argv[1]), sys.argv[2])
    else:
        main()
