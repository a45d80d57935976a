"""What can go wrong outside the graph file."""


class InputError(ValueError):
    """What the user gave is wrong (a file, a folder, an option). Nothing was started or written."""


class DataError(InputError):
    """Rows of a data file are wrong. `problems` has one `file:row: what is wrong` each."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = tuple(problems)
        shown = "\n".join(f"error: {problem}" for problem in problems[:50])
        more = f"\n... and {len(problems) - 50} more" if len(problems) > 50 else ""
        super().__init__(f"{shown}{more}\n{len(problems)} problem(s) in the data")


class RunError(RuntimeError):
    """The run failed after it had started, for a reason that the message explains."""
