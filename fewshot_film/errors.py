"""The errors a person can act on; the command line prints them as one line without a traceback."""


class FewShotError(Exception):
    """The message names the thing, its value and the remedy."""

    exit_code = 1


class NotFinite(FewShotError):
    """A loss or an answer is no number: training has diverged, or weights are broken."""


class UsageError(FewShotError):
    """What was asked for cannot be done as asked: a wrong flag, missing data, a broken file."""

    exit_code = 2


def check_counts(**counts: int) -> None:
    """Every count is at least 1 (a way at least 2), or an error names it."""
    for name, value in counts.items():
        least = 2 if name in ("way", "test_way") else 1
        if value < least:
            raise UsageError(f"`{name}` is {value}; it must be at least {least}")
