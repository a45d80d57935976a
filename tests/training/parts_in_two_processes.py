"""What two processes check of checkpoints and states in parts; `torchrun` starts it in a folder."""

import sys
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from diffusers import SD3Transformer2DModel, UNet2DConditionModel
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor
from transformers import (
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    BertConfig,
    BertModel,
    GPT2Config,
    GPT2LMHeadModel,
    MixtralConfig,
    MixtralForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
)

import sysgraph
from sysgraph.engines.checkpoints.gathering import gathered
from sysgraph.engines.checkpoints.loading import read_model
from sysgraph.engines.checkpoints.parts import aside
from sysgraph.engines.checkpoints.reach import unreached
from sysgraph.engines.digest import digest_of, weights_in
from sysgraph.support.progress import Reporter
from sysgraph.training.sharded_states import read_parts, write_parts

_SMALL: dict[str, Any] = {"hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 4}
_LLM: dict[str, Any] = {
    **_SMALL,
    "vocab_size": 99,
    "intermediate_size": 36,
    "num_key_value_heads": 2,
}


def make(folder: Path) -> None:
    """Checkpoints: in several half files, tied, converted as they are read, without a head."""
    torch.manual_seed(0)
    qwen = Qwen2ForCausalLM(Qwen2Config(**_LLM)).bfloat16()
    qwen.save_pretrained(folder / "qwen", max_shard_size="20KB")
    GPT2LMHeadModel(
        GPT2Config(vocab_size=99, n_embd=24, n_layer=2, n_head=4, n_positions=64)
    ).save_pretrained(folder / "gpt2")
    MixtralForCausalLM(MixtralConfig(**_LLM, num_local_experts=3)).save_pretrained(
        folder / "mixtral"
    )
    bert = BertConfig(**_SMALL, vocab_size=99, intermediate_size=36)
    BertModel(bert).save_pretrained(folder / "bert")
    unet: Any = UNet2DConditionModel(
        sample_size=8,
        block_out_channels=(16, 32),
        layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=16,
        norm_num_groups=8,
    )
    unet.half().save_pretrained(folder / "unet")
    sd3: Any = SD3Transformer2DModel(
        sample_size=8,
        patch_size=1,
        in_channels=4,
        num_layers=1,
        attention_head_dim=8,
        num_attention_heads=2,
        joint_attention_dim=16,
        caption_projection_dim=16,
        pooled_projection_dim=16,
        out_channels=4,
    )
    sd3.save_pretrained(folder / "sd3")


def load(folder: Path, mesh: Any) -> None:
    """Each checkpoint in parts is what its library loads whole."""
    texts, labels = AutoModelForCausalLM, AutoModelForSequenceClassification
    for name, dtype in {"qwen": "auto", "gpt2": "bfloat16", "mixtral": "auto"}.items():
        same(folder / name, texts, mesh, dtype=dtype)
    same(folder / "bert", labels, mesh, headless=True, dtype="auto")
    same(folder / "unet", UNet2DConditionModel, mesh, dtype=None)
    same(folder / "sd3", SD3Transformer2DModel, mesh, dtype=torch.bfloat16)


def same(path: Path, kind: Any, mesh: Any, **settings: Any) -> None:
    """The same weights, buffers, digest, logits and files, before it is divided and after."""
    torch.manual_seed(0)
    expected = read_model(path, kind, **settings)
    torch.manual_seed(0)
    found = read_model(path, kind, mesh=mesh, **settings)
    whole, module = expected.module.requires_grad_(False), found.module.requires_grad_(False)
    assert found[1:] == expected[1:]
    compare(whole, module)
    assert digest_of(weights_in(module)) == digest_of(weights_in(whole)), path
    if path.name not in ("unet", "sd3"):
        ids = torch.arange(12)[None] % 7
        logits = whole(input_ids=ids).logits
        assert module.config.to_dict() == whole.config.to_dict()
        assert torch.equal(module(input_ids=ids).logits, logits)
        reached = unreached(whole, dict(whole.named_modules()))
        assert unreached(module, dict(module.named_modules())) == reached
    with aside(module):
        for block in next(m for m in module.modules() if isinstance(m, nn.ModuleList)):
            fully_shard(block, mesh=mesh)
        fully_shard(module, mesh=mesh)
    compare(whole, module)
    if path.name not in ("unet", "sd3"):
        assert torch.equal(module(input_ids=ids).logits, logits)
        module.reshard()
    main = dist.get_rank() == 0
    with gathered(module, module.parameters(), here=main):
        if main:
            module.save_pretrained(path / "again")
            whole.save_pretrained(path / "whole")
            for file in sorted((path / "whole").iterdir()):
                assert file.read_bytes() == (path / "again" / file.name).read_bytes(), file


def compare(whole: nn.Module, module: nn.Module) -> None:
    places = dict(module.named_parameters(remove_duplicate=False))
    for name, weight in whole.named_parameters(remove_duplicate=False):
        part = places.pop(name)
        assert isinstance(part, DTensor)
        assert part.to_local().shape[0] <= -(-weight.shape[0] // 2)
        assert part.dtype == weight.dtype
        assert torch.equal(part.full_tensor(), weight), name
    assert not places
    buffers = dict(module.named_buffers())
    for name, buffer in whole.named_buffers():
        assert torch.equal(buffers.pop(name), buffer), name
    assert not buffers


def keep(folder: Path, mesh: Any) -> None:
    """Tensors of odd sizes, and of fewer rows than processes, come back: in parts, and whole."""
    main = dist.get_rank() == 0
    module = nn.ParameterDict({str(n): nn.Parameter(torch.rand(n, 3)) for n in (1, 4, 5)})
    torch.manual_seed(1)
    for weight in module.values():
        nn.init.normal_(weight)
    whole = {name: weight.detach().clone() for name, weight in module.items()}
    fully_shard(module, mesh=mesh)
    weights = {"one": dict(module.named_parameters())}
    tensors: dict[str, Tensor] = {f"policy/one/{n}": w.detach() for n, w in module.items()}
    tensors |= {f"optimizer/one/{n}/exp_avg": w.detach() * 2 for n, w in module.items()}
    tensors |= {f"optimizer/one/{n}/step": torch.tensor(3.0) for n in module}
    tensors["remembered/train/x"] = torch.arange(5.0) if main else torch.zeros(5)
    (folder / "kept").mkdir(exist_ok=True)
    dist.barrier()
    write_parts(folder / "kept", tensors, main=main)
    for found in (read_parts(folder / "kept", weights), read_parts(folder / "kept", {})):
        assert torch.equal(found["remembered/train/x"], torch.arange(5.0))
        assert found["optimizer/one/1/step"].shape == ()
        for name, weight in whole.items():
            assert torch.equal(_full(found[f"policy/one/{name}"]), weight)
            assert torch.equal(_full(found[f"optimizer/one/{name}/exp_avg"]), weight * 2)


def _full(tensor: Tensor) -> Tensor:
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


if __name__ == "__main__":
    place = Path(sys.argv[1])
    for output in ("whole", "killed"):
        resume = output == "killed"
        sysgraph.fit(
            place / "graph.yaml",
            output=place / output,
            resume=resume,
            reporter=Reporter(shown=False),
        )
    pair = init_device_mesh("cpu", (2,))
    if dist.get_rank() == 0:
        make(place)
    dist.barrier()
    load(place, pair)
    keep(place, pair)
