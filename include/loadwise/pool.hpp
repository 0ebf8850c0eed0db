/* Pools. Part of loadwise.hpp. SPDX-License-Identifier: MIT OR Apache-2.0 */

#ifndef LOADWISE_POOL_HPP
#define LOADWISE_POOL_HPP

#include "event.hpp"
#include "node.hpp"
#include "pick.hpp"
#include "process.hpp"
#include "store.hpp"

#include <memory>

namespace loadwise {

/* What a node says of itself, or what a host measured of it; what is absent stays as it was. */
struct Load {
    std::optional<double> load, remaining_ratio, requests_per_s, utilization, errors_per_s;
    std::uint64_t now_ns = 0;
};

/* An active check to be made. */
struct Check {
    lw_node_ref node{};
    std::string id, address;
    std::uint64_t deadline_ns = 0; /* until when to report */
};

/* Whether to try again. */
struct Retry {
    std::uint32_t give_up = 0; /* 0: try again; else why not, one of LW_GIVE_UP_* */
    std::chrono::nanoseconds after{};

    explicit operator bool() const noexcept { return give_up == 0; }
};

/* Another attempt. */
struct Again {
    Pick pick;
    std::chrono::nanoseconds after; /* how long to wait with it */
};

/* One attempt of a plan. */
struct Attempt {
    lw_node_ref node{};
    std::chrono::nanoseconds delay{}; /* after the end of the one before */
};

/* Attempts to make in turn until one succeeds. */
struct Plan {
    std::vector<Attempt> attempts;
    std::optional<std::chrono::nanoseconds> hedge_after; /* when to send a second one beside the first, if that is known */
};

/* Reads a pool's configuration and makes nothing of it: the same as JSON with every default, which is a configuration again.
   Throws Error, whose message names the key and the line. */
inline std::string config_check(std::string_view config)
{
    return detail::copied([&](char *b, std::size_t n, std::size_t *l) {
        return lw_config_check(detail::data(config), config.size(), b, n, l);
    });
}

/* A set of nodes under one policy. All members may be called from any thread, but for moving and destroying it. */
class Pool {
public:
    /* From YAML or JSON text: see docs/configuration.md. Throws Error, whose message names the key and the line. */
    explicit Pool(std::string_view config) : handle_(make(config)) {}

    /* What tells it from the other pools of its engine. */
    std::string name() const { return text(lw_pool_name); }

    [[nodiscard]] Picked pick(const Request &request) const
    {
        lw_request raw = request.raw();
        return pick_raw(&raw);
    }
    [[nodiscard]] Picked pick() const { return pick_raw(nullptr); }
    /* Waits for room while the pool is saturated or rate limited; 0: as long as the configuration says. */
    [[nodiscard]] Picked pick_within(const Request &request, std::chrono::nanoseconds timeout = {}) const
    {
        auto pick = detail::sized<lw_pick>();
        lw_request raw = request.raw();
        lw_status status = lw_pool_pick_within(handle(), &raw, detail::nanoseconds(timeout), &pick);
        if (status == LW_OK)
            return Picked(std::in_place_type<Pick>, Pick(pick));
        return detail::why(status);
    }
    /* Joins those who wait for room: `wake` is called once, in whichever thread ends a pick. Pick after joining. */
    [[nodiscard]] std::variant<NoNode, Waiting> wait(std::function<void()> wake) const
    {
        auto owned = std::make_unique<std::function<void()>>(std::move(wake));
        std::uint64_t id = 0;
        lw_status status = lw_pool_wait(handle(), &detail::wake, owned.get(),
                                        &detail::drop_function<std::function<void()>>, &id);
        if (status != LW_OK)
            return detail::why(status);
        owned.release();
        return Waiting(handle(), id);
    }
    std::size_t waiting() const
    {
        std::size_t waiting = 0;
        detail::check(lw_pool_waiting(handle(), &waiting));
        return waiting;
    }
    /* Calls `observer` with what happens, until the observation ends; with every selection only if told so. */
    [[nodiscard]] Observation observe(Observer observer, bool selections = false) const
    {
        auto owned = std::make_unique<Observer>(std::move(observer));
        std::uint64_t id = 0;
        detail::check(lw_pool_observe(handle(), selections ? LW_OBSERVE_SELECTIONS : 0, &detail::tell, owned.get(),
                                      &detail::drop_function<Observer>, &id));
        owned.release();
        return Observation(handle(), id);
    }

