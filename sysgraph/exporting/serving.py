"""The command lines that serve an export's language models, of vLLM."""

import json
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sysgraph_schemas import Graph
from sysgraph_schemas.models import Model

from .part import Part

_RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)
"""What vLLM takes as its highest rank."""


def serve_commands(graph: Graph, parts: Sequence[Part], root: Path) -> tuple[str, ...]:
    """One a server, to be run in the export's folder: adapters on one base share its server.

    Args:
        root: the folder as it is being written.
    """
    written = [part for part in parts if part.folder is not None and part.spec.decodes]
    commands = []
    for key in dict.fromkeys(_base(part.spec) for part in written):
        several = [part for part in written if _base(part.spec) == key]
        commands.append(shlex.join(_command(graph, several, root)))
    return tuple(commands)


def _base(spec: Model) -> tuple[str, ...]:
    return spec.base.key if spec.base is not None else ()


def _command(graph: Graph, parts: Sequence[Part], root: Path) -> list[str]:
    base = parts[0].spec.base
    assert base is not None
    adapters = [part for part in parts if part.adapter]
    words = ["vllm", "serve", base.id]
    words += ["--revision", base.revision] if base.revision else []
    words += _dtype(base.dtype, root / base.id)
    words += ["--quantization", "bitsandbytes"] if base.load_in else []
    if not adapters:
        return [*words, "--served-model-name", *(part.name for part in parts)]
    rank = max(_rank(root / str(part.folder)) for part in adapters)
    words += ["--enable-lora", "--max-loras", str(len(adapters))]
    words += ["--max-lora-rank", str(next((r for r in _RANKS if r >= rank), rank))]
    return [*words, "--lora-modules", *(f"{part.name}=./{part.folder}" for part in adapters)]


def _dtype(said: str, folder: Path) -> list[str]:
    """The type that it ran in here; vLLM by itself takes half precision for float32."""
    if said == "auto":
        config = _read(folder / "config.json")
        said = str(config.get("dtype") or config.get("torch_dtype") or said)
    return [] if said == "auto" else ["--dtype", said]


def _rank(folder: Path) -> int:
    said = _read(folder / "adapter_config.json")
    return max([int(said.get("r", 1)), *map(int, (said.get("rank_pattern") or {}).values())])


def _read(file: Path) -> dict[str, Any]:
    return dict(json.loads(file.read_text(encoding="utf-8"))) if file.is_file() else {}
