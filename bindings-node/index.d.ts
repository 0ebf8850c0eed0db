/** Health states, and their bits in a health mask: healthy 1, degraded 2, unhealthy 4, recovering 8. */
export type HealthStatus = 'healthy' | 'degraded' | 'unhealthy' | 'recovering';

export type FailureKind = 'connect' | 'timeout' | 'reset' | 'server_error' | 'other';

export type NoNodeReason =
  'empty' | 'all_excluded' | 'no_match' | 'unhealthy' | 'draining' | 'saturated' | 'rate_limited';

export type StrategyName =
  | 'round_robin'
  | 'weighted_round_robin'
  | 'random'
  | 'weighted_random'
  | 'least_load'
  | 'least_request'
  | 'least_connections'
  | 'p2c'
  | 'peak_ewma'
  | 'ring_hash'
  | 'maglev'
  | 'ip_hash'
  | 'rendezvous'
  | 'most_available';

/** A strategy and its settings, with the keys of the configuration. */
export type StrategyConfig =
  | StrategyName
  | { name: 'p2c'; load?: 'in_flight' | 'reported' | 'peak_ewma' }
  | { name: 'least_request' | 'least_connections'; exact?: boolean }
  | { name: 'peak_ewma'; decay_ms?: number }
  | { name: 'ring_hash'; points?: number; compat?: 'nginx'; bounded_load?: number | boolean }
  | { name: 'maglev' | 'ip_hash'; table_size?: number; bounded_load?: number | boolean }
  | { name: 'rendezvous'; bounded_load?: number | boolean }
  | { name: 'most_available'; epsilon?: number }
  | { name: StrategyName };

/** One strategy, or up to 4 of which the first that finds a node decides. */
export type StrategyChain = StrategyConfig | readonly StrategyConfig[];

/** A node, with the keys of the configuration. A string is its id and its address. */
export type NodeConfig =
  | string
  | {
      /** Unique in the pool, 1 to 255 bytes. What the engine knows of a node belongs to its id. */
      id: string;
      /** What the host connects to; the id, if it is left out. */
      address?: string;
      name?: string;
      /** 0 takes no new picks. Default 1. */
      weight?: number;
      labels?: Record<string, string | number | boolean>;
      /** The host's own number, returned with each pick: 0 to 2^64 - 1. */
      user_data?: number | bigint;
    };

/** A pool, with the keys of the configuration; `undefined` stands for the default. */
export interface PoolConfig {
  nodes?: readonly NodeConfig[];
  /** Default `p2c`. */
  strategy?: StrategyChain;
  /** Makes all decisions repeatable: 0 to 2^64 - 1. */
  seed?: number | bigint;
  /** After how long a pick that nobody finished is given up by `maintain`; 0 (the default) = never. */
  lease_timeout_ms?: number;
  health?: { failure_threshold?: number; recovery_successes?: number };
  limits?: {
    max_nodes?: number;
    max_picks?: number;
    max_labels?: number;
    max_label_bytes?: number;
    max_table_size?: number;
  };
}

/** What a request asks for; all of it may be left out. */
export interface PickRequest {
  /** What hash strategies hash: the bytes, or the UTF-8 of a string. */
  key?: string | Uint8Array;
  /** Nodes that must not be chosen, by id or as earlier picks named them; those that are gone are ignored. */
  exclude?: Iterable<string | Pick>;
  /** Labels that a node must have, all of them. */
  require?: Record<string, string | undefined>;
  /** Allowed health states: their names, or the sum of their bits. Default: all but unhealthy. */
  health?: number | readonly HealthStatus[];
  /** Has the last word on a candidate. One that throws refuses, and the pick tells of it. */
  predicate?: (candidate: Candidate) => boolean;
  /** The time on the clock of `process.hrtime.bigint()`; without it the clock is read where a rule needs it. */
  nowNs?: number | bigint;
}

/** `failure`, `rate_limited` and `cancelled` as in Rust, C and Python. */
export type Outcome = 'success' | 'failure' | 'rate_limited' | 'cancelled';

export interface FinishDetails {
  /** How long it took. Without it, strategies that need it measure from pick to finish. */
  latencyMs?: number;
  /** The time of the finish, on the clock of `process.hrtime.bigint()`. */
  nowNs?: number | bigint;
}

export interface OutcomeDetails extends FinishDetails {
  /** For `failure`. Default `other`. */
  kind?: FailureKind;
  /** For `rate_limited`: after how long the node asked to be tried again. */
  retryAfterMs?: number;
}

