// What there is to see of pools, as data.

/** Health states, and their bits in a health mask: healthy 1, degraded 2, unhealthy 4, recovering 8. */
export type HealthStatus = 'healthy' | 'degraded' | 'unhealthy' | 'recovering';

export type BreakerState = 'closed' | 'open' | 'half_open';

export type FailureKind = 'connect' | 'timeout' | 'reset' | 'server_error' | 'other';

export type NoNodeReason =
  'empty' | 'all_excluded' | 'no_match' | 'unhealthy' | 'draining' | 'saturated' | 'rate_limited';

/** A node at one moment. Times are on the clock of `process.hrtime`. */
export interface NodeStatus {
  id: string;
  /** Empty: none. */
  name: string;
  address: string;
  weight: number;
  labels: Record<string, string>;
  health: HealthStatus;
  /** 0 = primary. */
  tier: number;
  /** Empty: none. */
  zone: string;
  /** The node's own limit; 0: unlimited. */
  maxInFlight: number;
  /** Whether an ordinary pick may choose it. */
  available: boolean;
  breaker: BreakerState;
  /** Ejected as an outlier. */
  ejected: boolean;
  /** Until when it takes nothing but probes; undefined while it is not down. */
  holdUntilNs: number | undefined;
  /** The share of its weight that slow start allows, 0.0 to 1.0; 1.0 when warm. */
  warming: number;
  /** Over the health window, 0.0 to 1.0; undefined without requests in it. */
  successRate: number | undefined;
  draining: boolean;
  /** Draining is done: nothing is in flight, or its time is over. */
  drained: boolean;
  /** Unfinished picks, in all processes. */
  inFlight: number;
  /** The latency average at its last sample; kept while a strategy uses latency. */
  latencyMs: number | undefined;
  load: number | undefined;
  remainingRatio: number | undefined;
  consecutiveFailures: number;
  /** A bigint from 2^53 on. */
  userData: number | bigint;
  index: number;
  generation: number;
}

export interface Maintained {
  /** When the next call is worth making, on the clock of `process.hrtime`. */
  nextDueNs: number;
  /** Picks that had outlived `lease_timeout_ms` and were given up. */
  leasesExpired: number;
  /** Whether nodes that went down or came back were taken account of. */
  rebuilt: boolean;
}

/** Latencies over the last one to two windows of `stats.window_ms`. */
export interface LatencyStats {
  count: number;
  /** 0 if `count` is, as are the percentiles. */
  meanMs: number;
  p50Ms: number;
  p95Ms: number;
  p99Ms: number;
}

/** Latencies since the pool began. */
export interface LatencyHistogram {
  /** By rising bound; `count` is of all latencies up to it. */
  buckets: { leMs: number; count: number }[];
  /** Of all latencies. */
  count: number;
  sumMs: number;
}

/** A pool in figures. Counts are since the pool began and only grow. */
export interface PoolStats {
  name: string;
  strategy: string;
  /** How often the configuration was replaced, from 1. */
  configVersion: number;
  nowNs: number;
  /** Processes that have the pool open. */
  processes: number;
  /** How many nodes can be picked now. */
  available: number;
  /** Picks that found a node. */
  selections: number;
  successes: number;
  /** Of all kinds. */
  failures: number;
  failuresByKind: Record<FailureKind, number>;
  timeouts: number;
  rateLimited: number;
  cancelled: number;
  /** Picks that found no node. */
  noNode: Record<NoNodeReason, number>;
  /** Unfinished picks, in all processes. */
  inFlight: number;
  /** 0: unlimited. */
  maxInFlight: number;
  leasesExpired: number;
  /** The tier that takes most of the traffic. */
  tier: number;
  /** What share of the traffic each tier takes, 0.0 to 1.0, from tier 0 on. */
  tierShares: number[];
  failovers: number;
  lastFailoverNs: number | undefined;
  /** Whether so few nodes are available that picks go to unavailable ones, too. */
  panic: boolean;
  retries: number;
  /** Retries that the budget refused. */
  retriesDenied: number;
  /** Picks that wait for room now. */
  waiting: number;
  waitTimeouts: number;
  /** Picks that found the queue full. */
  queueRefusals: number;
  probes: number;
  /** Probes that were never reported. */
  probeTimeouts: number;
  affinityEntries: number;
  /** Undefined while `stats.latency` is `off`, as is the histogram. */
  latency: LatencyStats | undefined;
  latencyHistogram: LatencyHistogram | undefined;
  /** All nodes in declared order. */
  nodes: NodeStats[];
}

