"""A graph file can come from anywhere: it runs nothing, opens nothing, and costs little."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]

HEAD = "name: x\nmodels:\n  m: {kind: causal_lm, id: gpt2}\nnodes:\n  q: {kind: input}\n"
TAIL = "edges:\n  - q -> a\noutputs: [a]\n"


def prompt(template: str) -> str:
    return f"{HEAD}  a: {{kind: lm, model: m, prompt: {json.dumps(template)}}}\n{TAIL}"


def parser(fields: str, count: int = 1) -> str:
    entries = "".join(f"  p{i}: {{kind: regex, {fields}}}\n" for i in range(count))
    return (
        f"{HEAD}  a: {{kind: lm, model: m, prompt: '{{{{ q }}}}'}}\n"
        "  b: {kind: parse, parser: p0}\n"
        f"parsers:\n{entries}edges: ['q -> a', 'a -> b']\noutputs: [b]\n"
    )


def laughs(levels: int = 12, wide: int = 9) -> str:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    for level in range(1, levels):
        lines.append(f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * wide)}]")
    return "\n".join(lines) + "\n"


def copies(keys: int, items: int) -> str:
    each = ", ".join(f"k{i}: {list(range(items))}" for i in range(keys))
    node = f"kind: lm, model: m, for_each: {{{each}}}, prompt: '{{{{ q }}}}'"
    return f"{HEAD}  a: {{{node}}}\n{TAIL}"


def dense(count: int) -> str:
    group = f"for_each: {{i: {list(range(count))}}}"
    return (
        f"{HEAD}  a: {{kind: lm, model: m, {group}, prompt: '{{{{ q }}}}'}}\n"
        f"  b: {{kind: lm, model: m, {group}, prompt: '{{{{ a | join }}}}'}}\n"
        "edges: ['q -> a', 'a -> b']\noutputs: [b]\n"
    )


def tangle(count: int) -> str:
    nodes = "".join(f"  n{i}: {{kind: input}}\n" for i in range(count))
    every = ", ".join(f"n{i}" for i in range(count))
    return f"{HEAD}{nodes}edges:\n  - {every} -> {every}\noutputs: [n0]\n"


def edges(count: int) -> str:
    nodes = "  a: {kind: lm, model: m, prompt: '{{ q }}'}\n"
    return f"{HEAD}{nodes}outputs: [a]\nedges: [{'q -> a,' * count}]\n"


def typos(count: int) -> str:
    nodes = "".join(f"  node{i}: {{kind: input}}\n" for i in range(count))
    edges = "".join(f"  - noed{i} -> nod{i}\n" for i in range(count))
    return f"{HEAD}{nodes}edges:\n{edges}outputs: [n0]\n"


def turns(nodes: int, repeat: int, more: str = "") -> str:
    names = [f"n{i}" for i in range(nodes)]
    body = "".join(f"  {n}: {{kind: lm, model: m, prompt: '{{{{ {n} }}}}'{more}}}\n" for n in names)
    carry = ", ".join(f"{n} -> {n}" for n in names)
    loop = f"{{repeat: {repeat}, nodes: [{', '.join(names)}], carry: [{carry}]}}"
    return f"{HEAD}{body}edges:\n  - q -> {', '.join(names)}\nloops:\n  l: {loop}\noutputs: [n0]\n"


def routers(count: int, options: int, gated: int = 0, more: str = "") -> str:
    choice = (
        f"kind: choice, model: m, prompt: hi, options: [{', '.join(map(str, OPTIONS[:options]))}]"
    )
    nodes = "".join(f"  r{i}: {{{choice}{more}}}\n" for i in range(count))
    edges = "".join(f"  - r{i % count} -> g{i}\n" for i in range(gated))
    for i in range(gated):
        nodes += f"  g{i}: {{kind: lm, model: m, prompt: hi, when: {{r{i % count}: o1}}}}\n"
    sink = f"{', '.join(f'g{i}' for i in range(gated))} -> s" if gated else "r0 -> s"
    return f"{HEAD}{nodes}  s: {{kind: select}}\nedges:\n{edges}  - {sink}\noutputs: [s]\n"


def spread(nodes: int) -> str:
    parser = "{kind: lines, max_items: 1000, on_failure: reject}"
    node = "{kind: lm, model: m, for_each: {x: b, y: b}, prompt: '{{ x }}'}"
    copies = "".join(f"  n{i}: {node}\n" for i in range(nodes))
    names = ", ".join(f"n{i}" for i in range(nodes))
    return (
        f"{HEAD}  a: {{kind: lm, model: m, prompt: '{{{{ q }}}}'}}\n"
        "  b: {kind: parse, parser: p}\n"
        f"{copies}parsers:\n  p: {parser}\nedges: ['q -> a', 'a -> b', 'b -> {names}']\n"
        f"outputs: [{names}]\n"
    )


def tools(count: int) -> str:
    settings = ", ".join(f"s{i}: 1" for i in range(300))
    each = list(range(count))
    node = f"{{kind: tool, tool: calculat, for_each: {{k: {each}}}, settings: {{{settings}}}}}"
    return f"{HEAD}  a: {node}\n{TAIL}"


OPTIONS = [f"o{i}" for i in range(1000)]

BOMBS = {
    # templates
    "big text": prompt("{{ 'x' * 200000000 }}"),
    "big list": prompt("{{ [0] * 200000000 }}"),
    "power": prompt("{{ 9 ** 9 ** 9 ** 9 }}"),
    "format": prompt("{{ '%999999999d' % 1 }}"),
    "center": prompt("{{ q | center(200000000) }}"),
    "center of a constant": prompt("{{ 'x' | center(200000000) }}"),
    "indent": prompt("{{ q | indent(200000000) }}"),
    "range": prompt("{% for i in range(999999999) %}x{% endfor %}"),
    "dunder": prompt("{{ q.__class__.__mro__[1].__subclasses__() }}"),
    "dunder by item": prompt("{{ q['__class__'] }}"),
    "dunder by filter": prompt("{{ q | attr('__class__') }}"),
    "self": prompt("{{ self.__init__.__globals__ }}"),
    "cycler": prompt("{{ cycler.__init__.__globals__.os.system('touch /tmp/hostile') }}"),
    "include": prompt("{% include '/etc/passwd' %}"),
    "import": prompt("{% import 'os' as os %}{{ os.system('true') }}"),
    "extends": prompt("{% extends '/etc/passwd' %}"),
    "macro": prompt("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}"),
    "doubling": prompt("{% set x = q ~ q %}" * 5000 + "{{ x }}"),
    "deep brackets": prompt("{{ " + "(" * 30000 + "q" + ")" * 30000 + " }}"),
    "deep not": prompt("{{ " + "not " * 20000 + "q }}"),
    "long sum": prompt("{{ q" + " + q" * 20000 + " }}"),
    "deep if": prompt("{% if q %}" * 5000 + "{% endif %}" * 5000),
    "long elif": prompt("{% if q %}" + "{% elif q %}" * 8000 + "{% endif %}"),
    "deep for": prompt("{% for i in q %}" * 60 + "{% endfor %}" * 60),
    "many digits": prompt("{{ " + "9" * 50000 + " }}"),
    "many filters": prompt("{{ q" + " | upper" * 10000 + " }}"),
    "heavy, many tags": prompt("{{q}}" * 19000),
    "bad escape": prompt("{{ '\\N{nothing}' }}"),
    "in a model": prompt("{{ q }}").replace("model: m", "model: \"{{ ''.__class__ }}\""),
    # YAML
    "python object": "name: !!python/object/apply:os.system ['touch /tmp/hostile']\n",
    "python name": "name: !!python/name:os.system\n",
    "local tag": "name: !include /etc/passwd\n",
    "laughs": laughs(),
    "laughs, merged": "a: &a {x: 1}\nb: &b {<<: [*a, *a]}\nc: {<<: [" + "*b, " * 20000 + "*b]}\n",
    "itself": "name: &a [*a]\n",
    "deep flow": "a: " + "[" * 100000,
    "deep block": "".join(" " * i + "-\n" for i in range(1000)),
    "deep keys": "? " * 50000 + "a\n",
    "many keys": "".join(f"k{i}: 1\n" for i in range(9000)),
    "many values": "a: [" + "a," * 30000 + "]\n",
    "as many values as may be": "a: [" + "a," * 94_000 + "]\n",
    "as many mappings as may be": "a: [" + "{a: b}," * 31_000 + "]\n",
    "as many bad kinds as may be": "nodes:\n"
    + "".join(f"  n{i}: {{kind: x}}\n" for i in range(23_000)),
    "as many gaps as may be": "models:\n"
    + "".join(f"  m{i}: {{kind: table}}\n" for i in range(23_000)),
    "one key, often": "k: 1\n" * 47_000,
    "as many edges as may be": edges(49_000),
    "long line": "name: " + "x" * 900_000 + "\n",
    "long key": "x" * 900_000 + ": 1\n",
    "long quote": 'name: "' + "\\u0041" * 100_000 + '"\n',
    "many digits in YAML": "name: " + "9" * 100_000 + "\n",
    "many bytes": "# " + "x" * 3_000_000 + "\n",
    "control characters": "name: \x1b[2J\n",
    # size
    "many copies": copies(5, 40),
    "many keys of for_each": copies(400, 2),
    "dense": dense(5000),
    "tangle": tangle(700),
    "many turns": turns(500, 1000),
    "many turns of copies": turns(20, 1000, ", for_each: {k: [1, 2]}"),
    "heavy, turns": turns(2, 1000),
    "heavy, dense turns": turns(2, 200, ", for_each: {k: [1, 2, 3, 4]}"),
    "many carried": HEAD
    + f"loops:\n  l: {{repeat: 2, nodes: [q], carry: ['{'q,' * 9000}q -> {'q,' * 9000}q']}}\n"
    + TAIL,
    "many loops": HEAD
    + "loops:\n"
    + "".join(f"  l{i}: {{repeat: 9, nodes: [q], carry: [q -> q]}}\n" for i in range(9000))
    + TAIL,
    "long cycle": HEAD
    + "".join(
        f"  n{i}: {{kind: lm, model: m, prompt: '{{{{ n{(i + 1) % 4000} }}}}'}}\n"
        for i in range(4000)
    )
    + "edges:\n"
    + "".join(f"  - n{(i + 1) % 4000} -> n{i}\n" for i in range(4000))
    + "outputs: [n0]\n",
    "many options": routers(90, 1000),
    "heavy, many options of copies": routers(
        1, 1000, more=", for_each: {k: [" + ", ".join(map(str, range(3000))) + "]}"
    ),
    "heavy, many ways": routers(12, 2, 1000),
    "too many ways": routers(40, 3, 1000),
    "gate by template": routers(1, 2, 1).replace(
        "when: {r0: o1}",
        "for_each: {a: &l ["
        + ", ".join(map(str, range(140)))
        + "], b: *l}, when: {r0: '{{ a }}{{ b }}'}",
    ),
    "elements": spread(3000),
    "tools": tools(5000),
    "heavy, an installed tool": f"{HEAD}  a: {{kind: tool, tool: calculate}}\n{TAIL}",
    "typos": typos(2000),
    # regular expressions
    "heavy, catastrophic": parser("pattern: '(a+)+$', on_failure: reject"),
    "heavy, catastrophic and long": parser("pattern: '" + "(a*)*" * 190 + "b', on_failure: reject"),
    "heavy, deep groups": parser("pattern: '" + "(" * 490 + ")" * 490 + "', on_failure: reject"),
    "repeats of repeats": parser("pattern: '(a{65535}){65535}', on_failure: reject"),
    "a long repeat": parser("pattern: 'a{4000000}', on_failure: reject"),
    "repeats together": parser("pattern: '(ab){300}', on_failure: reject", 30),
    "repeats in a look-ahead": parser("pattern: '(?=(?:a{999}|b){999})c', on_failure: reject"),
    "caseless": parser("pattern: '(?i)" + "[^a-\uffee]" * 140 + "', on_failure: reject", 40),
}


@pytest.fixture(scope="module")
def reports() -> dict[str, dict[str, object]]:
    warm = [*ROOT.glob("graphs/*.yaml"), *ROOT.glob("tests/golden/SG[1-5]*.yaml")]
    done = subprocess.run(
        [sys.executable, str(HERE / "hostile.py"), *map(str, sorted(warm))],
        input=json.dumps(list(BOMBS.values())),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return dict(zip(BOMBS, json.loads(done.stdout), strict=True))


@pytest.mark.parametrize("name", BOMBS)
def test_runs_nothing(name: str, reports: dict[str, dict[str, object]]) -> None:
    assert reports[name]["events"] == []


@pytest.mark.parametrize("name", BOMBS)
def test_costs_little(name: str, reports: dict[str, dict[str, object]]) -> None:
    seconds, megabytes = reports[name]["seconds"], reports[name]["megabytes"]
    assert isinstance(seconds, float)
    assert isinstance(megabytes, float)
    assert seconds < 10  # of the CPU: each takes less than 1, and what grows without end does not
    assert megabytes < 256  # the peak of the process so far: all bombs before this one too


@pytest.mark.parametrize("name", [name for name in BOMBS if not name.startswith("heavy")])
def test_is_refused(name: str, reports: dict[str, dict[str, object]]) -> None:
    assert reports[name]["codes"]


def test_left_no_trace() -> None:
    assert not Path("/tmp/hostile").exists()
