/* Picks. Part of loadwise.hpp. SPDX-License-Identifier: MIT OR Apache-2.0 */

#ifndef LOADWISE_PICK_HPP
#define LOADWISE_PICK_HPP

#include "request.hpp"

#include <variant>

namespace loadwise {

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
        lw_outcome raw = outcome.raw();
        bool ended = lw_pick_finish(&raw_, &raw) == LW_OK;
        raw_.ticket = 0;
        return ended;
    }
    /* Notes the first token (or byte) of the answer: the time since the pick is its latency, and the finish records none.
       Whether this was the first; false, too, where `finish` would be. Time 0 reads the clock. */
    bool first_token(std::uint64_t now_ns = 0) noexcept
    {
        std::uint32_t first = 0;
        return raw_.ticket != 0 && lw_pick_first_token(&raw_, now_ns, &first) == LW_OK && first != 0;
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

} // namespace loadwise

#endif