/** A node at one moment. */
export interface NodeStatus {
  id: string;
  /** Empty: none. */
  name: string;
  address: string;
  weight: number;
  labels: Record<string, string>;
  health: HealthStatus;
  draining: boolean;
  /** Unfinished picks. */
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

/** One node of a pool as predicates and own strategies see it, read when it is asked. Throws a StateError once the
 * node is gone. */
export class Candidate {
  private constructor();
  readonly index: number;
  readonly generation: number;
  get id(): string;
  get address(): string;
  get name(): string;
  get weight(): number;
  get health(): HealthStatus;
  /** Unfinished picks. */
  get inFlight(): number;
  /** The load that was last reported. */
  get load(): number | undefined;
  /** The share of its quota that was last reported to be left. */
  get remainingRatio(): number | undefined;
  get userData(): number | bigint;
  hasLabel(name: string, value: string): boolean;
}

/** A chosen node, in flight until this is finished. One that is disposed of unfinished counts as cancelled. */
export class Pick implements Disposable {
  private constructor();
  /** The node's id; empty once the pick is finished and the node is gone. So are address and name. */
  get node(): string;
  /** What to connect to. */
  get address(): string;
  get name(): string;
  /** The host's own number of the node. A bigint from 2^53 on. */
  get userData(): number | bigint;
  /** For `pool.release`, `nodeOf` and `addressOf`. */
  readonly ticket: number;
  /** The node's place in its pool; the generation tells it from nodes that had the place before. */
  readonly index: number;
  readonly generation: number;
  /** Whether a predicate or an own strategy threw on the way; its candidates were left out. */
  readonly callbackFailed: boolean;
  /** What it threw first. */
  readonly callbackError: unknown;
  /** The attempt succeeded. Like all finishes: true the first time; false later, or if the pick was given up meanwhile. */
  success(details?: FinishDetails): boolean;
  /** The node failed. Default `other`. */
  failure(kind?: FailureKind, details?: FinishDetails): boolean;
  /** The node asked for less traffic. Says nothing about its health. */
  rateLimited(details?: FinishDetails & { retryAfterMs?: number }): boolean;
  /** Nobody can say, and nobody is to blame: the client left, or the pick was not used. */
  cancel(): boolean;
  /** `cancel`, unless it was finished. */
  [Symbol.dispose](): void;
}

/** A strategy of one's own: the index of one of the candidates, or null for none. */
export type OwnStrategy = (candidates: Candidate[], key: string | Uint8Array | undefined) => number | null | undefined;

/** Nodes under one policy: pick, use, finish. A pool belongs to its thread and process. */
export class Pool implements Disposable {
  /** @throws {ConfigError} naming the key. */
  constructor(config?: PoolConfig);
  /** From YAML or JSON text, or an object of the same keys. @throws {ConfigError} naming key and line. */
  static fromConfig(config: string | PoolConfig): Pool;
  /** From a YAML or JSON file. @throws {ConfigError} naming key and line. */
  static fromFile(path: string | URL): Pool;

  /** Chooses a node. @throws {NoNodeError} with the reason, if no node may be chosen. */
  pick(request?: PickRequest): Pick;
  /**
   * `pick` as a plain number, for the hottest paths: to be released, or its node stays busy. A function of this pool, which
   * may be taken off it. @throws {NoNodeError}
   */
  readonly acquire: (request?: PickRequest) => number;
  /**
   * Ends a pick by its ticket; the outcome is `success` if none is given. True the first time; false later, or if the pool
   * is closed. A function of this pool, which may be taken off it. @throws {TicketError} for what is no ticket.
   */
  readonly release: (ticket: number, outcome?: Outcome, details?: OutcomeDetails) => boolean;
  /** The id of the node that an open ticket is about. @throws {TicketError} */
  nodeOf(ticket: number): string;
  /** The address of the node that an open ticket is about. @throws {TicketError} */
  addressOf(ticket: number): string;

  /** Tells of an attempt that was no pick. Returns whether the node's health changed. @throws {StateError} */
  report(id: string, outcome: Outcome, details?: OutcomeDetails): boolean;
  /** Tells a node's load; what is left out stays. NaN and infinities are worst. @throws {StateError} */
  reportLoad(id: string, load: { load?: number; remainingRatio?: number }): void;