    /* Chooses a node and counts nothing. */
    [[nodiscard]] std::variant<NoNode, lw_node_ref> choose(const Request &request = {}) const
    {
        auto pick = detail::sized<lw_pick>();
        lw_request raw = request.raw();
        lw_status status = lw_pool_choose(handle(), &raw, &pick);
        if (status == LW_OK)
            return lw_node_ref{pick.node, pick.generation};
        return detail::why(status);
    }

    /* Ends a pick by its ticket. False if it was ended before. */
    bool release(std::uint64_t ticket, const Outcome &outcome) const
    {
        lw_outcome raw = outcome.raw();
        lw_status status = lw_pool_release(handle(), ticket, &raw);
        if (status == LW_ERR_STALE_TICKET)
            return false;
        detail::check(status);
        return true;
    }

    /* Notes the first token of a pick by its ticket. False if that was noted before, or the pick was ended. */
    bool first_token(std::uint64_t ticket, std::uint64_t now_ns = 0) const
    {
        std::uint32_t first = 0;
        lw_status status = lw_pool_first_token(handle(), ticket, now_ns, &first);
        if (status == LW_ERR_STALE_TICKET)
            return false;
        detail::check(status);
        return first != 0;
    }

    /* Whether the node's health changed. */
    bool report(std::string_view id, const Outcome &outcome) const
    {
        std::uint32_t changed = 0;
        lw_outcome raw = outcome.raw();
        detail::check(lw_pool_report(handle(), detail::str(id), &raw, &changed));
        return changed != 0;
    }
    void report_load(std::string_view id, const Load &load) const
    {
        auto raw = detail::sized<lw_load>();
        auto give = [&](std::uint32_t flag, const std::optional<double> &given, double &field) {
            raw.flags |= given ? flag : 0u;
            field = given.value_or(0.0);
        };
        give(LW_NODE_HAS_LOAD, load.load, raw.load);
        give(LW_NODE_HAS_REMAINING, load.remaining_ratio, raw.remaining_ratio);
        give(LW_LOAD_HAS_REQUESTS, load.requests_per_s, raw.requests_per_s);
        give(LW_LOAD_HAS_UTILIZATION, load.utilization, raw.utilization);
        give(LW_LOAD_HAS_ERRORS, load.errors_per_s, raw.errors_per_s);
        raw.now_ns = load.now_ns;
        detail::check(lw_pool_report_load(handle(), detail::str(id), &raw));
    }
    void report_load(std::string_view id, std::optional<double> load, std::optional<double> remaining_ratio = {}) const
    {
        report_load(id, Load{load, remaining_ratio, {}, {}, {}, 0});
    }

    void set_nodes(const std::vector<NodeSpec> &nodes) const
    {
        detail::Specs specs(nodes);
        detail::check(lw_pool_set_nodes(handle(), specs.raw.data(), specs.raw.size()));
    }
    void register_batch(const std::vector<NodeSpec> &nodes) const
    {
        detail::Specs specs(nodes);
        detail::check(lw_pool_register_batch(handle(), specs.raw.data(), specs.raw.size(), nullptr));
    }
    /* `register` is a keyword of C++. */
    void register_node(const NodeSpec &node) const { register_batch({node}); }
    /* Describes a member anew; what is known of it stays. */
    void update(const NodeSpec &node) const
    {
        const std::vector<NodeSpec> nodes(1, node);
        detail::Specs specs(nodes);
        detail::check(lw_pool_update(handle(), specs.raw.data()));
    }
    void deregister(std::string_view id) const { detail::check(lw_pool_deregister(handle(), detail::str(id))); }
    void drain(std::string_view id, bool on = true) const
    {
        detail::check(lw_pool_drain(handle(), detail::str(id), on ? 1 : 0));
    }
    void set_weight(std::string_view id, std::uint32_t weight) const
    {
        detail::check(lw_pool_set_weight(handle(), detail::str(id), weight));
    }
    /* By hand, one of LW_HEALTH_*. Whether it was another before. */
    bool set_health(std::string_view id, std::uint32_t health, std::uint64_t now_ns = 0) const
    {
        std::uint32_t changed = 0;
        detail::check(lw_pool_set_health(handle(), detail::str(id), health, now_ns, &changed));
        return changed != 0;
    }
    void set_user_data(lw_node_ref node, std::uint64_t user_data) const
    {
        detail::check(lw_node_set_user_data(handle(), node.node, node.generation, user_data));
    }

