/* A state store of the host's own. Part of loadwise.hpp. SPDX-License-Identifier: MIT OR Apache-2.0 */

#ifndef LOADWISE_STORE_HPP
#define LOADWISE_STORE_HPP

#include "error.hpp"

#include <optional>

namespace loadwise {

/* A map of states, which are JSON texts, by ids of nodes, kept anywhere. What its functions throw makes the call that needs
   them throw Error, LW_ERR_STORE. */
class Store {
public:
    virtual ~Store() = default;
    virtual std::optional<std::string> get(std::string_view id) = 0;
    virtual void put(std::string_view id, std::string_view state) = 0;
    virtual void remove(std::string_view id) = 0;
    virtual std::vector<std::pair<std::string, std::string>> list() = 0;

    /* For a call: points to this store. */
    lw_store raw() noexcept
    {
        auto raw = detail::sized<lw_store>();
        raw.user_data = this;
        raw.get = &get_of;
        raw.put = &put_of;
        raw.remove = &remove_of;
        raw.list = &list_of;
        return raw;
    }

private:
    static std::string_view view(lw_str text) { return std::string_view(text.data, text.len); }
    template <class Call> static std::int32_t contained(void *data, Call call) noexcept
    {
        try {
            call(*static_cast<Store *>(data));
            return 0;
        } catch (...) {
            return -1;
        }
    }
    static void add(lw_entries *entries, std::string_view id, std::string_view state)
    {
        detail::check(lw_entries_add(entries, detail::str(id), detail::str(state)));
    }

    static std::int32_t get_of(void *data, lw_str id, lw_entries *found) noexcept
    {
        return contained(data, [&](Store &store) {
            if (std::optional<std::string> state = store.get(view(id)))
                add(found, view(id), *state);
        });
    }
    static std::int32_t put_of(void *data, lw_str id, lw_str state) noexcept
    {
        return contained(data, [&](Store &store) { store.put(view(id), view(state)); });
    }
    static std::int32_t remove_of(void *data, lw_str id) noexcept
    {
        return contained(data, [&](Store &store) { store.remove(view(id)); });
    }
    static std::int32_t list_of(void *data, lw_entries *all) noexcept
    {
        return contained(data, [&](Store &store) {
            for (const auto &entry : store.list())
                add(all, entry.first, entry.second);
        });
    }
};

} // namespace loadwise

#endif
