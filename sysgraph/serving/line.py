"""The line of requests: who came first is served first, and as many together as fit."""

import threading
from collections import deque

from .errors import ApiError
from .ticket import Ticket


class Line:
    """Tickets that wait for the worker.

    Args:
        most: of those that wait; more are refused.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._tickets: deque[Ticket] = deque()
        self._changed = threading.Condition()
        self._open = True

    def __len__(self) -> int:
        return len(self._tickets)

    def put(self, ticket: Ticket, retry_after: int) -> None:
        """Adds one at the end.

        Args:
            retry_after: seconds after which one that is refused may try again.

        Raises:
            ApiError: the line is full, or closed.
        """
        with self._changed:
            if not self._open:
                raise ApiError(503, "the server is stopping", code="stopping")
            if len(self._tickets) >= self._most:
                said = f"{self._most} requests are waiting already: try again later"
                headers = {"Retry-After": str(retry_after)}
                raise ApiError(429, said, code="too_many_requests", headers=headers)
            self._tickets.append(ticket)
            self._changed.notify()

    def drop(self, ticket: Ticket) -> None:
        """Lets one that waits leave; of one that does not, nothing."""
        with self._changed:
            if ticket in self._tickets:
                self._tickets.remove(ticket)

    def take(self, most: int) -> list[Ticket]:
        """Waits for tickets; the first ones, together for `most` answers or a single ticket.

        Empty once the line is closed and nobody is left.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._tickets or not self._open)
            taken: list[Ticket] = []
            room = most
            while self._tickets and (not taken or self._tickets[0].asked.n <= room):
                taken.append(self._tickets.popleft())
                room -= taken[-1].asked.n
            return taken

    def close(self) -> None:
        """Lets nobody in any more."""
        with self._changed:
            self._open = False
            self._changed.notify_all()
