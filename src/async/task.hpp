// The coroutine vocabulary of the whole program. Most code needs only async::task and async::nothrow of it; code that
// opens sockets or streams uses Asio directly. One io_context, one thread: nothing here is thread-safe.
//
// A coroutine's frame keeps its parameters and nothing else: give it its state by value, or by a reference that
// outlives it. A lambda's captures live in the lambda, not in the frame: a coroutine is a named function.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>

#include "async/clock.hpp"

namespace async {

namespace asio = boost::asio;

template <class T = void>
using task = asio::awaitable<T>;

using executor = asio::any_io_executor;

// Completion token for operations that return their failure: auto [ec, n] = co_await socket.async_read_some(b,
// async::nothrow).
inline constexpr auto nothrow = asio::as_tuple(asio::use_awaitable);

// Throws boost::system::system_error(operation_aborted) once the running task has been cancelled. The operations of
// this directory call it; call it in loops that use async::nothrow with Asio directly, or they never notice their
// cancellation.
task<> check_cancelled();

// Lets all other ready tasks run first; for long loops. Cancelled: throws operation_aborted.
task<> yield();

// Waits. Cancelled: throws operation_aborted.
task<> sleep_until(clock::time_point when);
task<> sleep_for(clock::duration how_long);

}  // namespace async
