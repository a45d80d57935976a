"""How images stand in prompts of vision-language models, and what is refused."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

import sysgraph
from sysgraph import InputError, System, VisionLM
from sysgraph.engines import Search
from sysgraph.engines.causal_lm.decoder import FASTEST, Way
from sysgraph.engines.requests import requests
from sysgraph.engines.vision_lm import VisionLMEngine
from sysgraph.engines.vision_lm.resident import VisionLMResident
from sysgraph.traces.course import context

from .conftest import tokenizer

GRAPH = """
name: looking
models:
  v: {{kind: vision_lm, id: {id}, train: full, max_new_tokens: 4}}
nodes:
  picture: {{kind: input, type: image}}
  question: {{kind: input}}
  answer:
    kind: lm
    model: v
    messages:
      - {{role: user, content: "{{{{ question }}}} {{{{ picture }}}}"}}
      - {{role: user, content: "{{{{ question }}}}"}}
edges: [picture -> answer, question -> answer]
outputs: [answer]
"""


def looking(folder: Path) -> System:
    return System(sysgraph.compile(sysgraph.load(GRAPH.format(id=folder))))


@pytest.mark.parametrize(
    ("family", "prompt"),
    [
        ("llava", r"user :( <image>)+ what ; user : what ;"),  # images first
        ("qwen2.5-vl", r"user : what <.vision_start.>( <.image_pad.>)+ <.vision_end.> ; user : w"),
    ],
)
def test_chat_templates_are_given_images_as_parts(
    family: str,
    prompt: str,
    viewer: Callable[[str], Path],
    pictures: tuple[Path, ...],
    tmp_path: Path,
) -> None:
    """Trained whole, it is saved with its processor, and found by beam search."""
    system = looking(viewer(family))
    trace = system.sample({"picture": pictures[0], "question": "what"})[0]
    ((_, request),) = requests(system.program, trace)
    shown = system.shown("v", request.context)
    assert re.match(prompt, " ".join(shown.replace("<", " <").split()))
    found = system.search([Search("v", request.context, 2, 3)])
    assert len({text.text for text in found[0]}) == 2
    before = system.log_prob([trace])["answer"]
    for parameter in system.parameters("v").values():
        parameter.data *= 1.1
    system.save(tmp_path)
    again = looking(tmp_path / "v")
    torch.testing.assert_close(again.log_prob([trace]), system.log_prob([trace]))
    assert abs(before - again.log_prob([trace])["answer"]) > 1e-3


def test_a_prompt_that_says_what_stands_for_an_image(
    viewer: Callable[[str], Path], pictures: tuple[Path, ...]
) -> None:
    system = looking(viewer("llava"))
    with pytest.raises(InputError, match=r"has '<image>' in its text \('look <image> '\)"):
        system.sample({"picture": pictures[0], "question": "look <image>"})


def test_without_a_chat_template(viewer: Callable[[str], Path]) -> None:
    with pytest.raises(InputError, match="needs a chat template"):
        looking(viewer("idefics3"))


def test_folders_of_other_models(viewer: Callable[[str], Path], tmp_path: Path) -> None:
    def engine(folder: Path) -> object:
        spec = VisionLM(id=str(folder))
        return VisionLMEngine({"v": spec}, device=torch.device("cpu"), seed=0)

    text = tmp_path / "text"
    config: Any = transformers.LlamaConfig(vocab_size=32, hidden_size=32, num_hidden_layers=1)
    transformers.LlamaForCausalLM(config).save_pretrained(text)
    tokenizer().save_pretrained(text)
    with pytest.raises(InputError, match="no processor of images and texts"):
        engine(text)

    needy = tmp_path / "needy"  # a class that Pillow alone is not enough for
    shutil.copytree(viewer("llava"), needy)
    found = json.loads((needy / "processor_config.json").read_text())
    found["image_processor"] = {"image_processor_type": "Llama4ImageProcessor"}
    (needy / "processor_config.json").write_text(json.dumps(found))
    with pytest.raises(InputError, match="needs torchvision"):
        engine(needy)


def test_an_image_that_a_prompt_repeats_and_joins(
    viewer: Callable[[str], Path], pictures: tuple[Path, ...]
) -> None:
    """Groups of images are gone through; equal prompts are equal, others are not."""
    text = """
name: several
models:
  v: {{kind: vision_lm, id: {id}, max_new_tokens: 3}}
nodes:
  one: {{kind: input, type: image}}
  two: {{kind: input, type: image}}
  kept: {{kind: select}}
  answer:
    kind: lm
    model: v
    prompt: "{{{{ one }}}}{{% if two %}} ? {{{{ two }}}}{{% endif %}} : {{{{ 'look' ~ kept }}}}"
edges: [one -> kept, two -> kept, one -> answer, two -> answer, kept -> answer]
outputs: [answer]
"""
    system = System(sysgraph.compile(sysgraph.load(text.format(id=viewer("llava")))))
    traces = [
        system.sample({"one": pictures[i], "two": pictures[j]})[0] for i, j in ((0, 1), (1, 0))
    ]
    answer = system.program.variable("answer")
    asked: list[Any] = [context(answer, trace) for trace in traces]
    inputs: Any = traces[0].inputs
    assert list(asked[0].pictures) == [inputs[name] for name in ("one", "two", "one")]
    assert asked[0] != asked[1]
    assert asked[0] == context(answer, traces[0])
    assert asked[0].parts[1::2] == (" ? ", " : look")


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_how_rows_with_images_may_be_run_is_found_out(
    dtype: Any, viewer: Callable[[str], Path]
) -> None:
    """Positions behind an image of Qwen2.5-VL are not counted by tokens; LLaVA's are."""
    found = {
        family: VisionLMResident(VisionLM(id=str(viewer(family)), dtype=dtype), torch.device("cpu"))
        for family in ("llava", "qwen2.5-vl")
    }
    ways = {family: one.habits_of(one.example).samples for family, one in found.items()}
    assert ways == {"llava": FASTEST, "qwen2.5-vl": Way(padded=False, positions=False)}
    assert found["qwen2.5-vl"].habits.samples == FASTEST  # without images