    /* A name, or YAML or JSON as in a configuration. */
    void set_strategy(std::string_view strategy) const
    {
        detail::check(lw_pool_set_strategy(handle(), detail::str(strategy)));
    }
    std::string strategy() const { return text(lw_pool_strategy); }
    /* May be called in several threads at once. One that throws gives way to the fallback, and the pick tells of it. */
    void set_own_strategy(OwnStrategy strategy, std::string_view fallback = {}) const
    {
        auto owned = std::make_unique<OwnStrategy>(std::move(strategy));
        detail::check(lw_pool_set_own_strategy(handle(), &choose_own, owned.get(),
                                               &detail::drop_function<OwnStrategy>, detail::str(fallback)));
        owned.release();
    }

    /* All nodes in declared order. */
    std::vector<NodeStatus> nodes() const
    {
        return described(detail::listed<lw_node_status>(size(), [&](lw_node_status *n, std::size_t c, std::size_t *l) {
            return lw_pool_nodes(handle(), n, c, l);
        }));
    }
    /* One of them, by its id. */
    std::optional<NodeStatus> node_status(std::string_view id, std::uint64_t now_ns = 0) const
    {
        auto raw = detail::sized<lw_node_status>();
        lw_status status = lw_pool_node_status(handle(), detail::str(id), now_ns, &raw);
        if (status == LW_ERR_UNKNOWN_NODE)
            return std::nullopt;
        detail::check(status);
        return detail::described(handle(), raw);
    }
    /* Those that have all of these labels. */
    std::vector<NodeStatus> find(const Labels &labels) const
    {
        std::vector<lw_label> raw;
        for (const auto &label : labels)
            raw.push_back(lw_label{detail::str(label.first), detail::str(label.second)});
        return described(detail::listed<lw_node_status>(size(), [&](lw_node_status *n, std::size_t c, std::size_t *l) {
            return lw_pool_find(handle(), raw.data(), raw.size(), n, c, l);
        }));
    }
    std::size_t size() const
    {
        std::size_t len = 0;
        detail::check(lw_pool_len(handle(), &len));
        return len;
    }
    /* The node of an id. */
    std::optional<lw_node_ref> node(std::string_view id) const
    {
        lw_node_ref node{};
        lw_status status = lw_pool_node(handle(), detail::str(id), &node);
        if (status == LW_ERR_UNKNOWN_NODE)
            return std::nullopt;
        detail::check(status);
        return node;
    }

    /* The node that a session is remembered with. */
    std::optional<lw_node_ref> affinity(std::string_view session, std::uint64_t now_ns = 0) const
    {
        lw_node_ref node{};
        std::uint32_t known = 0;
        detail::check(lw_pool_affinity(handle(), detail::str(session), now_ns, &node, &known));
        return known != 0 ? std::optional<lw_node_ref>(node) : std::nullopt;
    }
    void set_affinity(std::string_view session, std::string_view id, std::uint64_t now_ns = 0) const
    {
        detail::check(lw_pool_set_affinity(handle(), detail::str(session), detail::str(id), now_ns));
    }
    /* Whether it was remembered. */
    bool clear_affinity(std::string_view session) const
    {
        std::uint32_t known = 0;
        detail::check(lw_pool_clear_affinity(handle(), detail::str(session), &known));
        return known != 0;
    }
    /* How many sessions moved to nodes that joined. */
    std::uint64_t rebalance(std::uint64_t now_ns = 0) const
    {
        std::uint64_t moved = 0;
        detail::check(lw_pool_rebalance(handle(), now_ns, &moved));
        return moved;
    }
    /* Sends new picks to the tier of a node. */
    void failover(std::string_view id) const { detail::check(lw_pool_failover(handle(), detail::str(id))); }
    /* Whether there had been a failover by hand. */
    bool reset_failover() const
    {
        std::uint32_t was = 0;
        detail::check(lw_pool_reset_failover(handle(), &was));
        return was != 0;
    }

    /* Active checks to be made now; nobody else is told of them. */
    std::vector<Check> checks_due(std::uint64_t now_ns = 0) const
    {
        auto raw = detail::listed<lw_check>(size(), [&](lw_check *checks, std::size_t capacity, std::size_t *len) {
            return lw_pool_checks_due(handle(), now_ns, checks, capacity, len);
        });
        std::vector<Check> checks;
        for (const lw_check &check : raw) {
            lw_node_ref node{check.node, check.generation};
            checks.push_back(Check{node, detail::node_text(handle(), node, lw_node_id),
                                   detail::node_text(handle(), node, lw_node_address), check.deadline_ns});
        }
        return checks;
    }
    /* Whether the node's health changed. */
    bool report_check(std::string_view id, bool ok, std::chrono::nanoseconds latency = {}, std::uint64_t now_ns = 0) const
    {
        std::uint32_t changed = 0;
        detail::check(lw_pool_report_check(handle(), detail::str(id), ok ? 1 : 0, detail::nanoseconds(latency), now_ns,
                                           &changed));
        return changed != 0;
    }

