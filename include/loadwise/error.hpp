/* Errors, and what all the rest is made with. Part of loadwise.hpp. SPDX-License-Identifier: MIT OR Apache-2.0 */

#ifndef LOADWISE_ERROR_HPP
#define LOADWISE_ERROR_HPP

#include "../loadwise.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
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
    /* The word for it, as "all_excluded". */
    const char *name() const noexcept { return lw_no_node_name(status); }
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

/* The nanoseconds of a duration; 0, which is "not given", for none and less. */
inline std::uint64_t nanoseconds(std::chrono::nanoseconds duration)
{
    return duration.count() > 0 ? static_cast<std::uint64_t>(duration.count()) : 0;
}

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

/* Why no node was found, if that is what a call says; else throws. */
inline NoNode why(lw_status status)
{
    if (!is_no_node(status))
        fail(status);
    auto raw = sized<lw_no_node>();
    check(lw_last_no_node(&raw));
    return NoNode{status, raw.retry_at_ns, (raw.flags & LW_PICK_CALLBACK_FAILED) != 0};
}

/* A list that a call writes. `call` gets structs, capacity and length; `room` is a first guess. */
template <class T, class Call> std::vector<T> listed(std::size_t room, Call call)
{
    std::vector<T> list(room + 1, sized<T>());
    std::size_t len = 0;
    lw_status status;
    while ((status = call(list.data(), list.size(), &len)) == LW_ERR_BUFFER_TOO_SMALL)
        list.assign(len + 1, sized<T>());
    check(status);
    list.resize(len);
    return list;
}

/* The start of a text, which is never NULL. */
inline const char *data(std::string_view text) { return text.data() ? text.data() : ""; }

/* Lets a callback of the ABI call a std::function: its user_data is one of the heap, and this its drop. */
template <class Function> void drop_function(void *data) noexcept
{
    delete static_cast<Function *>(data);
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

} // namespace loadwise

#endif
