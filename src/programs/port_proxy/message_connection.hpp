// message_connection: one client of a message server, and the message that it has sent in part. Owned by the server's
// list and by the task that watches it. Use nothing but is_open() after close().
#pragma once

#include <boost/asio/posix/stream_descriptor.hpp>
#include <cstdint>
#include <functional>
#include <string_view>

#include "async/task.hpp"
#include "base/episode.hpp"
#include "base/unique_fd.hpp"
#include "json/stream_splitter.hpp"
#include "programs/port_proxy/caller.hpp"
#include "protocols/port_mapping/message.hpp"

namespace port_proxy {

class message_connection {
 public:
  using handler = std::function<void(const port_mapping::message&, const caller&)>;

  // `number` is for the log.
  message_connection(const async::executor& where, base::unique_fd fd, std::uint64_t number, caller who);

  // Reads what the kernel has, up to a bound, and passes complete messages to `take`. Closes the connection at its end,
  // or if it sends anything but messages; `ignored` limits the log lines about that.
  void drain(const handler& take, base::log::throttle& ignored);
  async::task<> readable();
  void close();

  [[nodiscard]] bool is_open() const { return open_; }
  [[nodiscard]] const caller& who() const { return who_; }
  [[nodiscard]] std::uint64_t number() const { return number_; }
  [[nodiscard]] async::clock::time_point heard() const { return heard_; }

 private:
  void feed(std::string_view bytes, const handler& take, base::log::throttle& ignored);
  void hand_over(const std::string& document, const handler& take, base::log::throttle& ignored) const;

  async::asio::posix::stream_descriptor stream_;
  std::uint64_t number_;
  caller who_;
  json::stream_splitter documents_;
  async::clock::time_point heard_ = async::clock::now();
  bool open_ = true;
};

}  // namespace port_proxy
