"""What became of the requests of one language under one strategy."""

from bisect import insort
from collections import Counter


class Score:
    def __init__(self, language, strategy):
        self.language = language
        self.strategy = strategy
        self.sorted_ms = []
        self.took = Counter()
        self.retries = 0
        self.broken = 0
        self.left = 0
        self.failures = []

    def add(self, line):
        """Takes a line of a load generator: `ok MS NODE ATTEMPTS`, `broken`, `left` or `failed WHY`."""
        match line.split(" ", 1):
            case ["ok", rest]:
                ms, node, attempts = rest.split()
                insort(self.sorted_ms, float(ms))
                self.took[node] += 1
                self.retries += int(attempts) - 1
            case ["broken"]:
                self.broken += 1
            case ["left"]:
                self.left += 1
            case ["failed", why]:
                self.failures.append(why)
            case _:
                raise ValueError(f"{self.language}: {line!r}")

    @classmethod
    def sum(cls, language, scores):
        """Of all strategies."""
        total = cls(language, "all")
        for score in scores:
            if score.language == language:
                total.sorted_ms += score.sorted_ms
                total.took += score.took
                total.retries += score.retries
                total.broken += score.broken
                total.left += score.left
                total.failures += score.failures
        total.sorted_ms.sort()
        return total

    @property
    def requests(self):
        return len(self.sorted_ms) + self.left + len(self.failures)

    def percentile(self, percent):
        """By the nearest rank, in ms; None before the first answer."""
        if not self.sorted_ms:
            return None
        return self.sorted_ms[max(0, -(-len(self.sorted_ms) * percent // 100) - 1)]

    def share(self, node):
        return 100 * self.took[node] / len(self.sorted_ms) if self.sorted_ms else 0.0
