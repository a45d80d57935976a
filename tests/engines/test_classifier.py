"""The classifier engine against transformers itself: log p, batching, references, files."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import AutoPeftModelForSequenceClassification
from tokenizers import processors
from torch import Tensor
from transformers import (
    AutoConfig,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    BertConfig,
    BertForSequenceClassification,
    DistilBertConfig,
    DistilBertForSequenceClassification,
    PreTrainedModel,
    Qwen2Config,
    Qwen2ForSequenceClassification,
)

import sysgraph
from sysgraph import Completion, InputError, System
from sysgraph.engines import Draw, Request, Search

OPTIONS = ("math", "code", "other")
TEXTS = ("How many clips?", "Q", "If each egg costs $2 and she sells 9 of them, she makes")
Jitter = Callable[[System, float], None]
Make = Callable[..., Path]


@pytest.fixture(scope="session")
def classifier(chat_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Make:
    """The folder of a tiny random classifier with three labels in another order than OPTIONS."""
    tokenizer = AutoTokenizer.from_pretrained(chat_folder)

    def make(kind: str = "bert", labels: tuple[str, ...] = ("other", "math", "code")) -> Path:
        folder = tmp_path_factory.mktemp("classifier")
        shared: dict[str, Any] = {
            "vocab_size": len(tokenizer),
            "max_position_embeddings": 64,
            "pad_token_id": None if kind == "unpadded" else tokenizer.pad_token_id,
            "id2label": dict(enumerate(labels)),
            "label2id": {label: i for i, label in enumerate(labels)},
            "initializer_range": 0.3,
        }
        torch.manual_seed(3)
        small = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2}
        heads = {"num_attention_heads": 4, "num_key_value_heads": 2}
        model: PreTrainedModel
        if kind == "bert":
            model = BertForSequenceClassification(
                BertConfig(num_attention_heads=4, **small, **shared)
            )
        elif kind == "distilbert":
            size = {"dim": 32, "hidden_dim": 48, "n_layers": 2, "n_heads": 4}
            model = DistilBertForSequenceClassification(DistilBertConfig(**size, **shared))
        else:
            model = Qwen2ForSequenceClassification(Qwen2Config(**small, **heads, **shared))
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        return folder

    return make


def system_of(
    folder: Path, model_dir: Path | None = None, options: tuple[str, ...] = OPTIONS, **model: Any
) -> System:
    graph = {
        "sysgraph": 1,
        "name": "router",
        "models": {"r": {"kind": "classifier", "id": str(folder), **model}},
        "nodes": {
            "question": {"kind": "input"},
            "route": {
                "kind": "choice",
                "model": "r",
                "prompt": "{{ question }}",
                "options": list(options),
            },
        },
        "edges": ["question -> route"],
        "outputs": ["route"],
    }
    program = sysgraph.compile(sysgraph.load(json.dumps(graph)))
    return System(program, device="cpu", model_dir=model_dir)


def requests(options: tuple[str, ...] = OPTIONS) -> list[Request]:
    return [Request("r", text, Completion(o), options) for text in TEXTS for o in options]


def expected(module: Any, folder: Path, options: tuple[str, ...] = OPTIONS) -> Tensor:
    """Log p of each of `requests`, one text at a time."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    labels = [module.config.label2id[option] for option in options]
    out = []
    for text in TEXTS:
        with torch.no_grad():
            logits = module.eval()(**tokenizer(text, return_tensors="pt")).logits[0]
        out.append(logits[labels].float().log_softmax(-1))
    return torch.cat(out)


@pytest.mark.parametrize("kind", ["bert", "distilbert", "qwen2", "unpadded"])
def test_log_prob(kind: str, classifier: Make) -> None:
    folder = classifier(kind)
    found = system_of(folder).score(requests())
    module = AutoModelForSequenceClassification.from_pretrained(folder)
    torch.testing.assert_close(found.detach(), expected(module, folder), rtol=1e-5, atol=1e-5)
    assert found.view(3, 3).std(0).min() > 1e-3  # every text has its own


