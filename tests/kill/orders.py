"""Lines of orders that a process is given, looked at without waiting."""

from __future__ import annotations

import os
import select

INPUT = 0


class Input:
    """The input; not through `sys.stdin`, whose buffer hides from `select` what it has read ahead."""

    def __init__(self) -> None:
        self._text = b""

    def is_there(self) -> bool:
        return b"\n" in self._text or bool(select.select([INPUT], [], [], 0)[0])

    def line(self) -> str:
        """The next line; `quit` at the end of the input."""
        while b"\n" not in self._text:
            more = os.read(INPUT, 4096)
            if not more:
                return "quit"
            self._text += more
        line, _, self._text = self._text.partition(b"\n")
        return line.decode()
