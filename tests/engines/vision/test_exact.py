"""Log-probabilities, losses and gradients of vision-language models are the library's own."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from PIL import Image
from torch import Tensor
from torch.nn.functional import logsigmoid
from transformers import AutoModelForImageTextToText

import sysgraph
from sysgraph import System, Trace
from sysgraph.engines.checkpoints.sources import source
from sysgraph.engines.requests import requests
from sysgraph.engines.vision_lm.processor import load_processor
from sysgraph.training.adjoint import Adjoint

from .conftest import FAMILIES

GRAPH = """
name: looking
models:
  v: {{kind: vision_lm, id: {id}, train: {train}, max_new_tokens: 5}}
nodes:
  picture: {{kind: input, type: image}}
  other: {{kind: input, type: image}}
  question: {{kind: input}}
  answer:
    kind: lm
    model: v
    prompt: "look {{{{ picture }}}} at {{{{ question }}}} {{{{ other }}}} : "
  pick:
    kind: choice
    model: v
    options: [red, blue circle]
    prompt: "{{{{ picture }}}} {{{{ answer }}}} ?"
edges: [picture -> answer, other -> answer, question -> answer, picture -> pick, answer -> pick]
outputs: [answer, pick]
"""
QUESTIONS = ("the red circle", "what is a square", "blue", "one two yes no")


def moved(folder: Path, train: str = "lora") -> System:
    """A system whose model is not as it was."""
    system = System(sysgraph.compile(sysgraph.load(GRAPH.format(id=folder, train=train))))
    torch.manual_seed(3)
    for parameter in system.parameters("v").values():
        parameter.data += 0.2 * torch.randn_like(parameter)
    return system


def rows(pictures: tuple[Path, ...]) -> list[dict[str, Any]]:
    return [
        {"picture": pictures[i], "other": pictures[(i + 1) % 4], "question": question}
        for i, question in enumerate(QUESTIONS)
    ]


class Plain:
    """transformers and peft alone: the model, its processor, and an adapter from a folder."""

    def __init__(self, folder: Path, adapter: Path) -> None:
        base = AutoModelForImageTextToText.from_pretrained(folder)
        self.module = PeftModel.from_pretrained(base, adapter, is_trainable=True).eval()
        self.processor = load_processor(source(str(folder)))

    def log_prob(
        self, prompt: str, images: list[Any], answer: str | list[int], without_adapter: bool = False
    ) -> Tensor:
        """Log p(answer | prompt), one row alone; a text is ended."""
        if without_adapter:
            with torch.no_grad(), self.module.disable_adapter():
                return self.log_prob(prompt, images, answer)
        opened = [Image.open(image.source) for image in images]
        given = dict(self.processor(text=[prompt], images=[opened], return_tensors="pt"))
        start = given["input_ids"].shape[1]
        tokenizer = self.processor.tokenizer
        ids = answer if isinstance(answer, list) else tokenizer(f"{answer}<eos>")["input_ids"]
        for name, value in given.items():
            if name == "input_ids":
                given[name] = torch.cat([value, torch.tensor([ids])], dim=1)
            elif name == "attention_mask" or name.endswith("token_type_ids"):
                fill = int(name == "attention_mask")
                given[name] = torch.cat([value, torch.full((1, len(ids)), fill)], dim=1)
        logits = self.module(**given).logits[0, start - 1 : -1].log_softmax(-1)
        found: Tensor = logits[range(len(ids)), ids].sum()
        return found


def asked(plain: Plain, trace: Trace) -> tuple[str, list[Any]]:
    mark = plain.processor.image_token
    if "<|vision_start|>" in plain.processor.tokenizer.get_vocab():
        mark = f"<|vision_start|>{mark}<|vision_end|>"
    inputs = trace.inputs
    prompt = f"look {mark} at {inputs['question']} {mark} : "
    return prompt, [inputs["picture"], inputs["other"]]


@pytest.mark.parametrize("family", FAMILIES)
def test_as_the_plain_model(
    family: str, viewer: Callable[[str], Path], pictures: tuple[Path, ...], tmp_path: Path
) -> None:
    """What peft alone loads gives the same: of samples, alone and together, and their gradients."""
    system = moved(viewer(family))
    system.save(tmp_path)
    plain = Plain(viewer(family), tmp_path / "v")
    drawn = system.sample(rows(pictures), seed=1)
    alone = [trace for row in rows(pictures) for trace in system.sample(row, seed=1)]
    assert [trace.values for trace in drawn] == [trace.values for trace in alone]
    assert len({trace["answer"] for trace in drawn}) > 2
    found, reference = system.log_prob(drawn), system.log_prob(drawn, reference=True)
    image = plain.processor.tokenizer.convert_tokens_to_ids(plain.processor.image_token)
    for i, trace in enumerate(drawn):
        ids = list(trace.values["answer"].ids)  # type: ignore[union-attr, arg-type]
        assert image not in ids[:-1]  # where one was drawn the text ended
        if ids[-1] != image:
            for values, off in ((found, False), (reference, True)):
                wanted = plain.log_prob(*asked(plain, trace), ids, without_adapter=off)
                torch.testing.assert_close(values["answer"][i], wanted, atol=2e-5, rtol=0)

    chosen, rejected = (
        Trace(drawn[i].inputs, {"answer": text, "pick": "red"}, ("answer", "pick"))
        for i, text in ((0, "red circle"), (0, "blue"))
    )
    flat = [r for t in (chosen, rejected) for n, r in requests(system.program, t) if n == "answer"]
    adjoint = Adjoint(system)
    margin = adjoint.score(flat) - system.score(flat, reference=True)
    loss = -logsigmoid(0.3 * (margin[0] - margin[1]))
    loss.backward()
    adjoint.backward()
    sides = [
        plain.log_prob(*asked(plain, t), text)
        - plain.log_prob(*asked(plain, t), text, without_adapter=True)
        for t, text in ((chosen, "red circle"), (rejected, "blue"))
    ]
    wanted = -logsigmoid(0.3 * (sides[0] - sides[1]))
    torch.testing.assert_close(loss, wanted, atol=1e-5, rtol=0)
    wanted.backward()
    theirs = [p.grad for _, p in plain.module.named_parameters() if p.requires_grad]
    for parameter, other in zip(system.parameters("v").values(), theirs, strict=True):
        torch.testing.assert_close(parameter.grad, other, atol=1e-6, rtol=1e-4)
