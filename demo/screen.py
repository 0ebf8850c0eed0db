"""Shows the scores: a live table on a terminal, plain lines elsewhere."""

import time

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

PLAIN_INTERVAL_S = 2


class Screen:
    def __init__(self, servers, scores):
        self.servers = servers
        self.scores = scores
        self.status = ""
        self.start = time.monotonic()
        self.console = Console()
        # Wide enough for a log to have each row in one line.
        if not self.console.is_terminal:
            self.console = Console(width=140)
        self.live = None
        self.next_line = 0.0

    def __enter__(self):
        if self.console.is_terminal:
            self.live = Live(self.picture(), console=self.console, auto_refresh=False)
            self.live.start()
        return self

    def __exit__(self, *_):
        if self.live:
            self.live.update(self.picture(), refresh=True)
            self.live.stop()
        elif self.scores:
            self.console.print(self.table())

    def say(self, status):
        self.status = status
        self.next_line = 0.0
        self.refresh()

    def refresh(self):
        if self.live:
            self.live.update(self.picture(), refresh=True)
        elif time.monotonic() >= self.next_line:
            self.next_line = time.monotonic() + PLAIN_INTERVAL_S
            print(self.line(), flush=True)

    def line(self):
        under_way = [s for s in self.scores if s.requests and s.strategy == self.scores[-1].strategy]
        numbers = "; ".join(
            f"{s.language} {s.requests} requests, p50 {ms(s.percentile(50))} p99 {ms(s.percentile(99))} ms, {len(s.failures)} failed"
            for s in under_way
        )
        return f"{self.seconds()}{self.status}" + (f": {numbers}" if numbers else "")

    def picture(self):
        return Group(self.table(), Text(self.seconds() + self.status, style="bold"))

    def seconds(self):
        return f"{time.monotonic() - self.start:5.1f} s  "

    def table(self):
        table = Table(title="who took what, per cent of the answers, and how long clients waited, ms")
        table.add_column("strategy")
        table.add_column("language")
        table.add_column("requests", justify="right")
        for server in self.servers:
            colour = "" if server.up else "red"
            table.add_column(f"{server.name}\n{server.label}", justify="right", style=colour, header_style=colour)
        for name in ["p50", "p90", "p99", "retries", "left", "failed"]:
            table.add_column(name, justify="right")
        before = None
        for score in self.scores:
            if before not in (None, score.strategy):
                table.add_section()
            table.add_row(
                score.strategy if score.strategy != before else "",
                score.language,
                str(score.requests),
                *(f"{score.share(server.name):.1f}" for server in self.servers),
                *(ms(score.percentile(percent)) for percent in (50, 90, 99)),
                str(score.retries),
                str(score.left),
                str(len(score.failures)),
                style="red" if score.failures else "",
            )
            before = score.strategy
        return table


def ms(value):
    return "-" if value is None else f"{value:.0f}"
