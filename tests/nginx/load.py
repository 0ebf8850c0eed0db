"""Clients that are always there."""

import http.client
import threading

from servers import until


class Load:
    """Clients that ask again and again, each time over a new connection; `failed` is what was not answered well, and
    `broken` how often a connection to nginx broke, as that of a worker that was killed does."""

    def __init__(self, proxy, clients=4):
        self.proxy = proxy
        self.ended = threading.Event()
        self.answered, self.broken, self.failed = 0, 0, []
        self.threads = [threading.Thread(target=self.run) for _ in range(clients)]

    def run(self):
        while not self.ended.is_set():
            try:
                status = self.proxy.get().status
                self.answered += 1
                if status != 200:
                    self.failed.append(status)
            except (OSError, http.client.HTTPException):
                self.broken += 1

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        for thread in self.threads:
            thread.join()

    def goes_on(self):
        before = self.answered
        until(lambda: self.answered > before + 20, "requests are answered")
