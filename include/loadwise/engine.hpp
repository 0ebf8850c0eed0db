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
        Engine engine;
        lw_engine raw = 0;
        detail::check(lw_engine_open(detail::str(path), &raw));
        engine.handle_ = detail::Handle<lw_engine_free>(raw);
        return engine;
    }
    static Engine from_config(std::string_view config)
    {
        Engine engine;
        lw_engine raw = 0;
        detail::check(lw_engine_from_config(config.data() ? config.data() : "", config.size(), &raw));
        engine.handle_ = detail::Handle<lw_engine_free>(raw);
        return engine;
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
        auto done = detail::sized<lw_reloaded>();
        detail::check(lw_engine_reload(handle(), &done));
        return done;
    }
    lw_reloaded reload_from(std::string_view config) const
    {
        auto done = detail::sized<lw_reloaded>();
        detail::check(lw_engine_reload_from(handle(), config.data() ? config.data() : "", config.size(), &done));
        return done;
    }
    std::uint64_t version() const
    {
        std::uint64_t version = 0;
        detail::check(lw_engine_version(handle(), &version));
        return version;
    }

    /* The configuration in force, as JSON. */
    std::string config() const
    {
        return detail::copied([&](char *b, std::size_t n, std::size_t *l) { return lw_engine_config(handle(), b, n, l); });
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
    Engine() = default;

    detail::Handle<lw_engine_free> handle_;
};

} // namespace loadwise

#endif
