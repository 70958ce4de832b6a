// listener_table: the listeners that messages ask for, which of them are open, and when to try the others again. Pure:
// it opens nothing itself, and time is an argument.
//
// The wildcards of both families are one key, 0.0.0.0. A listener is
//   waiting   not open; due at once at first      opened() or failed() after a try; remove()
//   open                                          remove()
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

  // A new listener is due at once. Rejected if the table holds `limit` already.
  added add(const net::listen_key& key, time_point now);
  // Whether it was open; nullopt: it is not in the table. Listeners that wait for the same port become due at once, as
  // this one may have kept them from opening.
  std::optional<bool> remove(const net::listen_key& key, time_point now);

  // The waiting listeners that are due, at most `limit`; report each to opened() or failed().
  [[nodiscard]] std::vector<net::listen_key> due(time_point now, std::size_t limit) const;
  [[nodiscard]] time_point next_due() const;  // max(): none waits

  void opened(const net::listen_key& key);
  // Whether to log it: the first failure, or one with another reason than the last.
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
