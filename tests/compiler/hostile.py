"""Run in a process of its own: checks every graph text on stdin, and reports what Python did.

Reads a JSON list of graph texts, or {path}; prints a JSON list of {codes, seconds, megabytes,
events}.
"""

import json
import resource
import sys
import time
from pathlib import Path

import sysgraph_compiler
from sysgraph_schemas import dump, load, read, render
from sysgraph_schemas.diagnostics import has_errors

WATCHED = (
    "exec",
    "compile",
    "import",
    "open",
    "socket.",
    "subprocess.",
    "os.",
    "shutil.",
    "ctypes.",
)
IGNORED = ("os.listdir", "os.scandir")

events: list[str] = []
watching = False


def hook(event: str, arguments: tuple[object, ...]) -> None:
    if watching and event.startswith(WATCHED) and event not in IGNORED:
        events.append(f"{event} {str(arguments)[:200]}")


def examine(text: str | Path) -> list[str]:
    reading = read(text)
    found = list(reading.diagnostics)
    if reading.graph is not None:
        found += sysgraph_compiler.check(reading.graph)
        if not has_errors(found):
            program = sysgraph_compiler.compile(reading.graph)
            str(program)
            sysgraph_compiler.Program.from_json(program.to_json())
            load(dump(reading.graph))
    render(found, "text", color=True)
    return sorted({diagnostic.code for diagnostic in found})


def peak_megabytes() -> float:
    """This program's peak: `getrusage`'s is at least that of the process it was forked from."""
    try:
        with open("/proc/self/status", encoding="utf-8") as file:
            peak = next(line for line in file if line.startswith("VmHWM:"))
    except OSError:  # no Linux
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return int(peak.split()[1]) / 1024


def main() -> None:
    global watching
    given: list[str | dict[str, str]] = json.load(sys.stdin)
    texts = [one if isinstance(one, str) else Path(one["path"]) for one in given]
    for path in sys.argv[1:]:  # what is imported on first use, imported before the watch begins
        examine(Path(path))
    sys.addaudithook(hook)
    reports = []
    for text in texts:
        events.clear()
        start = time.process_time()
        watching = True
        codes = examine(text)
        watching = False
        reports.append(
            {
                "codes": codes,
                "seconds": time.process_time() - start,
                "megabytes": peak_megabytes(),
                "events": list(events),
            }
        )
    print(json.dumps(reports))


if __name__ == "__main__":
    main()
