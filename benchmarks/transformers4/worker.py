"""What the process with the other transformers does; see `process`, which starts it.

Messages are pickles: (method, named arguments) in, (whether it failed, answer or traceback) out.
"""

import json
import os
import pickle
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import AutoConfig, AutoModelForCausalLM

from ..timing import own
from .eq9 import Eq9
from .group_beams import Ids, Settings, group_beams


class Worker:
    """A model, searched and trained by plain code, and the processor time that it takes."""

    def load(self, folder: str, device: str) -> None:
        """Reads the model in a folder that a later transformers wrote."""
        self._folder = Path(folder)
        written = json.loads((self._folder / "config.json").read_text("utf-8"))
        rope = {k: v for k, v in written["rope_parameters"].items() if k == "rope_theta"}
        config = AutoConfig.from_pretrained(folder, **rope)  # where this release looks for it
        model: Any = AutoModelForCausalLM.from_pretrained(
            folder, config=config, torch_dtype=torch.float32
        )
        self._model = model.to(device).eval()

    def search(
        self, prompts: Sequence[Ids], settings: Settings
    ) -> tuple[float, list[list[list[int]]]]:
        """Seconds of the processor, and each prompt's texts."""
        start = own()
        found = group_beams(self._model, prompts, settings)
        return own() - start, found

    def train(self, **given: Any) -> None:
        """Gets ready for steps: adapters on the model."""
        self._eq9 = Eq9(self._model, self._folder, **given)

    def put(self, weights: dict[str, dict[str, Tensor]]) -> None:
        """Gives the adapters these weights."""
        self._eq9.put(weights)

    def step(self, rows: Sequence[dict[str, str]]) -> tuple[float, dict[str, Any]]:
        """Seconds, and what the step was: see `Eq9.step`."""
        start = own()
        found = self._eq9.step(rows)
        return own() - start, found


def main() -> None:
    """Answers until its input ends."""
    asked = sys.stdin.buffer
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # whatever prints must not be an answer
    worker = Worker()
    while True:
        try:
            what, given = pickle.load(asked)
        except EOFError:
            return
        try:
            answer = False, getattr(worker, what)(**given)
        except Exception:
            answer = True, traceback.format_exc()
        pickle.dump(answer, answers)
        answers.flush()


if __name__ == "__main__":
    main()
