"""A process with the other transformers, which is asked one thing after the other."""

import os
import pickle
import subprocess
from types import TracebackType
from typing import Any

from ..pairs import ROOT
from .environment import python


class Process:
    """`worker.Worker` in a process of its own, which computes while this one waits.

    A context manager: the process ends with it.

    Args:
        given: named arguments of the worker.
    """

    def __init__(self, **given: Any) -> None:
        self._given = given

    def __enter__(self) -> "Process":
        environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
        environment.setdefault("OMP_NUM_THREADS", "1")
        self._process = subprocess.Popen(
            [python(), "-m", "benchmarks.transformers4.worker"],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self.ask("load", **self._given)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.communicate()  # the end of its input ends it

    def ask(self, what: str, **given: Any) -> Any:
        """What the method of the worker gives.

        Raises:
            RuntimeError: it failed, and why.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            pickle.dump((what, given), self._process.stdin)
            self._process.stdin.flush()
            failed, answer = pickle.load(self._process.stdout)
        except (EOFError, BrokenPipeError):
            raise RuntimeError(f"the process of transformers ended before {what!r} did") from None
        if failed:
            raise RuntimeError(f"{what!r} failed in the process of transformers:\n{answer}")
        return answer
