"""A graph of one LM node is DPO: everything equals TRL's own data preparation, trainer and loss."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import Dataset
from peft import LoraConfig
from torch import Tensor, nn
from transformers import AutoModelForCausalLM, AutoTokenizer
from trl import DPOConfig, DPOTrainer

from sysgraph import Program, System, load_pairs
from sysgraph.training.direct import Observed
from sysgraph.training.pairs import PairTable, tabulate
from tests.losses import losses_of

GSM8K = Path(__file__).parents[3] / "shared" / "data" / "gsm8k_pairs.jsonl"

PLAIN = [
    {"prompt": "How many clips did she sell?", "chosen": " 72 clips.", "rejected": " It takes 3"},
    {"prompt": "Q: 2+2\nA:", "chosen": "\n4", "rejected": "5, since 2 + 2 = 5 and 9 * 2 = 18</s>"},
    {"prompt": "Says “ça”?", "chosen": "", "rejected": "oui, naïve 🐥"},
]
CHAT = [
    {
        name: [{"role": "user" if name == "prompt" else "assistant", "content": text}]
        for name, text in row.items()
    }
    for row in PLAIN[:2]
]


def gsm8k(count: int) -> list[dict[str, str]]:
    """The shortest rows, so that the test is quick."""
    if not GSM8K.exists():
        pytest.skip(f"no {GSM8K}")
    rows = [json.loads(line) for line in GSM8K.read_text("utf-8").splitlines()]
    return sorted(rows, key=lambda row: sum(map(len, row.values())))[:count]


class Trl:
    """TRL's DPOTrainer over a checkpoint, with its own tokenization of `rows`."""

    def __init__(
        self, folder: Path, rows: Sequence[dict[str, Any]], out: Path, **args: Any
    ) -> None:
        lora = args.pop("lora", True)
        self._config = {"report_to": "none", "use_cpu": True, "bf16": False, "max_length": None}
        config = DPOConfig(str(out), gradient_checkpointing=False, **self._config, **args)
        self.trainer = DPOTrainer(
            AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32),
            args=config,
            train_dataset=Dataset.from_list([dict(row) for row in rows]),
            processing_class=AutoTokenizer.from_pretrained(folder),
            peft_config=LoraConfig(r=4, lora_alpha=8, target_modules="all-linear")
            if lora
            else None,
        )
        self.model: nn.Module = self.trainer.model.train()  # which metrics it writes

    def batch(self, indices: Sequence[int] | None = None) -> dict[str, Tensor]:
        rows = list(self.trainer.train_dataset)
        return self.trainer.data_collator([rows[i] for i in indices or range(len(rows))])

    def loss(self, indices: Sequence[int] | None = None) -> Tensor:
        return self.trainer.compute_loss(self.model, self.batch(indices))

    def log_probs(self) -> Tensor:
        """[2, B], read from the metrics of one batch per row."""
        logged = self.trainer._metrics["train"]
        logged.clear()
        with torch.no_grad():
            for row in range(len(self.trainer.train_dataset)):
                self.loss([row])
        return torch.tensor([logged["logps/chosen"], logged["logps/rejected"]])

    def reference(self) -> Tensor:
        """[2, B]."""
        model = self.trainer.ref_model if self.trainer.ref_model is not None else self.model
        return torch.stack(self.trainer.compute_ref_log_probs(model, self.batch()))

    def parameters(self) -> dict[str, nn.Parameter]:
        return {
            name.replace(".default.", "."): parameter
            for name, parameter in self.model.named_parameters()
            if parameter.requires_grad
        }

    def take_weights(self, system: System) -> None:
        """Copies the policy of `system`, weight by weight."""
        ours, theirs = system.parameters("ada"), self.parameters()
        assert ours.keys() == theirs.keys()
        with torch.no_grad():
            for name, parameter in theirs.items():
                parameter.copy_(ours[name])


class Ours:
    """The same rows through sysgraph's data reader, table of requests and objective."""

    def __init__(self, program: Program, rows: Sequence[dict[str, Any]], out: Path) -> None:
        self.system = System(program, device="cpu")
        file = out / "rows.jsonl"
        file.write_text("\n".join(json.dumps(row) for row in rows), "utf-8")
        self.table: PairTable = tabulate(self.system, load_pairs(program, file))
        self._where = self.table.index[:, :, 0].T  # (2, B)

    def requested(self, reference: bool) -> Tensor:
        """[R + 1] log p of every request, 0 at the end."""
        with torch.no_grad():
            values = self.system.score(self.table.requests, reference=reference)
        return torch.cat([values, values.new_zeros(1)])

    def log_probs(self, *, reference: bool = False) -> Tensor:
        """[2, B]."""
        return self.requested(reference)[self._where]

    def losses(self) -> Tensor:
        rows = range(len(self.table))
        asked = Observed(self.system, self.table, rows, self.requested(True))
        return losses_of(self.system, asked)[0]


