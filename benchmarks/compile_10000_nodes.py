"""Time and peak memory of reading, checking and compiling graphs of 1,000 to 10,000 nodes.

    python benchmarks/compile_10000_nodes.py

Five shapes: a chain written out node by node; layers of 3 nodes written out, each node reading all
of the layer before; one node with `for_each`, read by another; routers one behind the other, each
with two gated branches and a selection; and a loop of 100 turns. Each run is a process of its own.
"""

import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable

SIZES = (1_000, 3_000, 10_000)
WIDTH = 3
TURNS = 100


def chain(count: int) -> str:
    nodes = "".join(
        f'  n{i}: {{kind: lm, model: m, prompt: "{{{{ n{i - 1} }}}}"}}\n' for i in range(1, count)
    )
    edges = "".join(f"  - n{i - 1} -> n{i}\n" for i in range(1, count))
    return whole(f"  n0: {{kind: input}}\n{nodes}", edges, f"n{count - 1}")


def layers(count: int) -> str:
    nodes, edges = "  n0_0: {kind: input}\n", ""
    before = ["n0_0"]
    for layer in range(1, count // WIDTH + 1):
        here = [f"n{layer}_{i}" for i in range(WIDTH)]
        prompt = " ".join(f"{{{{ {name} }}}}" for name in before)
        nodes += "".join(f'  {name}: {{kind: lm, model: m, prompt: "{prompt}"}}\n' for name in here)
        edges += f"  - {', '.join(before)} -> {', '.join(here)}\n"
        before = here
    return whole(nodes, edges, ", ".join(before))


def copies(count: int) -> str:
    items = list(range(count - 2))
    nodes = (
        "  q: {kind: input}\n"
        f"  d: {{kind: lm, for_each: {{i: {items}}}, model: m, "
        'prompt: "{{ q }} {{ i }}"}\n'
        '  a: {kind: lm, model: m, prompt: "{{ d | join }}"}\n'
    )
    return whole(nodes, "  - q -> d\n  - d -> a\n", "a")


def routers(count: int) -> str:
    nodes, edges, before = "  q: {kind: input}\n", "", "q"
    for i in range(count // 4):
        prompt = f'model: m, prompt: "{{{{ {before} }}}}"'
        nodes += f"  r{i}: {{kind: choice, {prompt}, options: [a, b]}}\n"
        nodes += f"  a{i}: {{kind: lm, {prompt}, when: {{r{i}: a}}}}\n"
        nodes += f"  b{i}: {{kind: lm, {prompt}, when: {{r{i}: b}}}}\n"
        nodes += f"  s{i}: {{kind: select}}\n"
        edges += f"  - {before} -> r{i}\n  - {before}, r{i} -> a{i}, b{i}\n"
        edges += f"  - a{i}, b{i} -> s{i}\n"
        before = f"s{i}"
    return whole(nodes, edges, before)


def turns(count: int) -> str:
    names = [f"n{i}" for i in range((count - 1) // TURNS)]
    seen = [f"q }}}} {{{{ {names[-1]}", *names]
    nodes = "  q: {kind: input}\n" + "".join(
        f'  {name}: {{kind: lm, model: m, prompt: "{{{{ {before} }}}}"}}\n'
        for before, name in zip(seen, names, strict=False)
    )
    pairs = zip(["q", *names], names, strict=False)
    edges = "".join(f"  - {before} -> {name}\n" for before, name in pairs)
    carry = f"carry: [{names[-1]} -> {names[0]}]"
    loop = f"loops:\n  l: {{repeat: {TURNS}, nodes: [{', '.join(names)}], {carry}}}\n"
    return whole(nodes, edges, names[-1]) + loop


def whole(nodes: str, edges: str, outputs: str) -> str:
    models = "models:\n  m: {kind: causal_lm, id: gpt2}\n"
    return f"name: big\n{models}nodes:\n{nodes}edges:\n{edges}outputs: [{outputs}]\n"


SHAPES = {
    "chain": chain,
    "layers of 3": layers,
    "for_each": copies,
    "routers": routers,
    "loop": turns,
}


def measure(shape: str, count: int) -> dict[str, float]:
    import sysgraph_compiler
    from sysgraph_compiler import Program
    from sysgraph_schemas import load

    text = SHAPES[shape](count)
    start_memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    times = {"kB": len(text) / 1000}
    start = time.perf_counter()
    graph = load(text)
    times["read"] = time.perf_counter() - start
    sysgraph_compiler.check(graph)
    times["check"] = time.perf_counter() - start - times["read"]
    before = time.perf_counter()
    program = sysgraph_compiler.compile(graph)  # checks again, as Python code that calls it does
    times["compile"] = time.perf_counter() - before
    emitters: dict[str, Callable[[Program], str]] = {
        "text": str,
        "latex": sysgraph_compiler.emit_latex,
        "json": Program.to_json,
    }
    for name, emit in emitters.items():
        before = time.perf_counter()
        emit(program)
        times[name] = time.perf_counter() - before
    times["MB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 - start_memory
    return times


def main() -> None:
    columns = ["kB", "read", "check", "compile", "text", "latex", "json", "MB"]
    print(f"{'':14}{'nodes':>8}" + "".join(f"{name:>9}" for name in columns) + "   (seconds)")
    for shape in SHAPES:
        for count in SIZES:
            command = [sys.executable, __file__, shape, str(count)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            times: dict[str, float] = json.loads(done.stdout)
            row = [f"{times[c]:9.{0 if c in ('kB', 'MB') else 2}f}" for c in columns]
            print(f"{shape:14}{count:8,}" + "".join(row), flush=True)


if __name__ == "__main__":
    if len(sys.argv) == 3:
        print(json.dumps(measure(sys.argv[1], int(sys.argv[2]))))
    else:
        main()
