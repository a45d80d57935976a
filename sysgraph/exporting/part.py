"""A trained model in an export, as others load it."""

from dataclasses import dataclass
from pathlib import Path

from sysgraph_schemas.models import Model

from .bases import Place


@dataclass(frozen=True)
class Part:
    """A trained model in an export.

    Attributes:
        name: in the graph.
        spec: as the exported graph has it.
        folder: its own, from the export's; None: the graph itself says all of it.
        library: that loads it.
        place: of the base that it is of.
        adapter: whether it is one, on the base.
    """

    name: str
    spec: Model
    folder: str | None
    library: str
    place: Place | None
    adapter: bool

    @classmethod
    def of(cls, name: str, spec: Model, place: Place | None, root: Path) -> "Part":
        """The one that was written in `root`."""
        said = spec.adapted or (spec.base.id if spec.base is not None else None)
        folder = said.removeprefix("./") if said is not None else None
        library = _library(root / folder) if folder is not None else "sysgraph"
        return cls(name, spec, folder, library, place, spec.adapted is not None)

    @property
    def task(self) -> str:
        """What it does, in the Hub's words."""
        first = self.spec.gives[0] if self.spec.gives else "text"
        tasks = {"text": "text-generation", "choice": "text-classification"}
        return tasks.get(first, "text-to-image")

    @property
    def form(self) -> str:
        """What it is, for people."""
        if self.folder is None:
            return self.spec.kind
        return "LoRA adapter" if self.adapter else "whole checkpoint"

    def loading(self) -> str:
        """Python that loads it, in the export's folder."""
        if self.library == "diffusers":
            return self._pipeline()
        of_task = {"text-classification": "AutoModelForSequenceClassification"}
        kind = of_task.get(self.task, "AutoModelForCausalLM")
        if not self.adapter:
            lines = _model(kind, "model", f"./{self.folder}", None)
        else:
            assert self.place is not None
            lines = [
                "from peft import PeftModel",
                *_model(kind, "base", self.place.id, self.place.revision, self._quantization()),
                f'model = PeftModel.from_pretrained(base, "./{self.folder}")',
            ]
        return "\n".join(lines)

    def _quantization(self) -> str | None:
        """Python for how transformers rounds its base's weights, if they are."""
        base = self.spec.base
        if base is None or base.load_in is None:
            return None
        dtype = "" if base.dtype == "auto" else f', bnb_4bit_compute_dtype="{base.dtype}"'
        return f'BitsAndBytesConfig(load_in_{base.load_in}=True, bnb_4bit_quant_type="nf4"{dtype})'

    def _pipeline(self) -> str:
        revision = self.place.revision if self.place is not None and self.adapter else None
        id = self.place.id if self.place is not None and self.adapter else f"./{self.folder}"
        lines = [
            "from diffusers import DiffusionPipeline",
            "",
            f"pipeline = DiffusionPipeline.from_pretrained({_arguments(id, revision)})",
        ]
        if self.adapter:
            lines.append(f'pipeline.load_lora_weights("./{self.folder}")')
        return "\n".join(lines)


_FIRST_FILES = {
    "adapter_config.json": "peft",
    "pytorch_lora_weights.safetensors": "diffusers",
    "model_index.json": "diffusers",
    "config.json": "transformers",
}


def _library(folder: Path) -> str:
    """Whose files a folder has."""
    found = [of for file, of in _FIRST_FILES.items() if (folder / file).is_file()]
    return found[0] if found else "sysgraph"


def _model(
    kind: str, variable: str, id: str, revision: str | None, quantization: str | None = None
) -> list[str]:
    where = _arguments(id, revision)
    config = "BitsAndBytesConfig, " if quantization else ""
    rounded = f", quantization_config={quantization}" if quantization else ""
    return [
        f"from transformers import AutoTokenizer, {config}{kind}",
        "",
        f"tokenizer = AutoTokenizer.from_pretrained({where})",
        f"{variable} = {kind}.from_pretrained({where}{rounded})",
    ]


def _arguments(id: str, revision: str | None) -> str:
    return f'"{id}"' + (f', revision="{revision}"' if revision else "")