/** A node in figures. */
export interface NodeStats {
  id: string;
  name: string;
  address: string;
  tier: number;
  zone: string;
  weight: number;
  health: HealthStatus;
  healthTransitions: number;
  successRate: number | undefined;
  breaker: BreakerState;
  breakerOpens: number;
  ejected: boolean;
  ejections: number;
  draining: boolean;
  drained: boolean;
  warming: number;
  available: boolean;
  /** Unfinished picks, in all processes. */
  inFlight: number;
  /** How much of that each process of a shared pool has, by its id; only those that have any. */
  inFlightByProcess: Record<string, number>;
  /** What is in force now: the node's own or the adaptive limit. 0: unlimited. */
  maxInFlight: number;
  selections: number;
  successes: number;
  failures: number;
  failuresByKind: Record<FailureKind, number>;
  timeouts: number;
  rateLimited: number;
  cancelled: number;
  probes: number;
  checksOk: number;
  checksFailed: number;
  latencyEwmaMs: number | undefined;
  /** Undefined unless `stats.latency` is `nodes`. */
  latency: LatencyStats | undefined;
  load: number | undefined;
  remainingRatio: number | undefined;
  /** Of each dimension, reserved and committed amounts of the window. */
  quotas: { dimension: string; used: number; limit: number }[];
}

/** Something that happened in a pool. */
export type PoolEvent = {
  /** When, on the clock of `process.hrtime`. */
  atNs: number;
} & (
  | { kind: 'health'; node: string; from: HealthStatus; to: HealthStatus }
  | { kind: 'breaker'; node: string; open: boolean }
  /** Ejected as an outlier, or taken back. */
  | { kind: 'ejection'; node: string; ejected: boolean }
  /** Too few nodes are available, and all take traffic; or no longer so. */
  | { kind: 'panic'; spread: boolean }
  /** Another tier takes the most traffic. */
  | { kind: 'tier'; from: number; to: number }
  /** Nodes joined or left, by their ids. */
  | { kind: 'topology'; added: string[]; removed: string[] }
  | { kind: 'selection'; node: string; strategy: string }
);

/** Attempts to make in turn until one succeeds. */
export interface AttemptPlan {
  /** Distinct nodes, best first; `delayMs` is after the end of the one before. */
  attempts: { id: string; address: string; delayMs: number }[];
  /** When a second attempt may be sent beside an unanswered first one; where `stats.latency` is on. */
  hedgeAfterMs: number | undefined;
}

/** A check that the caller is to make. */
export interface CheckDue {
  id: string;
  /** Empty: none. */
  name: string;
  address: string;
  /** Until when to report, on the clock of `process.hrtime`. */
  deadlineNs: number;
}

/** What a reload did, by names of pools. */
export interface Reloaded {
  added: string[];
  removed: string[];
  /** Those that stayed and were configured otherwise before. */
  changed: string[];
  /** Of the engine's configuration, from 1. */
  version: number;
}

/** A key in which whoever attached to a shared pool is configured otherwise than what is in force, which stays. */
export interface Difference {
  /** The name of the pool. */
  pool: string;
  /** As `health.failure_threshold` or `nodes.10.0.0.1:80.weight`; nodes go by their ids. */
  key: string;
  /** What whoever attached has, as JSON; empty if nothing. */
  configured: string;
  /** What is in force, as JSON; empty if nothing. */
  inForce: string;
}