def test_options_are_some_of_the_labels(classifier: Make) -> None:
    folder = classifier()
    module = AutoModelForSequenceClassification.from_pretrained(folder)
    options = ("code", "math")
    found = system_of(folder, options=options).score(requests(options))
    torch.testing.assert_close(found.detach(), expected(module, folder, options))


def test_labels_by_position(classifier: Make) -> None:
    by_name = system_of(classifier(labels=OPTIONS)).score(requests())
    by_position = system_of(classifier(labels=("LABEL_0", "LABEL_1", "LABEL_2"))).score(requests())
    torch.testing.assert_close(by_position, by_name)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("math", "code", "othr"), "no label for the option 'othr'; did you mean `other`?"),
        (("yes", "no"), r"3 labels \(other, math, code\) and the choice 2 options \(yes, no\)"),
    ],
)
def test_labels_that_do_not_fit(options: tuple[str, ...], said: str, classifier: Make) -> None:
    system = system_of(classifier(), options=options)
    with pytest.raises(InputError, match=said):
        system.sample({"question": "q"})
    with pytest.raises(InputError, match=said):
        system.log_prob([sysgraph.Trace({"question": "q"}, {"route": options[-1]}, ("route",))])


def test_one_output_is_no_classifier(classifier: Make) -> None:
    with pytest.raises(InputError, match="one output"):
        system_of(classifier(labels=("score",)))


def test_a_text_beyond_the_window(classifier: Make) -> None:
    system = system_of(classifier())
    long = "clips " * 100
    problem = system.problem(Request("r", long, Completion("math"), OPTIONS))
    assert problem is not None
    assert "has a window of 64" in problem
    with pytest.raises(InputError, match="has a window of 64"):
        system.sample({"question": long})


@pytest.mark.parametrize(
    ("train", "kind"), [("lora", "distilbert"), ("lora", "qwen2"), ("full", "bert")]
)
def test_training_and_files(
    train: str, kind: str, classifier: Make, jitter: Jitter, tmp_path: Path
) -> None:
    """The head trains too; the reference stays; what is saved is what its library reads."""
    folder = classifier(kind)
    system = system_of(folder, train=train)
    before = system.score(requests())
    before[0].backward()  # type: ignore[no-untyped-call]
    gradients = {n: p.grad for n, p in system.parameters("r").items()}
    assert all(gradient is not None for gradient in gradients.values())
    head = [g for n, g in gradients.items() if "classifier" in n or "score" in n]
    assert head
    assert all(g is not None and bool(g.abs().max() > 0) for g in head if g is not None)
    jitter(system, 0.1)
    after = system.score(requests()).detach()
    assert (after - before).abs().max() > 0.01
    torch.testing.assert_close(system.score(requests(), reference=True), before.detach())
    system.save(tmp_path)
    auto: Any = AutoPeftModelForSequenceClassification
    auto = auto if train == "lora" else AutoModelForSequenceClassification
    kwargs = {"num_labels": 3} if train == "lora" else {}
    saved = auto.from_pretrained(tmp_path / "r", **kwargs)
    if train == "lora":
        saved.config.label2id = {"other": 0, "math": 1, "code": 2}
    torch.testing.assert_close(expected(saved, folder), after, rtol=1e-4, atol=1e-5)
    again = system_of(folder, model_dir=tmp_path, train=train)
    torch.testing.assert_close(again.score(requests()).detach(), after)
    snapshot = {n: p.detach().clone() for n, p in system.parameters("r").items()}
    again.set_reference("r", snapshot)
    jitter(again, 0.1)
    torch.testing.assert_close(again.score(requests(), reference=True), after)


