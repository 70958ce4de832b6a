// listener_table: which listeners the messages ask for, which of them are open, and when the others are to be tried
// again. Pure: opens nothing itself, and time is an argument.
//
// A listener is keyed by protocol, address and port; the wildcard of either family is one key, 0.0.0.0. It is
//   waiting   not open: due at some time, now at first             opened() or failed() after a try; remove()
//   open                                                            remove()
#pragma once

#include <chrono>
#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <system_error>
#include <utility>
#include <vector>

#include "base/backoff.hpp"
#include "net/listen_key.hpp"
#include "protocols/port_mapping/message.hpp"

namespace port_proxy {

using time_point = std::chrono::steady_clock::time_point;

// The key of the listener that a binding asks for.
[[nodiscard]] net::listen_key key_of(const port_mapping::binding& b);

class listener_table {
 public:
  enum class added { now, known, full };

  listener_table(base::backoff retry, std::size_t limit) : retry_(retry), limit_(limit) {}

  // A new one is due at once. Not taken where `limit` listeners are wanted already.
  added add(const net::listen_key& key, time_point now);
  // Whether it was open; nullopt: nobody had asked for it. Listeners that wait for the same port become due at once,
  // since this one may have been what was in their way.
  std::optional<bool> remove(const net::listen_key& key, time_point now);

  // The waiting listeners that are due, at most `limit`; report each to opened() or failed().
  [[nodiscard]] std::vector<net::listen_key> due(time_point now, std::size_t limit) const;
  [[nodiscard]] time_point next_due() const;  // max(): nothing waits

  void opened(const net::listen_key& key);
  // True where this is news: the first failure, or one for another reason than the last.
  bool failed(const net::listen_key& key, std::error_code why, time_point now);

  [[nodiscard]] std::size_t size() const { return entries_.size(); }
  [[nodiscard]] std::size_t waiting() const { return schedule_.size(); }

 private:
  struct entry {
    bool open = false;
    time_point due{};  // while waiting
    unsigned failures = 0;
    std::error_code why;
  };
  void schedule(const net::listen_key& key, entry& e, time_point when);

  base::backoff retry_;
  std::size_t limit_;
  std::map<net::listen_key, entry> entries_;
  std::set<std::pair<time_point, net::listen_key>> schedule_;  // the waiting ones
};

}  // namespace port_proxy