/** A process that is attached to a shared state. Times are on the clock of `process.hrtime`. */
export interface ProcessStatus {
  /** Its place among those attached, from 0. */
  row: number;
  /** In its own namespace of process ids. */
  pid: number;
  /** The first 16 bytes of its command's name. */
  command: string;
  /** Whether it is the one that asks. */
  isOwn: boolean;
  /** Whether it is in the namespace of process ids of the one that asks. */
  inNamespace: boolean;
  /** Whether it lives, as far as the one that asks can tell. What one had that does not is given back soon. */
  alive: boolean;
  /** When it attached. */
  sinceNs: number;
  /** When it last maintained something. */
  heartbeatNs: number;
  /** Its unfinished picks, of one pool or of all. */
  inFlight: number;
  /** How often a pick of its own looked at a plan again, because another one was published meanwhile. */
  repeats: number;
}

/** A pick that nobody has finished yet. */
export interface OpenPick {
  /** Good for the process alone that has it. */
  ticket: number;
  /** The node's id. */
  node: string;
  /** The process that has it. */
  pid: number;
  /** When it was made, on the clock of `process.hrtime`; undefined where nothing in the configuration needs the time. */
  startedNs: number | undefined;
  /** How old it is; undefined likewise. */
  ageMs: number | undefined;
}

/** Why a pick chose a node, or found none. */
export interface Explanation {
  chosen: { id: string; index: number; generation: number } | undefined;
  noNode: { reason: NoNodeReason; retryAtNs: number | undefined; callbackFailed: boolean } | undefined;
  /** By the strategies; so among all nodes; the session's own node; a node that is down and due to be probed. */
  way: 'rule' | 'panic' | 'session' | 'probe';
  /** The strategy that chose; the last one asked if none did. */
  strategy: string;
  /** Its place in the chain, from 0; undefined if none was asked. */
  step: number | undefined;
  /** The tier and the zone among whose nodes it chose, where there are any. */
  tier: number | undefined;
  zone: string | undefined;
  /** The place of the split to whose nodes the request was kept, or `rest`. */
  split: number | 'rest' | undefined;
  /** The turn or the draws that the strategy used up. */
  number: { turn: number } | { draw: number } | { stream: string } | undefined;
  /** Where the key leads: its owner, and those of its rehashes as far as they were asked. */
  key: { owner: string | undefined; rehashes: number; owners: string[] } | undefined;
  /** Whether no draw, or no owner of the key, would do, so that all nodes were looked at. */
  scanned: boolean;
  /** Nodes that were as good as any, and what decided. */
  tie: { among: string[]; by: 'first_drawn' | 'weight' | 'chance' } | undefined;
  /** What else the pick takes. */
  takes: { probeUntilNs: number | undefined; quotas: Record<string, number>; session: boolean };
  /** All nodes in declared order. */
  candidates: ConsideredNode[];
  nowNs: number;
}

/** A node as a decision sees it. */
export interface ConsideredNode {
  id: string;
  index: number;
  eligible: boolean;
  /** The first filter that it failed at. */
  failedAt:
    | 'draining'
    | 'zero_weight'
    | 'no_match'
    | 'excluded'
    | 'unhealthy'
    | 'breaker_open'
    | 'ejected'
    | 'rate_limited'
    | 'saturated'
    | 'other_tier'
    | 'other_zone'
    | 'warming'
    | 'other_split'
    | 'changed'
    | undefined;
  health: HealthStatus;
  weight: number;
  /** Unfinished picks before this one. */
  inFlight: number;
  tier: number;
  zone: string;
  /** How the strategy rates it. */
  score: { name: string; value: number | undefined; terms: Record<string, number> } | undefined;
  /** That it was the n-th node to be drawn, from 1. */
  drawn: number | undefined;
}
