"""`import sysgraph` offers the whole language: what a file can say, Python can."""

import subprocess
import sys
from pathlib import Path

import pytest

import sysgraph
import sysgraph_schemas
from sysgraph import (
    CausalLM,
    ChoiceNode,
    Diffusion,
    DiffusionNode,
    DiffusionObjective,
    Fit,
    Graph,
    InputNode,
    LMNode,
    Loop,
    ParseNode,
    SelectNode,
    Split,
)
from sysgraph_schemas.json_schema import graph_schema

GRAPHS = Path(__file__).parents[2] / "graphs"


@pytest.mark.parametrize("name", graph_schema()["$defs"])
def test_every_section_of_a_file_is_a_class_of_the_package(name: str) -> None:
    assert name in sysgraph.__all__
    assert getattr(sysgraph, name) is getattr(sysgraph_schemas, name)
    assert getattr(sysgraph, name).__doc__


def test_every_public_name_is_there() -> None:
    assert [name for name in sysgraph.__all__ if not hasattr(sysgraph, name)] == []


def test_the_language_needs_no_torch() -> None:
    code = (
        "import sys, sysgraph, sysgraph_schemas\n"
        "language = {*sysgraph_schemas.__all__} & {*sysgraph.__all__}\n"
        "[getattr(sysgraph, name) for name in language]\n"
        "print('torch' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_the_router_in_python() -> None:
    experts = {"cube": "color", "ball": "shape", "ring": "size"}
    graph = Graph(
        name="router",
        description="A router sends each question to one of three specialists; only that one runs.",
        models={
            **{
                name: CausalLM(id=f"toy:specialist-{what}", train="lora", max_new_tokens=8)
                for name, what in experts.items()
            },
            "desk": CausalLM(id="toy:aggregator", train="lora"),
        },
        nodes={
            "question": InputNode(),
            "route": ChoiceNode(model="desk", prompt="{{ question }}", options=list(experts)),
            "specialist": LMNode(
                for_each={"agent": list(experts)},
                when={"route": "{{ agent }}"},
                model="{{ agent }}",
                prompt="{{ question }}",
            ),
            "answer": SelectNode(),
        },
        edges=["question -> route", "question, route -> specialist", "specialist -> answer"],
        outputs=["answer"],
        fit=Fit(
            inputs="toy:specialists/train",
            eval_inputs="toy:specialists/test",
            scorer="attributes",
            rounds=6,
            samples=4,
            steps=100,
            batch_size=32,
            beta=0.5,
            anchor=0.3,
            learning_rate=1e-3,
            warmup_steps=20,
        ),
    )
    same(graph, "router")


def test_the_progression_in_python() -> None:
    graph = Graph(
        name="progression",
        description="A language model writes three captions, a diffusion model draws each "
        "(SysDPO, section 5.1).",
        models={
            "captioner": CausalLM(id="toy:captioner", max_new_tokens=24, top_p=0.95),
            "painter": Diffusion(
                id="toy:painter",
                learning_rate=3e-3,
                inference_steps=5,
                guidance_scale=2,
                objective=DiffusionObjective(preset="diffusers", scale=500),
            ),
        },
        nodes={
            "prompt": InputNode(),
            "text": LMNode(model="captioner", prompt="{{ prompt }}"),
            "captions": ParseNode(parser="captions"),
            "image": DiffusionNode(
                for_each={"caption": "captions"}, model="painter", prompt="{{ caption }}"
            ),
        },
        parsers={
            "captions": Split(separator=";", min_items=3, max_items=3, on_failure="reject"),
        },
        edges=["prompt -> text", "text -> captions", "captions -> image"],
        outputs=["image"],
        fit=Fit(
            inputs="toy:progression/train",
            eval_inputs="toy:progression/test",
            scorer="progression",
            rounds=14,
            samples=4,
            inputs_per_round=80,
            steps=35,
            batch_size=32,
            beta=0.2,
            anchor=1,
            learning_rate=2e-3,
            warmup_steps=10,
            eval_fraction=0,
            log_every=5,
        ),
    )
    same(graph, "progression")


def test_the_loop_of_self_refine_in_python() -> None:
    """Its loop; the rest as the file has it."""
    read = sysgraph.load(GRAPHS / "self_refine.yaml")
    (name,) = read.loops
    loop = Loop(
        repeat=read.loops[name].repeat, nodes=["draft", "critique"], carry=["critique -> draft"]
    )
    same(read.model_copy(update={"loops": {name: loop}}), "self_refine")


def same(written: Graph, name: str) -> None:
    """The graph that the file holds, and so the program; and it is written as one."""
    read = sysgraph.load(GRAPHS / f"{name}.yaml")
    assert written == read
    assert sysgraph.compile(written).to_json() == sysgraph.compile(read).to_json()
    assert sysgraph.load(sysgraph.dump(written)) == read
