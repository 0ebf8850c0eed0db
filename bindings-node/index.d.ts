import type {
  EngineConfig,
  NodeConfig,
  PoolConfig,
  SharedConfig,
  StrategyChain,
  StrategyName,
} from './types/config.js';
import type {
  AttemptPlan,
  CheckDue,
  Difference,
  Explanation,
  FailureKind,
  HealthStatus,
  Maintained,
  NodeStatus,
  NoNodeReason,
  OpenPick,
  PoolEvent,
  PoolStats,
  ProcessStatus,
  Reloaded,
} from './types/data.js';

export * from './types/config.js';
export * from './types/data.js';

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
  /** The caller's zone, for pools that prefer near nodes; without it the pool's own. */
  zone?: string;
  /** Whose session it is: a client's address, a user's id, a cookie. A pool with `affinity` keeps it on its node. */
  session?: string | Uint8Array;
  /** What the request is expected to use of the quotas, by dimension. Unknown dimensions are unlimited; those that are not
   * named cost their `default_cost`. */
  cost?: Record<string, number | bigint | undefined>;
  /** The time on the clock of `process.hrtime.bigint()`; without it the clock is read where a rule needs it. */
  nowNs?: number | bigint;
}

/** A request that may wait for room. */
export interface WaitingRequest extends Omit<PickRequest, 'nowNs'> {
  /** How long it may wait; the configuration's `acquire_timeout_ms` by default, 0 = not at all. */
  timeoutMs?: number;
  /** Ends the wait; the promise is rejected with its reason. */
  signal?: AbortSignal;
}

/** `failure`, `rate_limited` and `cancelled` as in Rust, C and Python. */
export type Outcome = 'success' | 'failure' | 'rate_limited' | 'cancelled';

export interface FinishDetails {
  /** How long it took. Without it, strategies that need it measure from pick to finish. */
  latencyMs?: number;
  /** What was used of the quotas, by dimension, in place of what the request was expected to cost. */
  usage?: Record<string, number | bigint | undefined>;
  /** The time of the finish, on the clock of `process.hrtime.bigint()`. */
  nowNs?: number | bigint;
}

export interface OutcomeDetails extends FinishDetails {
  /** For `failure`. Default `other`. */
  kind?: FailureKind;
  /** For `rate_limited`: after how long the node asked to be tried again. */
  retryAfterMs?: number;
}

export interface ReloadOptions {
  /** Only what is not the configuration that was last put in force, by whichever process: what was changed by hand since
   * stays. For workers that all read the same one. Default false. */
  ifNew?: boolean;
}

/** A time of the caller's, on the clock of `process.hrtime.bigint()`. */
export interface At {
  nowNs?: number | bigint;
}

/** What a node says of itself, or what a host measured of it. What is left out stays. */
export interface Load extends At {
  /** Lower is better; in any unit. NaN and infinities are worst. */
  load?: number;
  /** The share of its quota that is left, 0.0 to 1.0. */
  remainingRatio?: number;
  /** Requests a second that it serves; with `utilization`, for `reported_load`. */
  requestsPerS?: number;
  /** The share of its capacity that is in use. */
  utilization?: number;
  /** Errors a second that it answers with. */
  errorsPerS?: number;
}

/** How an attempt ended, as `failureOf` may say it. */
export interface AttemptEnding {
  /** Default `failure`. */
  outcome?: Outcome;
  kind?: FailureKind;
  retryAfterMs?: number;
  /** Whether something of the request went out to the node. Default true. */
  sent?: boolean;
}

export interface CallOptions extends WaitingRequest {
  /** Whether the request may be carried out twice. Default false. */
  idempotent?: boolean;
  /** How long each attempt may wait for room. Default 0. */
  timeoutMs?: number;
  /** What an error of an attempt means, where the codes of Node, `fetch` and undici do not say it. */
  failureOf?: (error: unknown) => FailureKind | AttemptEnding | null | undefined;
}

