"""The rows that are sampled together, each of them for a request: who hears of what, and stops."""

from collections.abc import Sequence
from dataclasses import dataclass

from sysgraph_compiler import Program

from ..engines import Listener
from ..traces.course import Course
from ..traces.trace import Trace
from .choices import values
from .ticket import Progress, Ticket, Written


@dataclass(eq=False)
class Row:
    """One of a request's answers.

    Attributes:
        index: among them.
    """

    ticket: Ticket
    index: int

    def hear(self, text: str) -> None:
        """Tells the request what is new in its output's text."""
        told = self.ticket.told[self.index]
        if len(text) > told:
            self.ticket.tell(Written(self.index, text[told:]))
            self.ticket.told[self.index] = len(text)


class Batch:
    """Looks on while rows are sampled; see `Watching`."""

    def __init__(self, rows: Sequence[Row], program: Program) -> None:
        self._rows, self._program = rows, program

    def between(self, courses: Sequence[Course]) -> None:
        """Stops the rows of requests that nobody waits for; tells the others how far they are."""
        for row, course in zip(self._rows, courses, strict=True):
            asked = row.ticket.asked
            if row.ticket.given_up:
                course.stopped = course.stopped or "nobody waits for it"
            elif asked.stream and asked.values:
                start = Trace(course.inputs, {}, self._program.outputs)
                so_far = values(self._program, course.trace(start))
                row.ticket.tell(Progress(row.index, so_far))

    def listener(self, row: int, variable: str) -> Listener:
        """Tells a stream of its output's text: where there are several, their JSON waits."""
        mine, is_output = self._rows[row], self._program.outputs == (variable,)
        told = mine.hear if is_output and mine.ticket.asked.stream else None
        return Listener(lambda: not mine.ticket.given_up, told)