  /** Replaces all nodes; those whose ids stay keep what is known of them. @throws {ConfigError} and changes nothing. */
  setNodes(nodes: readonly NodeConfig[]): void;
  /** @throws {StateError} if a node of that id is there. */
  register(node: NodeConfig): void;
  /** All or none. */
  registerBatch(nodes: readonly NodeConfig[]): void;
  /** Picks under way end as usual. @throws {StateError} */
  deregister(id: string): void;
  /** A draining node takes no new picks. `on` is true by default. @throws {StateError} */
  drain(id: string, on?: boolean): void;
  /** @throws {StateError} */
  setWeight(id: string, weight: number): void;
  /** Gives a node the host's own number: 0 to 2^64 - 1. @throws {StateError} */
  setNodeUserData(id: string, userData: number | bigint): void;
  /** The name of the strategy in charge: the first of the chain. */
  get strategy(): StrategyName | 'custom';
  /** @throws {ConfigError} and changes nothing. */
  setStrategy(strategy: StrategyChain): void;
  /** Puts a function in charge; if it finds nobody or throws, `fallback` decides. */
  setOwnStrategy(choose: OwnStrategy, fallback?: StrategyChain): void;

  /** All nodes in declared order. */
  nodes(): NodeStatus[];
  /** How many nodes there are. */
  get length(): number;
  /** Does what time asks for: call it about once a second. */
  maintain(nowNs?: number | bigint): Maintained;
  /** Frees the pool. Every ticket is void then. May be called again. */
  close(): void;
  get closed(): boolean;
  /** `close`. */
  [Symbol.dispose](): void;
}

/** A node of a list of one's own. */
export type PlainNode = string | { id: string; weight?: number; load?: number; remainingRatio?: number };

export interface SelectRequest {
  key?: string | Uint8Array;
  /** Indices that must not be chosen. */
  exclude?: readonly number[];
}

/** A strategy over lists of one's own, with what it remembers: whose turn it is, and tables. */
export class Strategy {
  /** @throws {ConfigError} for those that need a pool: least_request, peak_ewma, maglev, rendezvous. */
  constructor(strategy: StrategyChain);
  /** The index of the chosen node, or null. */
  select(nodes: readonly PlainNode[], request?: SelectRequest): number | null;
}

/** Chooses one of `nodes`, once: its index, or null. Default `p2c`. Turns are kept by a `Strategy` only. */
export function select(
  nodes: readonly PlainNode[],
  strategy?: StrategyChain | Strategy,
  request?: SelectRequest,
): number | null;

export interface NodeHealth {
  status: HealthStatus;
  consecutiveFailures: number;
  consecutiveSuccesses: number;
}

/** Health from outcomes in a row, for hosts that choose without a pool. Nodes that were never reported are healthy. */
export class HealthTracker {
  /** Defaults: 3 failures, 2 successes, 10 000 ms. */
  constructor(policy?: { failureThreshold?: number; recoverySuccesses?: number; probeIntervalMs?: number });
  reportSuccess(id: string): void;
  reportFailure(id: string): void;
  reportRateLimited(id: string): void;
  status(id: string): HealthStatus;
  /** Whether an unhealthy node has rested long enough to be tried again. */
  shouldProbe(id: string): boolean;
  health(id: string): NodeHealth;
  /** Whether it was known. */
  forget(id: string): boolean;
}

/** All errors of loadwise. */
export class LoadwiseError extends Error {
  protected constructor();
  /** The stable number, the same in every language. */
  readonly status: number;
  /** `ERR_LOADWISE_` and a word. */
  readonly code: string;
}

/** A configuration or an argument that cannot be. */
export class ConfigError extends LoadwiseError {
  /** The path of the key, as `nodes[2].weight`; empty for the whole document. */
  readonly key: string;
  /** The line in the text, from 1; 0 if it was no text. */
  readonly line: number;
}

/** An operation on state that is not there: an unknown node, a closed pool. */
export class StateError extends LoadwiseError {}

/** A ticket that is not open any more, or never was. */
export class TicketError extends LoadwiseError {}

/** A callback failed. */
export class CallbackError extends LoadwiseError {}

/** No node may be chosen. */
export class NoNodeError extends LoadwiseError {
  readonly reason: NoNodeReason;
  /** The earliest time at which trying again makes sense, on the clock of `process.hrtime`, where it is known. */
  readonly retryAtNs: number | undefined;
  /** Whether a predicate or an own strategy threw on the way; `cause` is what it threw first. */
  readonly callbackFailed: boolean;
}
