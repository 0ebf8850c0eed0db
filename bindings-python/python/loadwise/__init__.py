"""The load-balancing engine that everybody embeds: which node takes the next request?

>>> import loadwise
>>> pool = loadwise.Pool(["10.0.0.1:8080", "10.0.0.2:8080"], strategy="round_robin", seed=1)
>>> with pool.pick() as p:
...     print(p.address)
10.0.0.1:8080
"""

from ._data import Maintained, NodeHealth, NodeStatus
from ._errors import CallbackError, ConfigError, Error, NoNode, StateError, TicketError
from ._loadwise import CODES, Candidate, HealthTracker, Pick, Pool, Strategy, select

__all__ = [
    "CODES",
    "CallbackError",
    "Candidate",
    "ConfigError",
    "Error",
    "HealthTracker",
    "Maintained",
    "NoNode",
    "NodeHealth",
    "NodeStatus",
    "Pick",
    "Pool",
    "StateError",
    "Strategy",
    "TicketError",
    "select",
]
