/* loadwise for C++17: loadwise.h with owners, exceptions and callables. Header-only. How to use it: docs/c.md.
   SPDX-License-Identifier: MIT OR Apache-2.0

   loadwise/error.hpp          errors
   loadwise/request.hpp        what a request asks for, and how an attempt ended
   loadwise/pick.hpp           picks
   loadwise/node.hpp           nodes
   loadwise/process.hpp        processes that share a state
   loadwise/event.hpp          observers, and those who wait
   loadwise/store.hpp          state stores
   loadwise/pool.hpp           pools
   loadwise/engine.hpp         all pools of a configuration
   loadwise/without_pool.hpp   selection and health without a pool  */

#ifndef LOADWISE_HPP
#define LOADWISE_HPP

#include "loadwise/engine.hpp"
#include "loadwise/without_pool.hpp"

#endif
