/* loadwise for C++17: loadwise.h with owners, exceptions and callables. Header-only. How to use it: docs/c.md.
   SPDX-License-Identifier: MIT OR Apache-2.0 */

#ifndef LOADWISE_HPP
#define LOADWISE_HPP

#include "loadwise.h"

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace loadwise {

/* What a call was given or found wrong. A decision that finds no node is no error, but a NoNode. */
class Error : public std::runtime_error {
public:
    Error(lw_status status, const std::string &message) : std::runtime_error(message), status_(status) {}

    /* The stable number, one of LW_ERR_*. */
    lw_status status() const noexcept { return status_; }
    const char *name() const noexcept { return lw_status_name(status_); }

private:
    lw_status status_;
};

/* Why a decision found no node. */
struct NoNode {
    lw_status status = LW_OK; /* one of LW_NO_NODE_* */
    std::uint64_t retry_at_ns = 0; /* when trying again makes sense, on the clock of lw_now_ns; 0: not known */
    bool callback_failed = false; /* whether a predicate or an own strategy threw on the way */

    const char *reason() const noexcept { return lw_status_text(status); }
};

namespace detail {

[[noreturn]] inline void fail(lw_status status)
{
    std::size_t len = 0;
    lw_last_error(nullptr, 0, &len);
    std::string message(len + 1, '\0');
    lw_last_error(message.data(), message.size(), nullptr);
    message.resize(len);
    throw Error(status, message);
}

inline void check(lw_status status)
{
    if (status != LW_OK)
        fail(status);
}

inline bool is_no_node(lw_status status) { return status >= LW_NO_NODE_EMPTY && status <= LW_NO_NODE_RATE_LIMITED; }

inline lw_str str(std::string_view text) { return lw_str{text.data(), text.size()}; }

/* A struct of the ABI with nothing but its size. */
template <class T> T sized()
{
    T value{};
    value.struct_size = sizeof(T);
    return value;
}

/* A text that a call copies out. `call` gets buffer, capacity and length. */
template <class Call> std::string copied(Call call)
{
    std::string text(255, '\0');
    std::size_t len = 0;
    lw_status status = call(text.data(), text.size() + 1, &len);
    while (status == LW_ERR_BUFFER_TOO_SMALL) {
        text.resize(len);
        status = call(text.data(), text.size() + 1, &len);
    }
    check(status);
    text.resize(len);
    return text;
}

/* Owns a handle. */
template <lw_status (*Free)(std::uint64_t)> class Handle {
public:
    explicit Handle(std::uint64_t handle = 0) noexcept : handle_(handle) {}
    Handle(Handle &&other) noexcept : handle_(std::exchange(other.handle_, 0)) {}
    Handle &operator=(Handle &&other) noexcept
    {
        if (this != &other) {
            reset();
            handle_ = std::exchange(other.handle_, 0);
        }
        return *this;
    }
    ~Handle() { reset(); }

    std::uint64_t get() const noexcept { return handle_; }
    void reset() noexcept
    {
        if (handle_ != 0)
            Free(std::exchange(handle_, 0));
    }

private:
    std::uint64_t handle_;
};

} // namespace detail

/* A node that may be chosen, in the hands of a predicate or an own strategy; not to be kept. */
class Candidate {
public:
    explicit Candidate(const lw_candidate *candidate) noexcept : candidate_(candidate) {}

    std::string id() const
    {
        return detail::copied([&](char *b, std::size_t n, std::size_t *l) { return lw_candidate_id(candidate_, b, n, l); });
    }
    std::string address() const
    {
        return detail::copied(
            [&](char *b, std::size_t n, std::size_t *l) { return lw_candidate_address(candidate_, b, n, l); });
    }
    bool has_label(std::string_view key, std::string_view value) const
    {
        std::uint32_t has = 0;
        detail::check(lw_candidate_has_label(candidate_, detail::str(key), detail::str(value), &has));
        return has != 0;
    }
    lw_node_status status() const
    {
        auto status = detail::sized<lw_node_status>();
        detail::check(lw_candidate_status(candidate_, &status));
        return status;
    }
    std::uint32_t weight() const { return status().weight; }
    std::uint32_t health() const { return status().health; }
    std::uint64_t in_flight() const { return status().in_flight; }
    std::uint64_t user_data() const { return status().user_data; }

private:
    const lw_candidate *candidate_;
};

using Predicate = std::function<bool(const Candidate &)>;

/* The index of one of the candidates; nothing: the fallback decides. The key is the request's, if it has one. */
using OwnStrategy =
    std::function<std::optional<std::size_t>(const std::vector<Candidate> &, std::optional<std::string_view> key)>;

/* What a request asks for. Texts are not copied: they live until the pick. */
class Request {
public:
    Request() : raw_(detail::sized<lw_request>()) {}

    /* What hash strategies hash: any bytes, also none. */
    Request &key(std::string_view key)
    {
        raw_.key = detail::str(key.data() ? key : std::string_view(""));
        return *this;
    }
    Request &exclude(std::string_view id)
    {
        exclude_.push_back(detail::str(id));
        return *this;
    }
    Request &exclude(lw_node_ref node)
    {
        exclude_nodes_.push_back(node);
        return *this;
    }
    Request &require(std::string_view label, std::string_view value)
    {
        require_.push_back(lw_label{detail::str(label), detail::str(value)});
        return *this;
    }
    /* Allowed health states, a sum of LW_HEALTH_*. */
    Request &health_mask(std::uint32_t mask)
    {
        raw_.health_mask = mask;
        return *this;
    }
    /* Has the last word on a candidate. One that throws refuses, and the pick tells of it. */
    Request &predicate(Predicate predicate)
    {
        predicate_ = std::move(predicate);
        return *this;
    }
    Request &now_ns(std::uint64_t now_ns)
    {
        raw_.now_ns = now_ns;
        return *this;
    }

    /* For a call: points into this request. */
    lw_request raw() const
    {
        lw_request raw = raw_;
        raw.exclude = exclude_.data();
        raw.exclude_len = exclude_.size();
        raw.exclude_nodes = exclude_nodes_.data();
        raw.exclude_nodes_len = exclude_nodes_.size();
        raw.require = require_.data();
        raw.require_len = require_.size();
        if (predicate_) {
            raw.predicate = &ask;
            raw.predicate_data = const_cast<Predicate *>(&predicate_);
        }
        return raw;
    }

private:
    static std::int32_t ask(const lw_candidate *candidate, void *data) noexcept
    {
        try {
            return (*static_cast<const Predicate *>(data))(Candidate(candidate)) ? 1 : 0;
        } catch (...) {
            return -1;
        }
    }

    lw_request raw_;
    std::vector<lw_str> exclude_;
    std::vector<lw_node_ref> exclude_nodes_;
    std::vector<lw_label> require_;
    Predicate predicate_;
};

/* How an attempt ended. */
class Outcome {
public:
    static Outcome success() { return Outcome(LW_OUTCOME_SUCCESS); }
    static Outcome failure(std::uint32_t kind = LW_FAILURE_OTHER)
    {
        Outcome outcome(LW_OUTCOME_FAILURE);
        outcome.raw_.failure = kind;
        return outcome;
    }
    static Outcome rate_limited(std::chrono::nanoseconds retry_after = {})
    {
        Outcome outcome(LW_OUTCOME_RATE_LIMITED);
        outcome.raw_.retry_after_ns = nanoseconds(retry_after);
        return outcome;
    }
    static Outcome cancelled() { return Outcome(LW_OUTCOME_CANCELLED); }

    Outcome &latency(std::chrono::nanoseconds latency)
    {
        raw_.latency_ns = nanoseconds(latency);
        return *this;
    }
    Outcome &now_ns(std::uint64_t now_ns)
    {
        raw_.now_ns = now_ns;
        return *this;
    }
    const lw_outcome &raw() const noexcept { return raw_; }

private:
    explicit Outcome(std::uint32_t kind) : raw_(detail::sized<lw_outcome>()) { raw_.kind = kind; }
    static std::uint64_t nanoseconds(std::chrono::nanoseconds duration)
    {
        return duration.count() > 0 ? static_cast<std::uint64_t>(duration.count()) : 0;
    }

    lw_outcome raw_;
};

/* A chosen node, in flight until this is finished. One that is destroyed unfinished counts as cancelled. */
class Pick {
public:
    Pick(Pick &&other) noexcept : raw_(std::exchange(other.raw_, lw_pick{})) {}
    Pick &operator=(Pick &&other) noexcept
    {
        if (this != &other) {
            finish(Outcome::cancelled());
            raw_ = std::exchange(other.raw_, lw_pick{});
        }
        return *this;
    }
    ~Pick() { finish(Outcome::cancelled()); }

    /* Whether this ended the pick: false if it was finished before, timed out, its pool is gone, or it was moved from. */
    bool finish(const Outcome &outcome) noexcept
    {
        if (raw_.ticket == 0)
            return false;
        bool ended = lw_pick_finish(&raw_, &outcome.raw()) == LW_OK;
        raw_.ticket = 0;
        return ended;
    }
    bool success() noexcept { return finish(Outcome::success()); }
    bool success(std::chrono::nanoseconds latency) noexcept { return finish(Outcome::success().latency(latency)); }
    bool failure(std::uint32_t kind = LW_FAILURE_OTHER) noexcept { return finish(Outcome::failure(kind)); }
    bool rate_limited(std::chrono::nanoseconds retry_after = {}) noexcept
    {
        return finish(Outcome::rate_limited(retry_after));
    }
    bool cancel() noexcept { return finish(Outcome::cancelled()); }

    std::string id() const { return text(lw_node_id); }
    /* What to connect to. */
    std::string address() const { return text(lw_node_address); }
    std::string name() const { return text(lw_node_name); }
    /* The host's own number of the node. */
    std::uint64_t user_data() const noexcept { return raw_.user_data; }
    /* For Request::exclude. */
    lw_node_ref node() const noexcept { return lw_node_ref{raw_.node, raw_.generation}; }
    std::uint64_t ticket() const noexcept { return raw_.ticket; }
    /* Whether a predicate or an own strategy threw on the way. */
    bool callback_failed() const noexcept { return (raw_.flags & LW_PICK_CALLBACK_FAILED) != 0; }
    /* Gives the pick out of hand: from now on the ticket must be released by Pool::release. */
    std::uint64_t into_ticket() && noexcept { return std::exchange(raw_.ticket, 0); }

private:
    friend class Pool;
    explicit Pick(const lw_pick &raw) noexcept : raw_(raw) {}

    template <class Copy> std::string text(Copy copy) const
    {
        return detail::copied([&](char *buffer, std::size_t capacity, std::size_t *len) {
            return copy(raw_.pool, raw_.node, raw_.generation, buffer, capacity, len);
        });
    }

    lw_pick raw_;
};

/* A pick, or why there is none. Not an optional, because the reason and the time to try again belong to the result, and not
   an exception, because having no node to send to is an everyday answer on a hot path:

       auto picked = pool.pick();
       if (auto *pick = std::get_if<Pick>(&picked)) ...; else ... std::get<NoNode>(picked).reason() ...  */
using Picked = std::variant<NoNode, Pick>;

/* A node as its user describes it. */
struct NodeSpec {
    std::string id;
    std::string address = {}; /* empty: the id */
    std::string name = {};
    std::uint32_t weight = 1;
    std::vector<std::pair<std::string, std::string>> labels = {};
    std::uint64_t user_data = 0;
};

/* A node at one moment. */
struct NodeStatus {
    std::string id, address, name;
    std::uint32_t weight = 0, health = 0, consecutive_failures = 0;
    bool draining = false;
    std::uint64_t in_flight = 0, user_data = 0;
    std::optional<double> latency_ns, load, remaining_ratio;
    lw_node_ref node{};
};

/* A set of nodes under one policy. All members may be called from any thread, but for moving and destroying it. */
class Pool {
public:
    /* From YAML or JSON text: see docs/configuration.md. Throws Error, whose message names the key and the line. */
    explicit Pool(std::string_view config) : handle_(make(config)) {}

    [[nodiscard]] Picked pick(const Request &request) const
    {
        lw_request raw = request.raw();
        return pick_raw(&raw);
    }
    [[nodiscard]] Picked pick() const { return pick_raw(nullptr); }

    /* Chooses a node and counts nothing. */
    [[nodiscard]] std::variant<NoNode, lw_node_ref> choose(const Request &request = {}) const
    {
        auto pick = detail::sized<lw_pick>();
        lw_request raw = request.raw();
        lw_status status = lw_pool_choose(handle(), &raw, &pick);
        if (status == LW_OK)
            return lw_node_ref{pick.node, pick.generation};
        return why(status);
    }

    /* Ends a pick by its ticket. False if it was ended before. */
    bool release(std::uint64_t ticket, const Outcome &outcome) const
    {
        lw_status status = lw_pool_release(handle(), ticket, &outcome.raw());
        if (status == LW_ERR_STALE_TICKET)
            return false;
        detail::check(status);
        return true;
    }

    /* Whether the node's health changed. */
    bool report(std::string_view id, const Outcome &outcome) const
    {
        std::uint32_t changed = 0;
        detail::check(lw_pool_report(handle(), detail::str(id), &outcome.raw(), &changed));
        return changed != 0;
    }
    void report_load(std::string_view id, std::optional<double> load, std::optional<double> remaining_ratio = {}) const
    {
        auto raw = detail::sized<lw_load>();
        raw.flags = (load ? LW_NODE_HAS_LOAD : 0u) | (remaining_ratio ? LW_NODE_HAS_REMAINING : 0u);
        raw.load = load.value_or(0.0);
        raw.remaining_ratio = remaining_ratio.value_or(0.0);
        detail::check(lw_pool_report_load(handle(), detail::str(id), &raw));
    }

    void set_nodes(const std::vector<NodeSpec> &nodes) const
    {
        Specs specs(nodes);
        detail::check(lw_pool_set_nodes(handle(), specs.raw.data(), specs.raw.size()));
    }
    void register_batch(const std::vector<NodeSpec> &nodes) const
    {
        Specs specs(nodes);
        detail::check(lw_pool_register_batch(handle(), specs.raw.data(), specs.raw.size(), nullptr));
    }
    /* `register` is a keyword of C++. */
    void register_node(const NodeSpec &node) const { register_batch({node}); }
    void deregister(std::string_view id) const { detail::check(lw_pool_deregister(handle(), detail::str(id))); }
    void drain(std::string_view id, bool on = true) const
    {
        detail::check(lw_pool_drain(handle(), detail::str(id), on ? 1 : 0));
    }
    void set_weight(std::string_view id, std::uint32_t weight) const
    {
        detail::check(lw_pool_set_weight(handle(), detail::str(id), weight));
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
    std::string strategy() const
    {
        return detail::copied(
            [&](char *b, std::size_t n, std::size_t *l) { return lw_pool_strategy(handle(), b, n, l); });
    }
    /* May be called in several threads at once. One that throws gives way to the fallback, and the pick tells of it. */
    void set_own_strategy(OwnStrategy strategy, std::string_view fallback = {}) const
    {
        auto owned = std::make_unique<OwnStrategy>(std::move(strategy));
        detail::check(lw_pool_set_own_strategy(handle(), &choose_own, owned.get(), &drop_own, detail::str(fallback)));
        owned.release();
    }

    /* All nodes in declared order. */
    std::vector<NodeStatus> nodes() const
    {
        std::vector<lw_node_status> raw(size() + 1, detail::sized<lw_node_status>());
        std::size_t len = 0;
        lw_status status;
        while ((status = lw_pool_nodes(handle(), raw.data(), raw.size(), &len)) == LW_ERR_BUFFER_TOO_SMALL)
            raw.assign(len + 1, detail::sized<lw_node_status>());
        detail::check(status);
        std::vector<NodeStatus> nodes;
        for (std::size_t i = 0; i < len; i++)
            nodes.push_back(described(raw[i]));
        return nodes;
    }
    std::size_t size() const
    {
        std::size_t len = 0;
        detail::check(lw_pool_len(handle(), &len));
        return len;
    }
    std::optional<lw_node_ref> find(std::string_view id) const
    {
        lw_node_ref node{};
        lw_status status = lw_pool_node(handle(), detail::str(id), &node);
        if (status == LW_ERR_UNKNOWN_NODE)
            return std::nullopt;
        detail::check(status);
        return node;
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
    struct Specs {
        std::vector<lw_node_spec> raw;
        std::vector<std::vector<lw_label>> labels;

        explicit Specs(const std::vector<NodeSpec> &nodes)
        {
            labels.reserve(nodes.size());
            for (const NodeSpec &node : nodes) {
                auto &own = labels.emplace_back();
                for (const auto &label : node.labels)
                    own.push_back(lw_label{detail::str(label.first), detail::str(label.second)});
                auto spec = detail::sized<lw_node_spec>();
                spec.weight = node.weight;
                spec.id = detail::str(node.id);
                spec.address = detail::str(node.address);
                spec.name = detail::str(node.name);
                spec.labels = own.data();
                spec.labels_len = own.size();
                spec.user_data = node.user_data;
                raw.push_back(spec);
            }
        }
    };

    static std::uint64_t make(std::string_view config)
    {
        lw_pool pool = 0;
        detail::check(lw_pool_new(config.data() ? config.data() : "", config.size(), &pool));
        return pool;
    }

    Picked pick_raw(const lw_request *request) const
    {
        auto pick = detail::sized<lw_pick>();
        lw_status status = lw_pool_pick(handle(), request, &pick);
        if (status == LW_OK)
            return Picked(std::in_place_type<Pick>, Pick(pick));
        return why(status);
    }

    static NoNode why(lw_status status)
    {
        if (!detail::is_no_node(status))
            detail::fail(status);
        auto raw = detail::sized<lw_no_node>();
        detail::check(lw_last_no_node(&raw));
        return NoNode{status, raw.retry_at_ns, (raw.flags & LW_PICK_CALLBACK_FAILED) != 0};
    }

    NodeStatus described(const lw_node_status &raw) const
    {
        auto text = [&](auto copy) {
            return detail::copied([&](char *buffer, std::size_t capacity, std::size_t *len) {
                return copy(handle(), raw.node, raw.generation, buffer, capacity, len);
            });
        };
        auto known = [&](std::uint32_t flag, double value) {
            return (raw.flags & flag) != 0 ? std::optional<double>(value) : std::nullopt;
        };
        NodeStatus node;
        node.id = text(lw_node_id);
        node.address = text(lw_node_address);
        node.name = text(lw_node_name);
        node.weight = raw.weight;
        node.health = raw.health;
        node.consecutive_failures = raw.consecutive_failures;
        node.draining = (raw.flags & LW_NODE_DRAINING) != 0;
        node.in_flight = raw.in_flight;
        node.user_data = raw.user_data;
        node.latency_ns = known(LW_NODE_HAS_LATENCY, raw.latency_ns);
        node.load = known(LW_NODE_HAS_LOAD, raw.load);
        node.remaining_ratio = known(LW_NODE_HAS_REMAINING, raw.remaining_ratio);
        node.node = lw_node_ref{raw.node, raw.generation};
        return node;
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
    static void drop_own(void *data) noexcept { delete static_cast<OwnStrategy *>(data); }

    detail::Handle<lw_pool_free> handle_;
};

/* A strategy over own arrays, without a pool. */
class Selector {
public:
    explicit Selector(std::string_view strategy) : handle_(make(strategy)) {}

    /* The index of the chosen item, or why there is none. */
    std::variant<NoNode, std::size_t> select(const std::vector<lw_item> &items, std::optional<std::string_view> key = {},
                                             const std::vector<std::size_t> &exclude = {}) const
    {
        auto selection = detail::sized<lw_selection>();
        if (key)
            selection.key = detail::str(key->data() ? *key : std::string_view(""));
        selection.exclude = exclude.data();
        selection.exclude_len = exclude.size();
        std::size_t index = 0;
        lw_status status = lw_select(handle_.get(), items.data(), items.size(), &selection, &index);
        if (status == LW_OK)
            return index;
        if (!detail::is_no_node(status))
            detail::fail(status);
        return NoNode{status, 0, false};
    }

private:
    static std::uint64_t make(std::string_view strategy)
    {
        lw_selector selector = 0;
        detail::check(lw_selector_new(detail::str(strategy), &selector));
        return selector;
    }

    detail::Handle<lw_selector_free> handle_;
};

/* Health of nodes that no pool knows. 0 is the default of each setting. */
class HealthTracker {
public:
    explicit HealthTracker(std::uint32_t failure_threshold = 0, std::uint32_t recovery_successes = 0,
                           std::chrono::milliseconds probe_interval = {})
        : handle_(make(failure_threshold, recovery_successes, probe_interval))
    {
    }

    void report_success(std::string_view id) const { report(id, LW_OUTCOME_SUCCESS); }
    void report_failure(std::string_view id) const { report(id, LW_OUTCOME_FAILURE); }
    void report_rate_limited(std::string_view id) const { report(id, LW_OUTCOME_RATE_LIMITED); }
    /* One of LW_HEALTH_*. */
    std::uint32_t status(std::string_view id) const
    {
        std::uint32_t status = 0;
        detail::check(lw_health_status(handle_.get(), detail::str(id), &status));
        return status;
    }
    bool should_probe(std::string_view id) const
    {
        std::uint32_t probe = 0;
        detail::check(lw_health_should_probe(handle_.get(), detail::str(id), &probe));
        return probe != 0;
    }
    lw_health_record health(std::string_view id) const
    {
        auto record = detail::sized<lw_health_record>();
        detail::check(lw_health_get(handle_.get(), detail::str(id), &record));
        return record;
    }
    /* Whether the node was known. */
    bool forget(std::string_view id) const
    {
        std::uint32_t known = 0;
        detail::check(lw_health_forget(handle_.get(), detail::str(id), &known));
        return known != 0;
    }

private:
    void report(std::string_view id, std::uint32_t kind) const
    {
        detail::check(lw_health_report(handle_.get(), detail::str(id), kind));
    }
    static std::uint64_t make(std::uint32_t failures, std::uint32_t successes, std::chrono::milliseconds interval)
    {
        auto config = detail::sized<lw_health_config>();
        config.failure_threshold = failures;
        config.recovery_successes = successes;
        config.probe_interval_ms = interval.count() > 0 ? static_cast<std::uint64_t>(interval.count()) : 0;
        lw_health health = 0;
        detail::check(lw_health_new(&config, &health));
        return health;
    }

    detail::Handle<lw_health_free> handle_;
};

} // namespace loadwise

#endif
