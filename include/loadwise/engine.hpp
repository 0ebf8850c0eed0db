/* Engines: all pools of one configuration. Part of loadwise.hpp. SPDX-License-Identifier: MIT OR Apache-2.0 */

#ifndef LOADWISE_ENGINE_HPP
#define LOADWISE_ENGINE_HPP

#include "pool.hpp"


namespace loadwise {

/* All pools of one configuration, by name. All members may be called from any thread, but for moving and destroying it. */
class Engine {
public:
    /* From a file, which reload() reads again. Throws Error, whose message names the file, the key and the line. */
    static Engine open(std::string_view path)
    {
        return made([&](lw_engine *raw) { return lw_engine_open(detail::str(path), raw); });
    }
    static Engine from_config(std::string_view config)
    {
        return made([&](lw_engine *raw) { return lw_engine_from_config(detail::data(config), config.size(), raw); });
    }
    /* The pools of a shared state that is there, without a configuration of one's own. */
    static Engine attach(std::string_view path)
    {
        return made([&](lw_engine *raw) { return lw_engine_attach(detail::str(path), raw); });
    }
    /* To look at only, without being one of the processes. */
    static Engine view(std::string_view path)
    {
        return made([&](lw_engine *raw) { return lw_engine_view(detail::str(path), raw); });
    }

    /* The pool of a name: ask once and keep it. It may outlive the engine. */
    Pool pool(std::string_view name) const
    {
        lw_pool raw = 0;
        detail::check(lw_engine_pool(handle(), detail::str(name), &raw));
        return Pool(detail::Handle<lw_pool_free>(raw));
    }
    /* In the order of the document. */
    std::vector<std::string> names() const
    {
        std::vector<std::string> names;
        std::size_t len = 0;
        detail::check(lw_engine_len(handle(), &len));
        for (std::size_t i = 0; i < len; i++)
            names.push_back(detail::copied(
                [&](char *b, std::size_t n, std::size_t *l) { return lw_engine_name(handle(), i, b, n, l); }));
        return names;
    }

    /* Reads the file again, and puts it in force as a whole, or throws and leaves all as it is. */
    lw_reloaded reload() const
    {
        return reloaded([&](lw_reloaded *done) { return lw_engine_reload(handle(), done); });
    }
    lw_reloaded reload_from(std::string_view config) const
    {
        return reloaded(
            [&](lw_reloaded *done) { return lw_engine_reload_from(handle(), detail::data(config), config.size(), done); });
    }
    /* The same, but for pools whose configuration is the one that was last put in force, by whichever process. */
    lw_reloaded reload_if_new() const
    {
        return reloaded([&](lw_reloaded *done) { return lw_engine_reload_if_new(handle(), done); });
    }
    lw_reloaded reload_from_if_new(std::string_view config) const
    {
        return reloaded([&](lw_reloaded *done) {
            return lw_engine_reload_from_if_new(handle(), detail::data(config), config.size(), done);
        });
    }
    /* Takes one pool out, as a reload does whose document does not have it; whether there was one of that name. */
    bool remove(std::string_view name) const
    {
        std::uint32_t removed = 0;
        detail::check(lw_engine_remove(handle(), detail::str(name), &removed));
        return removed != 0;
    }
    std::uint64_t version() const
    {
        std::uint64_t version = 0;
        detail::check(lw_engine_version(handle(), &version));
        return version;
    }

    /* The configuration in force, as JSON. */
    std::string config() const { return text(lw_engine_config); }
    /* In what pools that were there already are configured otherwise, as JSON. */
    std::string differences() const { return text(lw_engine_differences); }
    /* The file of the shared state; empty if it is this process's alone. */
    std::string shared_path() const { return text(lw_engine_shared_path); }
    /* Why this process goes on alone although its configuration says `shared`; empty if it does not. */
    std::string private_because() const { return text(lw_engine_private_because); }
    /* Those that share the state, with their unfinished picks of all pools. */
    std::vector<ProcessStatus> processes() const
    {
        return detail::processes([&](lw_process_status *processes, std::size_t capacity, std::size_t *len) {
            return lw_engine_processes(handle(), processes, capacity, len);
        });
    }
    /* The figures of all pools, as JSON. */
    std::string stats(std::uint64_t now_ns = 0) const
    {
        return detail::copied(
            [&](char *b, std::size_t n, std::size_t *l) { return lw_engine_stats(handle(), now_ns, b, n, l); });
    }
    /* The metrics of all pools, in one of LW_METRICS_*. */
    std::string metrics(std::uint32_t format = LW_METRICS_PROMETHEUS) const
    {
        return detail::copied(
            [&](char *b, std::size_t n, std::size_t *l) { return lw_engine_metrics(handle(), format, b, n, l); });
    }
    /* Does what is due in all pools; to be called about once a second. */
    lw_maintained maintain(std::uint64_t now_ns = 0) const
    {
        auto done = detail::sized<lw_maintained>();
        detail::check(lw_engine_maintain(handle(), now_ns, &done));
        return done;
    }

    lw_engine handle() const noexcept { return handle_.get(); }

private:
    explicit Engine(lw_engine handle) noexcept : handle_(handle) {}

    template <class Open> static Engine made(Open open)
    {
        lw_engine raw = 0;
        detail::check(open(&raw));
        return Engine(raw);
    }
    template <class Reload> static lw_reloaded reloaded(Reload reload)
    {
        auto done = detail::sized<lw_reloaded>();
        detail::check(reload(&done));
        return done;
    }
    template <class Copy> std::string text(Copy copy) const
    {
        return detail::copied([&](char *b, std::size_t n, std::size_t *l) { return copy(handle(), b, n, l); });
    }

    detail::Handle<lw_engine_free> handle_;
};

} // namespace loadwise

#endif
