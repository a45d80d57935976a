"""Reward models: tiny real checkpoints, against transformers called plainly, one text at a time."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from torch import nn
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    BertConfig,
    BertForSequenceClassification,
    LlamaConfig,
    LlamaForCausalLM,
    LlamaForSequenceClassification,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)

from sysgraph import InputError, Scorer, Trace, win_rate
from sysgraph.measuring.judges import find_judge
from sysgraph.measuring.scorers.reward import RewardModel

WORDS = [f"w{i}" for i in range(60)]
CHAT = "{% for m in messages %}<s> {{ m.role }} {{ m.content }} {% endfor %}"
SMALL = {
    "vocab_size": 70,
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "max_position_embeddings": 24,
}


def tokenizer(chat: str | None) -> PreTrainedTokenizerFast:
    vocabulary = {
        w: i for i, w in enumerate(["<pad>", "<s>", "</s>", "<unk>", "user", "assistant", *WORDS])
    }
    inner = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    inner.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    inner.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 1), ("</s>", 2)]
    )
    made = PreTrainedTokenizerFast(tokenizer_object=inner, unk_token="<unk>", eos_token="</s>")
    made.chat_template = chat
    return made


def save(module: PreTrainedModel, folder: Path, chat: str | None = None) -> str:
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in module.parameters():
            nn.init.normal_(parameter, std=0.5)
    module.save_pretrained(folder)
    tokenizer(chat).save_pretrained(folder)
    return str(folder)


def llama(pad: int | None = 0, labels: int = 1) -> PreTrainedModel:
    return LlamaForSequenceClassification(
        LlamaConfig(**SMALL, num_labels=labels, pad_token_id=pad, num_key_value_heads=2)
    )


def bert() -> PreTrainedModel:
    return BertForSequenceClassification(BertConfig(**SMALL, num_labels=1, pad_token_id=0))


def traces(count: int, longest: int) -> list[Trace]:
    generator = torch.Generator().manual_seed(1)

    def words() -> str:
        size = int(torch.randint(1, longest, (), generator=generator))
        return " ".join(WORDS[int(i)] for i in torch.randint(60, (size,), generator=generator))

    return [Trace({"question": words()}, {"answer": words()}, ("answer",)) for _ in range(count)]


def plainly(folder: str, rows: Sequence[Trace]) -> list[float]:
    """One call of transformers a text; what is too long keeps its end, and its special tokens."""
    module = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    tokens = AutoTokenizer.from_pretrained(folder)
    scores = []
    for row in rows:
        asked, answer = row.inputs["question"], row.output()
        if tokens.chat_template:
            turns = [{"role": "user", "content": asked}, {"role": "assistant", "content": answer}]
            ids = tokens.apply_chat_template(turns, return_dict=False)[-24:]
        else:
            ids = tokens(f"{asked}\n\n{answer}")["input_ids"]
            ids = ids if len(ids) <= 24 else [1, *ids[-23:]]
        with torch.no_grad():
            scores.append(float(module(input_ids=torch.tensor([ids])).logits[0, 0]))
    return scores


@pytest.mark.parametrize(
    ("make", "chat"),
    [(llama, None), (llama, CHAT), (lambda: llama(pad=None), CHAT), (bert, None)],
    ids=["llama", "chat", "no padding", "bert"],
)
@pytest.mark.parametrize("longest", [9, 40])
def test_scores_are_those_of_transformers(
    make: Callable[[], PreTrainedModel],
    chat: str | None,
    longest: int,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder, rows = save(make(), tmp_path, chat), traces(37, longest)
    capsys.readouterr()
    reward = RewardModel(folder, device=torch.device("cpu"))
    found = reward.score(rows)
    assert found == pytest.approx(plainly(folder, rows), rel=1e-4, abs=1e-5)
    assert len(set(found)) > 30
    told = capsys.readouterr().err
    assert told.count("is cut off") == (longest > 24)


def test_wins_are_the_higher_scores(tmp_path: Path) -> None:
    folder = save(llama(), tmp_path)
    judge = find_judge(f"reward:{folder}")
    assert isinstance(judge, Scorer)
    answers = traces(40, 8)
    others = [
        Trace(t.inputs, other.values, t.outputs)
        for t, other in zip(answers, reversed(answers), strict=True)
    ]
    pairs = list(zip(plainly(folder, answers), plainly(folder, others), strict=True))
    found = win_rate(judge, answers, others)
    assert (found.wins, found.ties, found.losses) == (
        sum(a > b for a, b in pairs),
        0,
        sum(a < b for a, b in pairs),
    )
    assert 0 < found.wins < 40
    assert (found.judge, found.position_bias) == (f"reward:{folder}", None)


def test_equal_texts_have_equal_scores_whatever_is_beside_them(tmp_path: Path) -> None:
    reward = RewardModel(save(llama(), tmp_path))
    rows = traces(20, 8)
    scores = reward.score([*rows, *reversed(rows)])
    assert scores[:20] == scores[:19:-1]


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: llama(labels=2), "it has 2 outputs; expected 1"),
        (lambda: LlamaForCausalLM(LlamaConfig(**SMALL, num_labels=1)), "it lacks score.weight"),
    ],
)
def test_what_is_no_reward_model(
    make: Callable[[], PreTrainedModel], said: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=said):
        RewardModel(save(make(), tmp_path))


def test_what_cannot_be_loaded(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot load the reward model"):
        find_judge(f"reward:{tmp_path}")
    module = llama()
    folder = Path(save(module, tmp_path))
    (folder / "model.safetensors").unlink()
    torch.save(module.state_dict(), folder / "pytorch_model.bin")
    with pytest.raises(InputError, match="cannot load the reward model"):
        RewardModel(str(folder))


def test_a_template_that_refuses(tmp_path: Path) -> None:
    folder = save(llama(), tmp_path, "{{ raise_exception('no such roles') }}")
    with pytest.raises(InputError, match="no such roles"):
        RewardModel(folder).score(traces(1, 5))


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("scorer:atributes", "did you mean `attributes`"),
        ("scorrer:attributes", "did you mean `scorer:`"),
        ("attributes", "a judge is KIND:NAME, KIND one of"),
        ("reward:", "expected reward:NAME"),
    ],
)
def test_specs(spec: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        find_judge(spec)


def test_a_registered_scorer() -> None:
    judge = find_judge("scorer:attributes")
    assert isinstance(judge, Scorer)
    assert judge.name == "attributes"