    /* Whether to try again after attempt number `attempt`, from 1, has ended so. `flags`: a sum of LW_RETRY_*. */
    Retry retry(const Outcome &outcome, std::uint32_t attempt, std::uint32_t flags) const
    {
        auto retry = detail::sized<lw_retry>();
        lw_outcome raw = outcome.raw();
        detail::check(lw_pool_retry(handle(), &raw, attempt, flags, &retry));
        return Retry{retry.give_up, std::chrono::nanoseconds(retry.after_ns)};
    }
    /* The same, and the pick of the next attempt: where no node takes it, it costs the budget nothing. The request should
       exclude the nodes that were tried. A Retry says why to give up. */
    [[nodiscard]] std::variant<NoNode, Retry, Again> pick_again(const Request &request, const Outcome &outcome,
                                                                std::uint32_t attempt, std::uint32_t flags) const
    {
        auto retry = detail::sized<lw_retry>();
        auto pick = detail::sized<lw_pick>();
        lw_request asked = request.raw();
        lw_outcome raw = outcome.raw();
        lw_status status = lw_pool_pick_again(handle(), &asked, &raw, attempt, flags, &retry, &pick);
        if (status != LW_OK)
            return detail::why(status);
        if (retry.give_up != 0)
            return Retry{retry.give_up, {}};
        return Again{Pick(pick), std::chrono::nanoseconds(retry.after_ns)};
    }
    /* The attempts to make for a request in turn. */
    std::variant<NoNode, Plan> plan(const Request &request = {}) const
    {
        lw_attempt raw[16] = {detail::sized<lw_attempt>()};
        lw_request asked = request.raw();
        std::size_t len = 0;
        std::uint64_t hedge_after_ns = 0;
        lw_status status = lw_pool_plan(handle(), &asked, raw, 16, &len, &hedge_after_ns);
        if (status != LW_OK)
            return detail::why(status);
        Plan plan;
        for (std::size_t i = 0; i < len; i++)
            plan.attempts.push_back(Attempt{lw_node_ref{raw[i].node, raw[i].generation},
                                            std::chrono::nanoseconds(raw[i].delay_ns)});
        if (hedge_after_ns != 0)
            plan.hedge_after = std::chrono::nanoseconds(hedge_after_ns);
        return plan;
    }

    /* Replaces the configuration while picks are running. */
    void reload(std::string_view config) const
    {
        detail::check(lw_pool_reload(handle(), detail::data(config), config.size()));
    }
    /* The same, unless it is the one that was last put in force, by whichever process. Whether it was not. */
    bool reload_if_new(std::string_view config) const
    {
        std::uint32_t was_new = 0;
        detail::check(lw_pool_reload_if_new(handle(), detail::data(config), config.size(), &was_new));
        return was_new != 0;
    }
    /* One setting in force as text, by its key, as `retry.max_attempts`. */
    std::string setting(std::string_view key) const
    {
        return detail::copied([&](char *b, std::size_t n, std::size_t *l) {
            return lw_pool_setting(handle(), detail::str(key), b, n, l);
        });
    }

    /* Of a state that processes share, as of Engine. */
    std::string differences() const { return text(lw_pool_differences); }
    std::string shared_path() const { return text(lw_pool_shared_path); }
    std::vector<ProcessStatus> processes() const
    {
        return detail::processes([&](lw_process_status *processes, std::size_t capacity, std::size_t *len) {
            return lw_pool_processes(handle(), processes, capacity, len);
        });
    }
    /* The oldest picks that nobody has finished yet, of all processes, as JSON. */
    std::string open_picks(std::size_t limit, std::uint64_t now_ns = 0) const
    {
        return detail::copied([&](char *b, std::size_t n, std::size_t *l) {
            return lw_pool_open_picks(handle(), limit, now_ns, b, n, l);
        });
    }

