"""The load-balancing engine that everybody embeds: which node takes the next request?

>>> import loadwise
>>> pool = loadwise.Pool(["10.0.0.1:8080", "10.0.0.2:8080"], strategy="round_robin", seed=1)
>>> with pool.pick() as p:
...     print(p.address)
10.0.0.1:8080
"""

from ._data import (
    Again,
    CheckDue,
    Difference,
    Maintained,
    NodeHealth,
    NodeStatus,
    OpenPick,
    ProcessStatus,
    Reloaded,
    Retry,
)
from ._errors import CallbackError, ConfigError, Error, Failed, NoNode, StateError, TicketError
from ._loadwise import CODES, Candidate, Engine, HealthTracker, Pick, Pool, Strategy, metrics, select

__all__ = [
    "CODES",
    "Again",
    "CallbackError",
    "Candidate",
    "CheckDue",
    "ConfigError",
    "Difference",
    "Engine",
    "Error",
    "Failed",
    "HealthTracker",
    "Maintained",
    "NoNode",
    "NodeHealth",
    "NodeStatus",
    "OpenPick",
    "Pick",
    "Pool",
    "ProcessStatus",
    "Reloaded",
    "Retry",
    "StateError",
    "Strategy",
    "TicketError",
    "metrics",
    "select",
]
