"""Shows the scores: a line now and then, and a table at the end."""

import time

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from score import Score

INTERVAL_S = 2


class Screen:
    def __init__(self, servers, scores, top):
        self.servers = servers
        self.scores = scores
        self.top = top
        self.status = ""
        self.start = time.monotonic()
        self.console = Console()
        self.next_line = 0.0

    def say(self, status):
        self.status = status
        self.next_line = 0.0
        self.refresh()

    def refresh(self):
        if not self.top.is_shown and time.monotonic() >= self.next_line:
            self.next_line = time.monotonic() + INTERVAL_S
            print(self.line(), flush=True)

    def line(self):
        under_way = [score for score in self.scores if score.requests and score.strategy == self.scores[-1].strategy]
        sent = ", ".join(f"{score.language} {score.requests}" for score in under_way)
        failed = sum(len(score.failures) for score in under_way)
        return f"{self.seconds()}{self.status}" + (f": requests {sent}; {failed} failed" if sent else "")

    def seconds(self):
        return f"{time.monotonic() - self.start:5.1f} s  "

    def table(self):
        """Fits into 80 columns. The last rows are of all strategies together."""
        table = Table(
            title="servers, their median ms, per cent that each took; ms that clients waited",
            box=SIMPLE_HEAD,
            padding=0,
            pad_edge=False,
            show_edge=False,
        )
        table.add_column("strategy", no_wrap=True, min_width=11)
        table.add_column("in", no_wrap=True)
        table.add_column("sent", justify="right")
        for server in self.servers:
            colour = "" if server.up else "red"
            header = f"{server.name}\n{server.median_ms}"
            table.add_column(header, justify="right", style=colour, header_style=colour)
        for name in ["p50", "p90", "p99", "re-\ntried", "bro-\nken", "left", "fai-\nled"]:
            table.add_column(name, justify="right")
        before = None
        totals = [Score.sum(language, self.scores) for language in dict.fromkeys(score.language for score in self.scores)]
        for score in [*self.scores, *totals]:
            table.add_row(
                score.strategy if score.strategy != before else "",
                score.language,
                str(score.requests),
                *(f"{score.share(server.name):.0f}" for server in self.servers),
                *(ms(score.percentile(percent)) for percent in (50, 90, 99)),
                str(score.retries),
                str(score.broken),
                str(score.left),
                str(len(score.failures)),
                style="bold red" if score.failures else "",
            )
            before = score.strategy
        return table


def ms(value):
    return "-" if value is None else f"{value:.0f}"
