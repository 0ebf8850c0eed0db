/* What happens in a pool, and waiting for it. Part of loadwise.hpp. SPDX-License-Identifier: MIT OR Apache-2.0 */

#ifndef LOADWISE_EVENT_HPP
#define LOADWISE_EVENT_HPP

#include "error.hpp"

#include <functional>
#include <memory>
#include <optional>

namespace loadwise {

/* Something that happened in a pool. Its texts live during the call alone. */
struct Event {
    std::uint32_t kind = 0; /* one of LW_EVENT_* */
    lw_pool pool = 0;
    std::optional<lw_node_ref> node; /* none: it concerns the pool */
    std::uint32_t from = 0, to = 0; /* what was before, what is now; see LW_EVENT_* */
    std::uint64_t at_ns = 0;
    std::string_view strategy; /* of a selection */
    std::vector<std::string_view> added, removed; /* ids, of a change of nodes */
};

/* Called in whichever thread makes it happen, in several at once. What it throws is lost. */
using Observer = std::function<void(const Event &)>;

namespace detail {

inline void tell(const lw_event *raw, void *data) noexcept
{
    try {
        auto texts = [](const lw_str *list, std::size_t len) {
            std::vector<std::string_view> ids;
            for (std::size_t i = 0; i < len; i++)
                ids.emplace_back(list[i].data, list[i].len);
            return ids;
        };
        Event event;
        event.kind = raw->kind;
        event.pool = raw->pool;
        if (raw->generation != 0)
            event.node = lw_node_ref{raw->node, raw->generation};
        event.from = raw->from;
        event.to = raw->to;
        event.at_ns = raw->at_ns;
        event.strategy = std::string_view(raw->strategy.data, raw->strategy.len);
        event.added = texts(raw->added, raw->added_len);
        event.removed = texts(raw->removed, raw->removed_len);
        (*static_cast<const Observer *>(data))(event);
    } catch (...) {
    }
}

inline void wake(void *data) noexcept
{
    try {
        (*static_cast<const std::function<void()> *>(data))();
    } catch (...) {
    }
}

/* Ends by `Stop` what a pool has begun under a number. */
template <lw_status (*Stop)(lw_pool, std::uint64_t, std::uint32_t *)> class Registration {
public:
    Registration(lw_pool pool, std::uint64_t id) noexcept : pool_(pool), id_(id) {}
    Registration(Registration &&other) noexcept : pool_(other.pool_), id_(std::exchange(other.id_, 0)) {}
    Registration &operator=(Registration &&other) noexcept
    {
        if (this != &other) {
            stop();
            pool_ = other.pool_;
            id_ = std::exchange(other.id_, 0);
        }
        return *this;
    }
    ~Registration() { stop(); }

    /* Whether it was still going on. */
    bool stop() noexcept
    {
        std::uint32_t was = 0;
        if (id_ != 0)
            Stop(pool_, std::exchange(id_, 0), &was);
        return was != 0;
    }
    /* Goes on with it as long as the pool lives. */
    void detach() noexcept { id_ = 0; }

private:
    lw_pool pool_;
    std::uint64_t id_;
};

} // namespace detail

/* An observer of a pool, until this ends. */
using Observation = detail::Registration<lw_pool_stop_observing>;

/* A place in the queue of those who wait for room, until this ends. `stop` tells whether it was not woken. */
using Waiting = detail::Registration<lw_pool_stop_waiting>;

} // namespace loadwise

#endif