/** An attempt that has ended. */
export interface EndedAttempt extends AttemptEnding, At {
  /** Which it was: 1 for the first. */
  attempt: number;
  /** Whether the request may be carried out twice. Default false. */
  idempotent?: boolean;
}

/** Why not to try again. */
export type GiveUp = 'not_failed' | 'unsafe' | 'attempts' | 'budget' | 'no_node';

/** After how long to try again, or why not to. */
export type Retry = { afterMs: number; giveUp: undefined } | { afterMs: undefined; giveUp: GiveUp };

/** The node of another attempt and after how long to make it, or why not to. */
export type Again =
  | { pick: Pick; afterMs: number; giveUp: undefined }
  | { pick: undefined; afterMs: undefined; giveUp: GiveUp };

/** What was learned of a pool's nodes, as a document. */
export interface Learned {
  format: number;
  nodes: Record<string, Record<string, unknown>>;
}

/** Where what was learned is kept, a text for each id: a file, a Map, or an object as one over a network. */
export type Store =
  | string
  | URL
  | Map<string, string>
  | {
      put(id: string, text: string): unknown;
      list(): Iterable<readonly [string, string]> | Promise<Iterable<readonly [string, string]>>;
    };

/** A node to be checked. */
export interface CheckedNode extends CheckDue {
  /** The name of its pool. */
  pool: string;
}

export interface StartOptions {
  /** Looks at a node whose check is due; whether it is well. One that throws, or that has not answered when the signal is
   * aborted, says that it is not. Without it, no checks are made. */
  check?: (node: CheckedNode, options: { signal: AbortSignal }) => boolean | Promise<boolean>;
  /** How often to maintain, at least 5 ms; checks are made when they are due. Default 1000. */
  intervalMs?: number;
}

export interface MetricsOptions {
  /** Default `prometheus`: its text format 0.0.4. */
  format?: 'prometheus' | 'openmetrics';
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
  /**
   * The first token (or byte) of a streamed answer came: the time since the pick is recorded as its latency, at once, and
   * the finish that follows records none, not one of its own either. Where no rule needs latencies, nothing is recorded.
   * True the first time; false later, or where finishing would return false.
   */
  firstToken(nowNs?: number | bigint): boolean;
  /** The attempt succeeded. Like all finishes: true the first time; false later, or if the pick was given up meanwhile. */
  success(details?: FinishDetails): boolean;
  /** The node failed. Default `other`. */
  failure(kind?: FailureKind, details?: FinishDetails): boolean;
  /** The node asked for less traffic. Says nothing about its health. */
  rateLimited(details?: FinishDetails & { retryAfterMs?: number }): boolean;
  /** Nobody can say, and nobody is to blame: the client left, or the pick was not used. What it reserved of the quotas goes
   * back, unless `usage` says what was used after all. */
  cancel(details?: Omit<FinishDetails, 'latencyMs'>): boolean;
  /** `cancel`, unless it was finished. */
  [Symbol.dispose](): void;
}

/** A strategy of one's own: the index of one of the candidates, or null for none. */
export type OwnStrategy = (candidates: Candidate[], key: string | Uint8Array | undefined) => number | null | undefined;