def test_samples_have_its_probabilities(classifier: Make) -> None:
    system = system_of(classifier(), train="frozen")
    traces = system.sample({"question": TEXTS[0]}, n=2000, seed=1)
    p = system.score(requests()[:3]).exp()
    for option, expected_share in zip(OPTIONS, p.tolist(), strict=True):
        share = sum(trace["route"] == option for trace in traces) / len(traces)
        assert share == pytest.approx(expected_share, abs=0.045)  # four standard errors
    assert system.trained() == ()


def test_it_gives_choices_alone(classifier: Make) -> None:
    system = system_of(classifier(), train="frozen")
    said = "classifier model 'r' gives choices alone"
    with pytest.raises(InputError, match=said):
        system.draw([Draw("r", TEXTS[0], 0)])
    with pytest.raises(InputError, match=said):
        system.search([Search("r", TEXTS[0], 1, 1)])
    ((likeliest,),) = system.search([Search("r", TEXTS[0], 1, 1, options=OPTIONS)])
    scores = system.score(requests()[:3])
    assert likeliest.text == OPTIONS[int(scores.argmax())]


# ---- classifiers that read an end token, or several labels


SEQ2SEQ: dict[str, dict[str, Any]] = {
    "bart": {
        "d_model": 32,
        "decoder_layers": 1,
        "encoder_layers": 1,
        "decoder_attention_heads": 4,
        "encoder_attention_heads": 4,
        "decoder_ffn_dim": 48,
        "encoder_ffn_dim": 48,
    },
    "t5": {"d_model": 32, "d_ff": 48, "d_kv": 8, "num_layers": 1, "num_heads": 4},
}


def seq2seq(kind: str, chat_folder: Path, folder: Path, *, ends: bool, **config: Any) -> Path:
    """A classifier that looks at the end token, and a tokenizer that writes it or not."""
    tokenizer = AutoTokenizer.from_pretrained(chat_folder)
    end = tokenizer.eos_token
    if ends:
        tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
            single=f"$A {end}", special_tokens=[(end, tokenizer.eos_token_id)]
        )
    settings = {
        "vocab_size": len(tokenizer),
        "pad_token_id": tokenizer.pad_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "decoder_start_token_id": tokenizer.pad_token_id,
        "id2label": dict(enumerate(OPTIONS)),
        "label2id": {label: i for i, label in enumerate(OPTIONS)},
        **SEQ2SEQ[kind],
        **config,
    }
    torch.manual_seed(0)
    model = AutoModelForSequenceClassification.from_config(AutoConfig.for_model(kind, **settings))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.2)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.mark.parametrize("kind", SEQ2SEQ)
def test_what_reads_an_end_token(kind: str, chat_folder: Path, tmp_path: Path) -> None:
    folder = seq2seq(kind, chat_folder, tmp_path, ends=True)
    texts = [*TEXTS, "a text with <|im_end|> in it"]
    found = system_of(folder).score([Request("r", t, Completion("code"), OPTIONS) for t in texts])
    module = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    with torch.no_grad():
        alone = [module(**tokenizer(text, return_tensors="pt")).logits[0] for text in texts]
    wanted = torch.stack([logits.log_softmax(-1)[1] for logits in alone])
    torch.testing.assert_close(found.detach(), wanted, rtol=1e-5, atol=1e-5)


def test_a_text_without_the_end_token_is_told(chat_folder: Path, tmp_path: Path) -> None:
    system = system_of(seq2seq("bart", chat_folder, tmp_path, ends=False))
    said = system.problem(requests()[0])
    assert said is not None
    assert "reads a text at its end token '<|im_end|>', which this prompt does not have" in said


def test_labels_that_do_not_exclude_each_other(chat_folder: Path, tmp_path: Path) -> None:
    kind = "multi_label_classification"
    folder = seq2seq("t5", chat_folder, tmp_path, ends=True, problem_type=kind)
    with pytest.raises(InputError, match=rf"{folder}' is made for {kind}: .* no probabilities"):
        system_of(folder)
