"""What a step must compute, against what torch counts of a step that computes nothing twice."""

import torch
import torch.nn.functional as F
from peft import LoraConfig, get_peft_model
from torch import nn
from torch.utils.flop_counter import FlopCounterMode
from transformers import AutoModelForCausalLM

from benchmarks.bound import bound, trie
from benchmarks.counting import flops
from benchmarks.row import Options
from sysgraph.engines.causal_lm.head import as_is, head_log_probs
from sysgraph.engines.causal_lm.tokens import Encoded


def test_the_bound_of_one_row(tiny: Options) -> None:
    """Exact, but that the backward pass of fused attention computes one product of seven again."""
    prompt, completion = (5, 6, 7, 8), (9, 10, 11)
    model = AutoModelForCausalLM.from_pretrained(tiny.language_model, dtype=torch.float32)
    lora = LoraConfig(r=4, target_modules="all-linear", task_type="CAUSAL_LM")
    module = get_peft_model(model, lora)
    ids = torch.tensor([[*prompt, *completion]])

    def step() -> None:
        logits = module(input_ids=ids[:, :-1], logits_to_keep=len(completion)).logits[0]
        F.cross_entropy(logits, ids[0, len(prompt) :]).backward()

    needed = bound(tiny.language_model, 4, trie([Encoded(prompt, completion)]))
    total, _ = flops(step)
    with FlopCounterMode(display=False) as known:  # without attention
        step()
    products = known.get_total_flops()
    assert products == needed.layers + needed.adapters + needed.head
    assert (total - products) * 6 == needed.attention * 7


def test_what_rows_share_is_counted_once() -> None:
    shared = trie([Encoded((1, 2), (3, 4)), Encoded((1, 2), (3, 5, 6)), Encoded((1, 2), (3, 4))])
    assert shared.tokens == 4  # 1, 2, 3 and 5: nothing is predicted from a last token
    assert shared.seen == 1 + 2 + 3 + 4
    assert shared.scored == 3  # after 2, after 3 (either side) and after 5


def test_a_trained_head_is_counted() -> None:
    hidden = torch.randn(10, 8, requires_grad=True)
    layer, targets = nn.Linear(8, 50, bias=False), torch.arange(10)
    once = 2 * 10 * 8 * 50

    def step() -> None:
        head_log_probs(layer, as_is, hidden, targets).sum().backward()

    assert flops(step)[0] == 4 * once  # forward; once more; to what it reads; to its weights