/** Nodes under one policy: pick, use, finish. A pool belongs to its thread and process; its state may be `shared`. */
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
   * `pick` that waits for room while the pool is saturated or rate limited. While it waits, the process does not end. Rejects
   * with a NoNodeError: at once for other reasons, or if `acquire_queue` picks wait already; or with the signal's reason.
   */
  pickWithin(request?: WaitingRequest): Promise<Pick>;
  /** `pickWithin` as a plain number. */
  acquireWithin(request?: WaitingRequest): Promise<number>;
  /** How many picks wait for room. */
  get waiting(): number;
  /**
   * Picks a node and runs `attempt` with it, and again with another node as long as it throws, may be repeated, and the
   * pool's budget of retries allows. A pick that `attempt` has not finished itself is a success if it returns, and what its
   * error says if it throws. Rejects with the last attempt's error, or with a NoNodeError if there was no first one.
   */
  call<T>(
    attempt: (pick: Pick, context: { attempt: number; signal: AbortSignal | undefined }) => T | PromiseLike<T>,
    options?: CallOptions,
  ): Promise<T>;
  /** Whether to try again, for those who make their attempts themselves: ask once, and only if it will be made. */
  retry(attempt: EndedAttempt): Retry;
  /**
   * `retry` and the pick of the next attempt in one, for those who go on at once: where no node takes it, nothing is counted
   * against the budget. The node is in flight from then on, also while `afterMs` pass. The request should exclude the nodes
   * that were tried. @throws {NoNodeError}
   */
  pickAgain(request: PickRequest | undefined, attempt: EndedAttempt): Again;
  /** The nodes to try in turn; the first is the one of the next pick. Counts nothing. @throws {NoNodeError} */
  plan(request?: PickRequest): AttemptPlan;
  /** What the next pick would do, and why; advances nothing. */
  explain(request?: PickRequest): Explanation;
  /** `pick` with its reasons. @throws {NoNodeError} whose `explanation` has them. */
  pickExplained(request?: PickRequest): { pick: Pick; explanation: Explanation };
  /** `acquire` with its reasons. @throws {NoNodeError} whose `explanation` has them. */
  acquireExplained(request?: PickRequest): { ticket: number; explanation: Explanation };
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
  /**
   * Notes the first token of a pick by its ticket, as `pick.firstToken`. A function of this pool, which may be taken off it.
   * @throws {TicketError} for what is no ticket.
   */
  readonly firstToken: (ticket: number, nowNs?: number | bigint) => boolean;
  /** The id of the node that an open ticket is about. @throws {TicketError} */
  nodeOf(ticket: number): string;
  /** The address of the node that an open ticket is about. @throws {TicketError} */
  addressOf(ticket: number): string;

  /** Tells of an attempt that was no pick. Returns whether the node's health changed. @throws {StateError} */
  report(id: string, outcome: Outcome, details?: OutcomeDetails): boolean;
  /** Tells a node's load. @throws {StateError} */
  reportLoad(id: string, load: Load): void;

  /** The checks that are due, for the caller to make and report: nobody else is told of them until their deadlines. `start`
   * does all this. */
  checksDue(nowNs?: number | bigint): CheckDue[];
  /** When a check is next due; undefined without checks or nodes. */
  get nextCheckNs(): number | undefined;
  /** Tells the result of a check. Returns whether the node's health changed. @throws {StateError} */
  reportCheck(id: string, ok: boolean, options?: { latencyMs?: number } & At): boolean;

  /** The id of the node that a session is remembered with, whether or not it may take it now. */
  affinity(session: string | Uint8Array, options?: At): string | undefined;
  /** @throws {StateError} for an unknown node. @throws {ConfigError} if the pool has no `affinity`. */
  setAffinity(session: string | Uint8Array, id: string, options?: At): void;
  /** Whether it was remembered. */
  clearAffinity(session: string | Uint8Array): boolean;
  /** Moves the sessions that nodes which joined since the last time are due, all at once; how many. */
  rebalance(options?: At): number;
  /** Sends new picks to the tier of a node, as if those above it were down. @throws {StateError} */
  failover(id: string): void;
  /** Ends what `failover` began; whether it had. */
  resetFailover(): boolean;

  /** Replaces the configuration while picks are under way; what is known of nodes whose ids stay is kept. `seed` and
   * `limits` cannot change. Returns whether it was put in force, as it always is but with `ifNew`.
   * @throws {ConfigError} and changes nothing. */
  reload(config: string | PoolConfig, options?: ReloadOptions & At): boolean;
  /** The configuration in force with every default, to be read as one. Its `version` is not enumerable. */
  get config(): PoolConfig & { readonly version: number };
  /** One setting in force, by its key in `config`: `retry.max_attempts`, `strategy[0].name`, `nodes[2].weight`.
   * @throws {ConfigError} if there is no such setting, or it is of something that is not configured. */
  setting(key: string): unknown;
  /** How often the configuration was replaced, the first included. */
  get configVersion(): number;
  /** Its name in an engine; else `default`. */
  get name(): string;
  /** The file that its state is in, if processes share it. */
  get sharedPath(): string | undefined;
  /** In what it was configured otherwise than the shared pool that it found, which stays as it is until a reload. */
  get differences(): Difference[];
  /** The processes that share it, with their unfinished picks; empty if nobody does. */
  processes(): ProcessStatus[];
  /** The unfinished picks of all processes, the oldest first; at most `limit`, 100 by default. */
  openPicks(limit?: number): OpenPick[];
  /** What was learned of the nodes, as data that every language can take up. */
  learned(options?: At): Learned;
  /** Takes up what another pool has learned; of how many nodes. @throws {ConfigError} and changes nothing. */
  learnFrom(learned: Learned | string, options?: At): number;
  /** Keeps what was learned in a file, a Map or a store; of how many nodes. */
  save(store: Store): Promise<number>;
  /** Takes up what is kept of the pool's nodes; of how many. */
  restore(store: Store): Promise<number>;

  /** Replaces all nodes; those whose ids stay keep what is known of them. @throws {ConfigError} and changes nothing. */
  setNodes(nodes: readonly NodeConfig[]): void;
  /** @throws {StateError} if a node of that id is there. */
  register(node: NodeConfig): void;
  /** All or none. */
  registerBatch(nodes: readonly NodeConfig[]): void;
  /** Describes a member anew: weight, labels, address and whatever else. What is known of it stays.
   * @throws {StateError} if there is none of its id. @throws {ConfigError} Either changes nothing. */
  update(node: NodeConfig): void;
  /** Picks under way end as usual. @throws {StateError} */
  deregister(id: string): void;
  /** A draining node takes no new picks but those of its sessions. `on` is true by default. @throws {StateError} */
  drain(id: string, on?: boolean, options?: At): void;
  /** @throws {StateError} */
  setWeight(id: string, weight: number): void;
  /** Sets a node's health by hand: `healthy` also ends what else holds it, `unhealthy` holds it until a probe or a check
   * succeeds. Returns whether it changed. @throws {StateError} */
  setHealth(id: string, status: HealthStatus, options?: At): boolean;
  /** Gives a node the host's own number, in this pool: 0 to 2^64 - 1. @throws {StateError} */
  setNodeUserData(id: string, userData: number | bigint): void;
  /** The name of the strategy in charge: the first of the chain. */
  get strategy(): StrategyName | 'custom';
  /** @throws {ConfigError} and changes nothing. */
  setStrategy(strategy: StrategyChain): void;
  /** Puts a function in charge; if it finds nobody or throws, `fallback` decides. */
  setOwnStrategy(choose: OwnStrategy, fallback?: StrategyChain): void;

  /** All nodes in declared order. */
  nodes(options?: At): NodeStatus[];
  /** One of them, if it is there. */
  nodeStatus(id: string, options?: At): NodeStatus | undefined;
  /** The nodes that have all of the labels. */
  find(labels: Record<string, string | undefined>, options?: At): NodeStatus[];
  /** How many nodes there are. */
  get length(): number;
  /** The pool and all its nodes in figures. */
  stats(options?: At): PoolStats;
  /** The same as a text for Prometheus. */
  metrics(options?: MetricsOptions): string;
  /**
   * Has `listener` called with what happens from now on, in the middle of the call that makes it happen; with every selection
   * only if asked to, since that costs each pick the call. What it throws becomes a warning of the process. Of what others do
   * to a shared pool it is told when this one is maintained next; selections are those of this one. Returns a number for
   * `offEvent`.
   */
  onEvent(listener: (event: PoolEvent) => void, options?: { selections?: boolean }): number;
  /** Whether it was a listener. */
  offEvent(id: number): boolean;
  /** Does what time asks for: call it about once a second, or `start`. */
  maintain(nowNs?: number | bigint): Maintained;
  /** Maintains, and makes the checks that are due, from timers that keep no process alive; until `stop` or `close`. */
  start(options?: StartOptions): void;
  stop(): void;
  /** Frees the pool. Every ticket is void then, and what was picked through it and not finished is in flight no more; a pool
   * of an engine stays there with what it has. May be called again. */
  close(): void;
  get closed(): boolean;
  /** `close`. */
  [Symbol.dispose](): void;
}

