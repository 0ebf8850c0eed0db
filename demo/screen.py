"""Shows the scores: a live table on a terminal, plain lines elsewhere."""

import time

from rich.box import SIMPLE_HEAD
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
        under_way = [score for score in self.scores if score.requests and score.strategy == self.scores[-1].strategy]
        numbers = "; ".join(
            f"{score.language} {score.requests} requests, p50 {ms(score.percentile(50))} "
            f"p99 {ms(score.percentile(99))} ms, {len(score.failures)} failed"
            for score in under_way
        )
        return f"{self.seconds()}{self.status}" + (f": {numbers}" if numbers else "")

    def picture(self):
        return Group(self.table(), Text(self.seconds() + self.status, style="bold"))

    def seconds(self):
        return f"{time.monotonic() - self.start:5.1f} s  "

    def table(self):
        """Fits into 80 columns."""
        table = Table(
            title="servers and their median ms; who took how many per cent; ms that clients waited",
            box=SIMPLE_HEAD,
            padding=0,
            pad_edge=False,
        )
        table.add_column("strategy", no_wrap=True, min_width=11)
        table.add_column("in")
        table.add_column("sent", justify="right")
        for server in self.servers:
            colour = "" if server.up else "red"
            header = f"{server.name}\n{server.median_ms}"
            table.add_column(header, justify="right", min_width=3, style=colour, header_style=colour)
        for name in ["p50", "p90", "p99", "re-\ntried", "left", "failed"]:
            table.add_column(name, justify="right")
        before = None
        for score in self.scores:
            table.add_row(
                score.strategy if score.strategy != before else "",
                score.language,
                str(score.requests),
                *(f"{score.share(server.name):.0f}" for server in self.servers),
                *(ms(score.percentile(percent)) for percent in (50, 90, 99)),
                str(score.retries),
                str(score.left),
                str(len(score.failures)),
                style="bold red" if score.failures else "",
            )
            before = score.strategy
        return table


def ms(value):
    return "-" if value is None else f"{value:.0f}"
