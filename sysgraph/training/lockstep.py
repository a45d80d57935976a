"""Processes in step: what all of them must do at once, they agree on before they do it.

A pass of a divided model takes all processes, and they have different things to run: shares of
another size, nodes that only some pairs have, gates, failed parses. So nothing is counted ahead.
Before such a pass a process announces its kind, a number, and all of them make a pass of the
smallest kind that is announced: a real one where it was announced, an idle one elsewhere. A process
with nothing to run for now settles: it takes part in the others' passes until all have settled.
Every collective operation of `Workers` settles first, so that no two processes can wait for each
other.

A process that fails announces that too, and the others end with its message.
"""

import contextlib
import json
import os
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import torch
import torch.distributed as dist

from ..support.errors import RunError

_SETTLED = 2**62
_PATIENCE = timedelta(seconds=5)
"""How long a process that failed waits for the others to hear it."""
_LONGEST = timedelta(days=7)
"""How long others wait: one may draw, score or ask a server for its share alone."""
_BYTES = 4096
_GONE = ("Connection closed by peer", "Connection reset by peer", "Broken pipe", "connectFullMesh")
"""What gloo says where another process has ended."""


class PeerError(RunError):
    """Another process of the run failed, which this one cannot go on without."""


class Lockstep:
    """This process among those that run in step. Every process makes one, at the same time."""

    def __init__(self) -> None:
        self._group = dist.new_group(backend="gloo", timeout=_LONGEST)
        self._idle: list[Callable[[], None]] = []
        self._rests: list[Callable[[], None]] = []
        self._is_idle = False

    def join(self, idle: Callable[[], None], rest: Callable[[], None]) -> int:
        """See `Together`."""
        self._idle.append(idle)
        self._rests.append(rest)
        return len(self._idle) - 1

    def announce(self, number: int) -> None:
        """See `Together`.

        Raises:
            PeerError: another process failed.
        """
        if self._is_idle:  # all have agreed on what this one takes part in
            return
        while (turn := self._agreed(number)) != number:
            self._make_idle(turn)

    def settle(self) -> None:
        """Takes part in the others' passes until no process has any to make.

        Raises:
            PeerError: another process failed.
        """
        while (turn := self._agreed(_SETTLED)) != _SETTLED:
            self._make_idle(turn)
        for rest in self._rests:
            rest()

    @contextlib.contextmanager
    def failing_together(self) -> Iterator[None]:
        """What is raised in the block is told to the others, which end with it."""
        try:
            yield
        except PeerError as error:
            _leave_word(str(error))
            raise
        except Exception as error:
            if any(words in str(error) for words in _GONE):
                raise PeerError("another process of this run ended: see what it said") from error
            said = str(error) or type(error).__name__
            _leave_word(said)
            self._tell(said)
            raise

    def _agreed(self, number: int) -> int:
        """The smallest number that is announced."""
        box = torch.tensor([number])
        dist.all_reduce(box, dist.ReduceOp.MIN, self._group)
        if (found := int(box)) < 0:
            text = torch.zeros(_BYTES, dtype=torch.uint8)
            dist.broadcast(text, -1 - found, self._group)
            said = bytes(text.tolist()).rstrip(b"\0").decode("utf-8", "ignore")
            raise PeerError(f"process {-1 - found} of this run failed: {said}")
        return found

    def _make_idle(self, number: int) -> None:
        self._is_idle = True
        try:
            self._idle[number]()
        finally:
            self._is_idle = False

    def _tell(self, text: str) -> None:
        """Tells the others why this process fails, if they listen within a few seconds."""
        rank, said = dist.get_rank(), text.encode("utf-8")[:_BYTES]
        box, letters = torch.tensor([-1 - rank]), torch.zeros(_BYTES, dtype=torch.uint8)
        letters[: len(said)] = torch.tensor(list(said), dtype=torch.uint8)
        # One that is within a pass does not listen: it ends when this process is gone.
        with contextlib.suppress(RuntimeError):
            self._soon(dist.all_reduce(box, dist.ReduceOp.MIN, self._group, async_op=True))
            # Of several that fail at once the others hear one.
            self._soon(dist.broadcast(letters, -1 - int(box), self._group, async_op=True))

    def _soon(self, work: dist.Work | None) -> None:
        assert work is not None
        work.wait(_PATIENCE)


def _leave_word(text: str) -> None:
    """Has `torchrun` show it in the summary that it ends with."""
    file = os.environ.get("TORCHELASTIC_ERROR_FILE")
    if file is not None:
        with contextlib.suppress(OSError):
            said = {"message": text, "extraInfo": {"timestamp": f"{int(time.time())}"}}
            Path(file).write_text(json.dumps({"message": said}), encoding="utf-8")
