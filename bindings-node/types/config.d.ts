// What a configuration says. The keys, their defaults and their ranges: docs/configuration.md.

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
  | 'adaptive'
  | 'fastest'
  | 'reported_load'
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
  | { name: 'fastest'; class_ms?: number }
  | { name: 'reported_load'; blackout_ms?: number; expiry_ms?: number; update_ms?: number; error_penalty?: number }
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
      /** 0 = primary (the default), up to 7 = backups. */
      tier?: number;
      /** Where it is, at most 63 bytes. */
      zone?: string;
      /** Picks in flight at one time; 0 (the default) = unlimited. */
      max_in_flight?: number;
      /** The node's own limits, by dimensions of the pool's `quotas`. */
      quotas?: Record<string, number | bigint>;
      /** The host's own number, returned with each pick: 0 to 2^64 - 1. */
      user_data?: number | bigint;
    };

/** When a node counts as unhealthy, and how it comes back. */
export interface HealthConfig {
  failure_threshold?: number;
  recovery_successes?: number;
  /** Whether outcomes of picks change health. Default true. */
  passive?: boolean;
  window_ms?: number;
  /** 0 = off. */
  min_success_rate?: number;
  min_requests?: number;
  probe_interval_ms?: number;
  max_probe_interval_ms?: number;
  probe_timeout_ms?: number;
  /** Whether requests serve as probes of unhealthy nodes. Default true. */
  live_probes?: boolean;
}

/** Which active checks are due; `pool.start({ check })` makes them. */
export interface ChecksConfig {
  interval_ms?: number;
  jitter?: number;
  timeout_ms?: number;
  failure_threshold?: number;
  success_threshold?: number;
  grace_ms?: number;
}

export interface BreakerConfig {
  consecutive_failures?: number;
  failure_rate?: number;
  min_requests?: number;
  open_ms?: number;
  max_open_ms?: number;
  half_open_successes?: number;
}

export interface OutlierConfig {
  sweep_interval_ms?: number;
  stdev_factor?: number;
  min_hosts?: number;
  min_requests?: number;
  failure_rate?: number;
  failure_min_requests?: number;
  ejection_ms?: number;
  max_ejection_ms?: number;
  max_ejected?: number;
}

export interface PanicConfig {
  /** Default `fail`: an unfit node gets no traffic, whatever is left. */
  mode?: 'fail' | 'spread';
  threshold?: number;
  min_nodes?: number;
}

export interface TiersConfig {
  overprovisioning?: number;
  max_attempts?: number;
  failback_ms?: number;
}

export interface ZonesConfig {
  /** The caller's own zone, where a request names none. */
  zone?: string;
  min_nodes?: number;
}

export interface SlowStartConfig {
  duration_ms?: number;
  aggression?: number;
  min_weight?: number;
}

/** A share of the traffic, 0.0 to 1.0, for the nodes that have all of the labels. */
export interface SplitConfig {
  labels: Record<string, string | number | boolean>;
  share: number;
}

export interface AffinityConfig {
  entries?: number;
  ttl_ms?: number;
  rebalance?: 'immediate' | 'gradual' | 'manual';
  rebalance_step?: number;
  rebalance_ms?: number;
}

export interface AdaptiveLimitConfig {
  initial?: number;
  min?: number;
  max?: number;
  smoothing?: number;
  tolerance?: number;
}

/** What each node may be used in a window of time. */
export interface QuotaConfig {
  dimension: string;
  limit: number | bigint;
  window_ms?: number;
  buckets?: number;
  default_cost?: number | bigint;
}

export interface RetryConfig {
  max_attempts?: number;
  base_delay_ms?: number;
  max_delay_ms?: number;
  budget_share?: number;
  budget_min_per_s?: number;
  budget_window_ms?: number;
}

export interface StatsConfig {
  /** Whose latencies are kept, for percentiles. Default `off`. */
  latency?: 'off' | 'pool' | 'nodes';
  window_ms?: number;
}

export interface LimitsConfig {
  max_nodes?: number;
  max_picks?: number;
  max_labels?: number;
  max_label_bytes?: number;
  max_table_size?: number;
  max_groups?: number;
}

/** Where processes of a machine share a state: Linux only. */
export interface SharedConfig {
  /** A file that all of them map, best `/dev/shm/NAME`; made if it is not there. */
  path: string;
  /** The permissions of a file that is made, in octal digits. Default `0600`. */
  mode?: string;
  /** What becomes of a file that is of another version, damaged, or no state at all. Default `fail`. */
  on_bad_segment?: 'fail' | 'recreate' | 'private';
  /** Processes at one time, 2 to 255; fixed when the file is made. Default 64. */
  max_processes?: number;
}

/** A pool, with the keys of the configuration; `undefined` stands for the default. What may be `true` or `false` is off by
 * default, and on with its own defaults. */
export interface PoolConfig {
  nodes?: readonly NodeConfig[];
  /** Default `p2c`. */
  strategy?: StrategyChain;
  /** Makes all decisions repeatable: 0 to 2^64 - 1. */
  seed?: number | bigint;
  /** After how long a pick that nobody finished is given up by `maintain`; 0 (the default) = never. */
  lease_timeout_ms?: number;
  /** Picks in flight of all nodes together; 0 (the default) = unlimited. */
  max_in_flight?: number;
  /** How long `pickWithin` waits that is given no time. Default 5000. */
  acquire_timeout_ms?: number;
  /** Picks that may wait at one time. Default 1024. */
  acquire_queue?: number;
  drain_timeout_ms?: number;
  health?: HealthConfig;
  checks?: ChecksConfig | boolean;
  breaker?: BreakerConfig | boolean;
  outlier?: OutlierConfig | boolean;
  panic?: PanicConfig;
  tiers?: TiersConfig;
  zones?: ZonesConfig | boolean;
  slow_start?: SlowStartConfig | boolean;
  splits?: readonly SplitConfig[];
  affinity?: AffinityConfig | boolean;
  adaptive_limit?: AdaptiveLimitConfig | boolean;
  quotas?: readonly QuotaConfig[];
  retry?: RetryConfig;
  stats?: StatsConfig;
  limits?: LimitsConfig;
  /** The state of a pool that is configured alone, or its path. In an engine it stands beside `pools`. */
  shared?: string | SharedConfig;
}

/** Pools by name, or one pool alone, which is then called `default`. */
export type EngineConfig = { pools: Record<string, PoolConfig>; shared?: string | SharedConfig } | PoolConfig;
