"""The types of loadwise's arguments and results, for annotations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias, Union

Config: TypeAlias = Mapping[str, Any]
"""A configuration, or a part of it, as `docs/configuration.md` describes it."""

Node: TypeAlias = Union[str, Mapping[str, Any]]
"""An address, or a dict of the keys id, address, name, weight, labels, user_data."""

Chain: TypeAlias = Union[str, Mapping[str, Any], Sequence[Union[str, Mapping[str, Any]]]]
"""A strategy: a name, a dict of a name and its settings, or a list of these, of which the first that finds a node decides."""

Health: TypeAlias = Literal["healthy", "degraded", "unhealthy", "recovering"]
Outcome: TypeAlias = Literal["success", "failure", "rate_limited", "cancelled"]
FailureKind: TypeAlias = Literal["connect", "timeout", "reset", "server_error", "other"]
Reason: TypeAlias = Literal["empty", "all_excluded", "no_match", "unhealthy", "draining", "saturated", "rate_limited"]