/** All pools of one configuration, by name, replaced together while picks are under way. */
export class Engine implements Disposable {
  private constructor();
  /** From a YAML or JSON file, which `reload` reads again. @throws {ConfigError} naming key and line. */
  static open(path: string | URL): Engine;
  /** From YAML or JSON text, or an object of the same keys. @throws {ConfigError} naming key and line. */
  static fromConfig(config: string | EngineConfig): Engine;
  /** The pools of a state that other processes share, as they are. @throws {StateError} if there is none at the path, or
   * if as many processes share it as may. */
  static attach(path: string | URL): Engine;
  /** The same to look at only, without being one of the processes that share it: changes are a StateError
   * `ERR_LOADWISE_READ_ONLY`, and picks find no node. @throws {StateError} if there is none at the path. */
  static view(path: string | URL): Engine;

  /** The pool of a name: the same each time, also after reloads. @throws {ConfigError} if there is none. */
  pool(name: string): Pool;
  /** In the order of the configuration. */
  names(): string[];
  /** All pools, in the same order. */
  pools(): Pool[];
  /** Reads the file again, and puts it in force as a whole. A pool that was taken out goes on for those who have it.
   * @throws {ConfigError} and changes nothing. */
  reload(options?: ReloadOptions): Reloaded;
  /** `reload` from a text or an object. */
  reloadFrom(config: string | EngineConfig, options?: ReloadOptions): Reloaded;
  /** Takes one pool out, as a reload does whose configuration does not have it: it goes on for those who have it. Whether
   * there was one of that name. For programs that know which pools are theirs and not which others there are, where
   * processes share a state. @throws {StateError} of an engine of `view`. */
  remove(name: string): boolean;
  /** The configuration in force with every default, to be read as one. Its `version`s are not enumerable. */
  get config(): {
    pools: Record<string, PoolConfig & { readonly version: number }>;
    shared?: SharedConfig;
    readonly version: number;
  };
  /** The file that the state is in, if processes share it. */
  get sharedPath(): string | undefined;
  /** Why the state is this process's alone although it is to be shared: see `on_bad_segment`. */
  get privateBecause(): string | undefined;
  /** In what this process is configured otherwise than shared pools that it found, which stay as they are until a reload. */
  get differences(): Difference[];
  /** The processes that share the state, with their unfinished picks of all pools; empty if nobody does. */
  processes(): ProcessStatus[];
  /** How often a configuration was put in force, the first included. */
  get version(): number;
  /** Maintains all pools. */
  maintain(nowNs?: number | bigint): Maintained;
  /** Each pool in figures. */
  stats(options?: At): PoolStats[];
  /** All of them as a text for Prometheus. */
  metrics(options?: MetricsOptions): string;
  /** `start` of all pools, also of those that come later. */
  start(options?: StartOptions): void;
  stop(): void;
  /** Closes all pools, and leaves the state that they share. May be called again. */
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

/** An operation on state that is not there, or that cannot be used: an unknown node, a closed pool, a damaged file. */
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
  /** Of `pickExplained` and `acquireExplained`: why there is none. */
  readonly explanation: Explanation | undefined;
}
