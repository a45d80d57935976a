"""results.json: what was measured, on which machine, and what is left of an interrupted run."""

import importlib.metadata
import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from .row import Row

_PACKAGES = ("torch", "transformers", "peft", "trl", "accelerate", "diffusers")


def machine(device: str) -> dict[str, Any]:
    """What the times depend on."""
    import torch

    found = {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory GiB": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "threads": torch.get_num_threads(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        **{name: importlib.metadata.version(name) for name in _PACKAGES},
    }
    if device == "cuda":
        found["GPU"] = torch.cuda.get_device_name()
    return found


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text("utf-8").splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or "unknown"


class Results:
    """The file, written anew after each change.

    By device and row: the machine, whether `--quick` was given, and its lines.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._found: dict[str, Any] = (
            json.loads(path.read_text("utf-8")) if path.exists() else {"left": [], "measured": {}}
        )

    @property
    def devices(self) -> list[str]:
        """The devices that something was measured on."""
        return list(self._found["measured"])

    def rows(self, device: str) -> dict[str, list[Row]]:
        """What was measured, by row."""
        measured = self._found["measured"].get(device, {})
        return {name: [Row(**line) for line in one["rows"]] for name, one in measured.items()}

    def machines(self, device: str) -> dict[str, dict[str, Any]]:
        """The machine of each row."""
        measured = self._found["measured"].get(device, {})
        return {name: one["machine"] for name, one in measured.items()}

    def left(self, asked: dict[str, Any]) -> list[str]:
        """The rows that an interrupted run of all, which was asked the same, did not come to."""
        left = self._found["left"]
        return list(left["rows"]) if left and left["asked"] == asked else []

    def plan(self, names: Sequence[str], asked: dict[str, Any]) -> None:
        """Remembers which rows are still to come, should the run be interrupted."""
        self._found["left"] = {"rows": list(names), "asked": asked} if names else []
        self._write()

    def put(self, name: str, rows: Sequence[Row], asked: dict[str, Any]) -> None:
        """Replaces the lines of one row."""
        measured = self._found["measured"].setdefault(asked["device"], {})
        measured[name] = {**asked, "rows": [asdict(row) for row in rows]}
        self._found["measured"][asked["device"]] = dict(sorted(measured.items()))
        self._write()

    def _write(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        part = self.path.with_suffix(".part")
        part.write_text(json.dumps(self._found, indent=1) + "\n", "utf-8")
        part.replace(self.path)
