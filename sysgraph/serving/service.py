"""The worker: it takes the requests that wait, and samples the system for all of them at once."""

import threading
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

from ..support.errors import ServiceError
from ..support.progress import Reporter
from ..system import System
from ..traces.trace import Trace
from .asked import Asked
from .batch import Batch, Row
from .choices import choice_of
from .errors import api_error
from .limits import Limits
from .line import Line
from .meters import Meters
from .ticket import Answered, Event, Failed, Ticket
from .usage import usage_of


class Service:
    """A system that answers requests, in a thread of its own while it is entered.

    What a request is answered depends on it and its seed alone, whatever is sampled beside it.

    Args:
        system: of which nobody else asks anything meanwhile.
        limits: what is taken at most.
        reporter: is told what went wrong for other reasons than a request.
    """

    def __init__(
        self, system: System, limits: Limits | None = None, reporter: Reporter | None = None
    ) -> None:
        self.system, self.limits = system, limits or Limits()
        self.program = system.program
        self.meters = Meters()
        self.started = time.time()
        self._reporter = reporter or Reporter()
        self._line = Line(self.limits.waiting)
        self._thread = threading.Thread(target=self._work, name="sysgraph-serve", daemon=True)
        self._lasted = 1.0
        self.meters.waiting.set_function(lambda: len(self._line))
        system.ask_at_once(self.limits.batch)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._line.close()
        # Where the server was told twice to stop, a batch may be under way: nobody waits for it.
        self._thread.join(timeout=_PATIENCE)

    @property
    def waiting(self) -> int:
        """Requests that wait for their turn."""
        return len(self._line)

    @property
    def works(self) -> bool:
        """Whether requests are answered."""
        return self._thread.is_alive()

    def submit(self, asked: Asked, tell: Callable[[Event], None]) -> Ticket:
        """Takes a request.

        Args:
            tell: see `Ticket`.

        Raises:
            ApiError: too many wait.
        """
        ticket = Ticket(asked, tell)
        self._line.put(ticket, retry_after=max(1, round(self._lasted)))
        return ticket

    def give_up(self, ticket: Ticket) -> None:
        """Does no more for a request than can be helped; without meaning for one that is over."""
        ticket.given_up = True
        self._line.drop(ticket)

    def _work(self) -> None:
        while tickets := self._line.take(self.limits.batch):
            start = time.monotonic()
            self.meters.batches.observe(sum(ticket.asked.n for ticket in tickets))
            self._answer(tickets)
            self._lasted = time.monotonic() - start

    def _answer(self, tickets: Sequence[Ticket]) -> None:
        """Answers requests together; where that fails, each alone, so that one fails alone."""
        tickets = [ticket for ticket in tickets if not ticket.given_up]
        try:
            found = self._sampled(tickets)
        except ServiceError as error:
            self._reporter.line(f"error: {error}")
            for ticket in tickets:
                ticket.tell(Failed(api_error(error)))
        except Exception as error:
            if len(tickets) > 1:
                for ticket in tickets:
                    self._answer([ticket])
                return
            self._fail(tickets[0], error)
        else:
            for ticket, traces in zip(tickets, found, strict=True):
                self._deliver(ticket, traces)

    def _sampled(self, tickets: Sequence[Ticket]) -> list[list[Trace]]:
        """The traces of each request: number k of a request is the k-th of its seed."""
        rows = [Row(ticket, k) for ticket in tickets for k in range(ticket.asked.n)]
        traces = self.system.sample_each(
            [row.ticket.asked.inputs for row in rows],
            [row.ticket.asked.seed for row in rows],
            [row.index for row in rows],
            watch=Batch(rows, self.program),
        )
        drawn = iter(traces)
        return [[next(drawn) for _ in range(ticket.asked.n)] for ticket in tickets]

    def _deliver(self, ticket: Ticket, traces: Sequence[Trace]) -> None:
        try:
            usage = usage_of(self.system, traces)
            wanted = ticket.asked.values
            choices = [choice_of(self.system, trace, with_values=wanted) for trace in traces]
        except Exception as error:
            self._fail(ticket, error)
            return
        self.meters.count(usage)
        ticket.tell(Answered(traces, choices, usage))

    def _fail(self, ticket: Ticket, error: Exception) -> None:
        found = api_error(error)
        if found.status >= 500:
            self._reporter.line(f"error: {ticket.id}: {type(error).__name__}: {error}")
        ticket.tell(Failed(found))


_PATIENCE = 1.0