@pytest.fixture
def both(
    one_node: Callable[..., Program],
    plain_folder: Path,
    chat_folder: Path,
    jitter: Callable[[System, float], None],
    tmp_path: Path,
) -> Callable[..., tuple[Trl, Ours]]:
    """The two sides over the same rows, with the same policy, which is not the reference."""

    def make(
        rows: list[dict[str, Any]],
        train: str = "lora",
        loss: str | dict[str, float] = "sigmoid",
        beta: float = 0.3,
        label_smoothing: float = 0.0,
        system_prompt: str | None = None,
    ) -> tuple[Trl, Ours]:
        chat = isinstance(rows[0]["prompt"], list)
        folder = chat_folder if chat else plain_folder
        turns = [{"role": "system", "content": system_prompt}] if system_prompt else []
        user = {"role": "user", "content": "{{ question }}"}
        program = one_node(
            folder,
            messages=[*turns, user] if chat else None,
            train=train,
            lora={"r": 4, "alpha": 8},
            fit={"loss": loss, "beta": beta, "label_smoothing": label_smoothing},
        )
        ours = Ours(program, rows, tmp_path)
        jitter(ours.system, 0.05)
        theirs = [{**row, "prompt": [*turns, *row["prompt"]]} for row in rows] if turns else rows
        mix = loss if isinstance(loss, dict) else {loss: 1.0}
        args = {"loss_type": list(mix), "loss_weights": list(mix.values()), "beta": beta}
        args |= {"label_smoothing": label_smoothing, "lora": train == "lora"}
        trl = Trl(folder, theirs, tmp_path / "trl", **args)
        trl.take_weights(ours.system)
        return trl, ours

    return make


def close(ours: Tensor, theirs: Tensor) -> None:
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)


def assert_equal(trl: Trl, ours: Ours) -> None:
    """Log-probabilities of both sides under both models, the loss, the gradient of every weight."""
    assert (trl.log_probs() - trl.reference()).abs().max() > 0.1  # else nothing is shown
    close(ours.log_probs(), trl.log_probs())
    close(ours.log_probs(reference=True), trl.reference())
    losses, loss = ours.losses(), trl.loss()
    close(losses.mean(), loss)
    losses.mean().backward()
    loss.backward()
    mine = ours.system.parameters("ada")
    size = max(float(p.grad.abs().max()) for p in trl.parameters().values() if p.grad is not None)
    assert size > 1e-3
    for name, parameter in trl.parameters().items():
        assert parameter.grad is not None, name
        torch.testing.assert_close(
            mine[name].grad, parameter.grad, rtol=1e-4, atol=1e-5 * size, msg=name
        )


@pytest.mark.parametrize("train", ["lora", "full"])
def test_plain_text(both: Callable[..., tuple[Trl, Ours]], train: str) -> None:
    assert_equal(*both(PLAIN, train))


@pytest.mark.parametrize("train", ["lora", "full"])
def test_chat(both: Callable[..., tuple[Trl, Ours]], train: str) -> None:
    assert_equal(*both(CHAT, train))


def test_chat_with_a_system_turn(both: Callable[..., tuple[Trl, Ours]]) -> None:
    assert_equal(*both(CHAT, system_prompt="Answer with a number."))


def test_tokens_that_merge_over_the_end_of_the_prompt(
    both: Callable[..., tuple[Trl, Ours]],
) -> None:
    rows = [{"prompt": "They took ha", "chosen": "lf of it.", "rejected": "lf as many"}]
    trl, ours = both(rows)
    prompt = trl.trainer.processing_class("They took ha")["input_ids"]
    assert len(trl.trainer.train_dataset[0]["prompt_ids"]) < len(prompt)  # else nothing is shown
    assert_equal(trl, ours)


def test_real_rows(both: Callable[..., tuple[Trl, Ours]]) -> None:
    assert_equal(*both(gsm8k(6)))


LOSSES: list[tuple[str | dict[str, float], float]] = [
    ("ipo", 0.0),
    ("hinge", 0.0),
    ("robust", 0.1),
    ("exo_pair", 0.001),
    ("nca_pair", 0.0),
    ("bco_pair", 0.0),
    ("sppo_hard", 0.0),
    ("apo_zero", 0.0),
    ("apo_down", 0.0),
    ("discopop", 0.0),
    ("sft", 0.0),
    ({"sigmoid": 0.8, "bco_pair": 0.2, "sft": 1.0}, 0.0),
    ({"robust": 2.0, "ipo": 0.1, "apo_zero": 0.3}, 0.2),
]


@pytest.mark.parametrize(("loss", "smoothing"), LOSSES, ids=lambda one: str(one))
def test_other_losses(
    both: Callable[..., tuple[Trl, Ours]], loss: str | dict[str, float], smoothing: float
) -> None:
    assert_equal(*both(PLAIN, loss=loss, beta=0.05, label_smoothing=smoothing))
