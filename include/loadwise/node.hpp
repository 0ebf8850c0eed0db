/* Nodes, as they are described and as they are seen. Part of loadwise.hpp. SPDX-License-Identifier: MIT OR Apache-2.0 */

#ifndef LOADWISE_NODE_HPP
#define LOADWISE_NODE_HPP

#include "error.hpp"

#include <optional>

namespace loadwise {

using Labels = std::vector<std::pair<std::string, std::string>>;

/* A node as its user describes it. */
struct NodeSpec {
    std::string id;
    std::string address = {}; /* empty: the id */
    std::string name = {};
    std::uint32_t weight = 1;
    Labels labels = {};
    std::uint64_t user_data = 0;
    std::uint32_t tier = 0; /* 0: primary; 1 to 7: backups */
    std::string zone = {};
    std::uint32_t max_in_flight = 0; /* 0: unlimited */
    std::vector<std::pair<std::string, std::uint64_t>> quotas = {}; /* its own limits, by dimension */
};

/* A node at one moment. */
struct NodeStatus {
    std::string id, address, name;
    std::uint32_t weight = 0, health = 0, consecutive_failures = 0;
    bool draining = false;
    std::uint64_t in_flight = 0, user_data = 0;
    std::optional<double> latency_ns, load, remaining_ratio;
    lw_node_ref node{};
    std::uint32_t tier = 0, breaker = LW_BREAKER_CLOSED, max_in_flight = 0;
    bool available = false, drained = false, ejected = false;
    double warming = 1.0; /* the share of its weight that slow start allows */
    std::optional<double> success_rate;
    std::uint64_t hold_until_ns = 0; /* 0 while it is not down */
};

namespace detail {

/* What a call that takes nodes is given: points into the descriptions. */
struct Specs {
    std::vector<lw_node_spec> raw;

    explicit Specs(const std::vector<NodeSpec> &nodes)
    {
        /* Reserved at once, so that what the structs point to stays where it is. */
        labels_.reserve(nodes.size());
        quotas_.reserve(nodes.size());
        for (const NodeSpec &node : nodes) {
            auto &labels = labels_.emplace_back();
            for (const auto &label : node.labels)
                labels.push_back(lw_label{str(label.first), str(label.second)});
            auto &quotas = quotas_.emplace_back();
            for (const auto &quota : node.quotas)
                quotas.push_back(lw_amount{str(quota.first), quota.second});
            auto spec = sized<lw_node_spec>();
            spec.weight = node.weight;
            spec.id = str(node.id);
            spec.address = str(node.address);
            spec.name = str(node.name);
            spec.labels = labels.data();
            spec.labels_len = labels.size();
            spec.user_data = node.user_data;
            spec.tier = node.tier;
            spec.max_in_flight = node.max_in_flight;
            spec.zone = str(node.zone);
            spec.quotas = quotas.data();
            spec.quotas_len = quotas.size();
            raw.push_back(spec);
        }
    }

private:
    std::vector<std::vector<lw_label>> labels_;
    std::vector<std::vector<lw_amount>> quotas_;
};

/* One of a node's texts, by `copy`: lw_node_id, lw_node_address, ... */
template <class Copy> std::string node_text(lw_pool pool, lw_node_ref node, Copy copy)
{
    return copied([&](char *buffer, std::size_t capacity, std::size_t *len) {
        return copy(pool, node.node, node.generation, buffer, capacity, len);
    });
}

inline NodeStatus described(lw_pool pool, const lw_node_status &raw)
{
    auto known = [&](std::uint32_t flag, double value) {
        return (raw.flags & flag) != 0 ? std::optional<double>(value) : std::nullopt;
    };
    NodeStatus node;
    node.node = lw_node_ref{raw.node, raw.generation};
    node.id = node_text(pool, node.node, lw_node_id);
    node.address = node_text(pool, node.node, lw_node_address);
    node.name = node_text(pool, node.node, lw_node_name);
    node.weight = raw.weight;
    node.health = raw.health;
    node.consecutive_failures = raw.consecutive_failures;
    node.draining = (raw.flags & LW_NODE_DRAINING) != 0;
    node.in_flight = raw.in_flight;
    node.user_data = raw.user_data;
    node.latency_ns = known(LW_NODE_HAS_LATENCY, raw.latency_ns);
    node.load = known(LW_NODE_HAS_LOAD, raw.load);
    node.remaining_ratio = known(LW_NODE_HAS_REMAINING, raw.remaining_ratio);
    node.tier = raw.tier;
    node.breaker = raw.breaker;
    node.max_in_flight = raw.max_in_flight;
    node.available = (raw.flags & LW_NODE_AVAILABLE) != 0;
    node.drained = (raw.flags & LW_NODE_DRAINED) != 0;
    node.ejected = (raw.flags & LW_NODE_EJECTED) != 0;
    node.warming = raw.warming;
    node.success_rate = known(LW_NODE_HAS_SUCCESS_RATE, raw.success_rate);
    node.hold_until_ns = raw.hold_until_ns;
    return node;
}

} // namespace detail

} // namespace loadwise

#endif