    /* Data as JSON: the configuration in force; counts, gauges and latencies; what was learned of nodes. */
    std::string config() const { return text(lw_pool_config); }
    std::string stats(std::uint64_t now_ns = 0) const
    {
        return detail::copied(
            [&](char *b, std::size_t n, std::size_t *l) { return lw_pool_stats(handle(), now_ns, b, n, l); });
    }
    std::string learned() const { return text(lw_pool_learned); }
    /* How often the configuration was replaced, from 1. */
    std::uint64_t config_version() const
    {
        std::uint64_t version = 0;
        detail::check(lw_pool_config_version(handle(), &version));
        return version;
    }
    /* Why the next pick would choose its node, or none, as JSON; takes nothing. */
    std::string explain(const Request &request = {}) const
    {
        lw_request raw = request.raw();
        return detail::copied(
            [&](char *b, std::size_t n, std::size_t *l) { return lw_pool_explain(handle(), &raw, b, n, l); });
    }
    /* A pick, and its reasons as JSON. */
    [[nodiscard]] std::pair<Picked, std::string> pick_explained(const Request &request = {}) const
    {
        auto pick = detail::sized<lw_pick>();
        lw_request raw = request.raw();
        lw_status status = lw_pool_pick_explained(handle(), &raw, &pick);
        Picked picked = status == LW_OK ? Picked(std::in_place_type<Pick>, Pick(pick)) : Picked(detail::why(status));
        return {std::move(picked), detail::copied(lw_last_explanation)};
    }
    /* Metrics, in one of LW_METRICS_*. */
    std::string metrics(std::uint32_t format = LW_METRICS_PROMETHEUS) const
    {
        return detail::copied(
            [&](char *b, std::size_t n, std::size_t *l) { return lw_pool_metrics(handle(), format, b, n, l); });
    }
    /* How many nodes were taken up, here and below. */
    std::size_t learn_from(std::string_view learned) const
    {
        std::size_t count = 0;
        detail::check(lw_pool_learn_from(handle(), detail::data(learned), learned.size(), &count));
        return count;
    }
    std::size_t restore(std::string_view path) const
    {
        std::size_t count = 0;
        detail::check(lw_pool_restore(handle(), detail::str(path), &count));
        return count;
    }
    std::size_t restore(Store &store) const
    {
        std::size_t count = 0;
        lw_store raw = store.raw();
        detail::check(lw_pool_restore_from(handle(), &raw, &count));
        return count;
    }
    /* How many nodes were saved. */
    std::size_t save(std::string_view path) const
    {
        std::size_t count = 0;
        detail::check(lw_pool_save(handle(), detail::str(path), &count));
        return count;
    }
    std::size_t save(Store &store) const
    {
        std::size_t count = 0;
        lw_store raw = store.raw();
        detail::check(lw_pool_save_to(handle(), &raw, &count));
        return count;
    }

    /* Does what is due; to be called about once a second. */
    lw_maintained maintain(std::uint64_t now_ns = 0) const
    {
        auto done = detail::sized<lw_maintained>();
        detail::check(lw_pool_maintain(handle(), now_ns, &done));
        return done;
    }

    lw_pool handle() const noexcept { return handle_.get(); }

private:
    friend class Engine;
    explicit Pool(detail::Handle<lw_pool_free> handle) noexcept : handle_(std::move(handle)) {}

    template <class Copy> std::string text(Copy copy) const
    {
        return detail::copied([&](char *b, std::size_t n, std::size_t *l) { return copy(handle(), b, n, l); });
    }
    std::vector<NodeStatus> described(const std::vector<lw_node_status> &raw) const
    {
        std::vector<NodeStatus> nodes;
        for (const lw_node_status &node : raw)
            nodes.push_back(detail::described(handle(), node));
        return nodes;
    }

    static std::uint64_t make(std::string_view config)
    {
        lw_pool pool = 0;
        detail::check(lw_pool_new(detail::data(config), config.size(), &pool));
        return pool;
    }

    Picked pick_raw(const lw_request *request) const
    {
        auto pick = detail::sized<lw_pick>();
        lw_status status = lw_pool_pick(handle(), request, &pick);
        if (status == LW_OK)
            return Picked(std::in_place_type<Pick>, Pick(pick));
        return detail::why(status);
    }

    static std::int64_t choose_own(const lw_candidate *const *candidates, std::size_t len, lw_str key, void *data) noexcept
    {
        try {
            std::vector<Candidate> views;
            for (std::size_t i = 0; i < len; i++)
                views.emplace_back(candidates[i]);
            std::optional<std::string_view> text;
            if (key.data)
                text = std::string_view(key.data, key.len);
            std::optional<std::size_t> chosen = (*static_cast<const OwnStrategy *>(data))(views, text);
            if (!chosen)
                return LW_CHOOSE_NOBODY;
            return *chosen < len ? static_cast<std::int64_t>(*chosen) : LW_CHOOSE_FAILED;
        } catch (...) {
            return LW_CHOOSE_FAILED;
        }
    }

    detail::Handle<lw_pool_free> handle_;
};

} // namespace loadwise

#endif
