/* Processes that share a state. Part of loadwise.hpp. SPDX-License-Identifier: MIT OR Apache-2.0 */

#ifndef LOADWISE_PROCESS_HPP
#define LOADWISE_PROCESS_HPP

#include "error.hpp"

namespace loadwise {

/* A process that is attached to a shared state. */
struct ProcessStatus {
    std::uint32_t row = 0, pid = 0;
    std::string command;
    bool is_own = false; /* it is the one that asks */
    bool alive = false, in_namespace = false;
    std::uint64_t since_ns = 0, heartbeat_ns = 0; /* on the clock of lw_now_ns */
    std::uint64_t in_flight = 0, repeats = 0;
};

namespace detail {

/* The processes that a call writes. `call` gets structs, capacity and length. */
template <class Call> std::vector<ProcessStatus> processes(Call call)
{
    std::vector<ProcessStatus> processes;
    for (const lw_process_status &raw : listed<lw_process_status>(8, call)) {
        ProcessStatus process;
        process.row = raw.row;
        process.pid = raw.pid;
        process.command = raw.command;
        process.is_own = (raw.flags & LW_PROCESS_OWN) != 0;
        process.alive = (raw.flags & LW_PROCESS_ALIVE) != 0;
        process.in_namespace = (raw.flags & LW_PROCESS_IN_NAMESPACE) != 0;
        process.since_ns = raw.since_ns;
        process.heartbeat_ns = raw.heartbeat_ns;
        process.in_flight = raw.in_flight;
        process.repeats = raw.repeats;
        processes.push_back(std::move(process));
    }
    return processes;
}

} // namespace detail

} // namespace loadwise

#endif
