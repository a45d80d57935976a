"""The Python environment of the other transformers, made on first use."""

import importlib.metadata
import subprocess
import sys
from pathlib import Path

from ..real_model import cache

VERSION = "4.55.4"
_PEFT = "0.17.1"
"""Of the same month."""


def python() -> Path:
    """The interpreter, with the torch of this one and transformers 4.55.4.

    Raises:
        RuntimeError: the packages cannot be installed.
    """
    folder = cache() / f"transformers-{VERSION}"
    ready, found = folder / "ready", folder / "bin" / "python"
    torch = importlib.metadata.version("torch").partition("+")[0]
    wanted = [f"transformers=={VERSION}", f"peft=={_PEFT}"]
    whole = [f"torch=={torch}", *wanted]
    if ready.exists() and ready.read_text("utf-8").split() == whole:
        return found
    print(f"making an environment with transformers {VERSION} in {folder}", flush=True)
    subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
    # What it has of its own comes before what it sees of this one's packages: torch, above all.
    (packages,) = folder.glob("lib/*/site-packages")
    here = importlib.metadata.distribution("torch").locate_file("")
    (packages / "these.pth").write_text(f"{here}\n", "utf-8")
    command = [str(found), "-m", "pip", "install", "--quiet", *wanted]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"cannot install {', '.join(wanted)}:\n{done.stderr.strip()}")
    ready.write_text("\n".join(whole), "utf-8")
    return found
