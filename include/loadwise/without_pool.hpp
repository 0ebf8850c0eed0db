/* Selection and health without a pool. Part of loadwise.hpp. SPDX-License-Identifier: MIT OR Apache-2.0 */

#ifndef LOADWISE_WITHOUT_POOL_HPP
#define LOADWISE_WITHOUT_POOL_HPP

#include "error.hpp"

#include <optional>
#include <variant>

namespace loadwise {

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
