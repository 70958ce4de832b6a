// run_task: runs one coroutine to its end from a test that is not one. Fails the program with a message after 20 s.
#pragma once

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <chrono>
#include <future>
#include <stdexcept>

#include "async/task.hpp"

namespace support {

template <class T>
T run_task(boost::asio::io_context& context, async::task<T> work) {
  auto result = boost::asio::co_spawn(context, std::move(work), boost::asio::use_future);
  const auto deadline = async::clock::now() + std::chrono::seconds(20);
  context.restart();
  while (result.wait_for(std::chrono::seconds(0)) != std::future_status::ready) {
    if (async::clock::now() > deadline) throw std::runtime_error("run_task: no end within 20 s");
    context.run_one_for(std::chrono::milliseconds(50));
    if (context.stopped()) context.restart();
  }
  return result.get();
}

}  // namespace support
