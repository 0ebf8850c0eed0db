/* What a request asks for, and how an attempt ended. Part of loadwise.hpp. SPDX-License-Identifier: MIT OR Apache-2.0 */

#ifndef LOADWISE_REQUEST_HPP
#define LOADWISE_REQUEST_HPP

#include "error.hpp"

#include <functional>
#include <optional>

namespace loadwise {

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

    /* The caller's zone, for pools that prefer near nodes. */
    Request &zone(std::string_view zone)
    {
        raw_.zone = detail::str(zone);
        return *this;
    }
    /* Whose session it is: any bytes. A pool with `affinity` keeps it on its node. */
    Request &session(std::string_view session)
    {
        raw_.session = detail::str(session.data() ? session : std::string_view(""));
        return *this;
    }
    /* What the request is expected to use of a quota. */
    Request &cost(std::string_view dimension, std::uint64_t amount)
    {
        cost_.push_back(lw_amount{detail::str(dimension), amount});
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
        raw.cost = cost_.data();
        raw.cost_len = cost_.size();
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
    std::vector<lw_amount> cost_;
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
        outcome.raw_.retry_after_ns = detail::nanoseconds(retry_after);
        return outcome;
    }
    static Outcome cancelled() { return Outcome(LW_OUTCOME_CANCELLED); }

    Outcome &latency(std::chrono::nanoseconds latency)
    {
        raw_.latency_ns = detail::nanoseconds(latency);
        return *this;
    }
    Outcome &now_ns(std::uint64_t now_ns)
    {
        raw_.now_ns = now_ns;
        return *this;
    }
    /* What was used of a quota, in place of what the request was expected to cost. The text is not copied. */
    Outcome &usage(std::string_view dimension, std::uint64_t amount)
    {
        usage_.push_back(lw_amount{detail::str(dimension), amount});
        return *this;
    }
    /* For a call: points into this outcome. */
    lw_outcome raw() const noexcept
    {
        lw_outcome raw = raw_;
        raw.usage = usage_.data();
        raw.usage_len = usage_.size();
        return raw;
    }

private:
    explicit Outcome(std::uint32_t kind) : raw_(detail::sized<lw_outcome>()) { raw_.kind = kind; }

    lw_outcome raw_;
    std::vector<lw_amount> usage_;
};

} // namespace loadwise

#endif
