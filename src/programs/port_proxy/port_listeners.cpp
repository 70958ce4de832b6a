#include "programs/port_proxy/port_listeners.hpp"

#include <chrono>
#include <cstddef>
#include <string_view>
#include <utility>

#include "async/clock.hpp"
#include "async/task.hpp"
#include "base/episode.hpp"
#include "base/log.hpp"
#include "net/endpoint.hpp"
#include "net/listen_key.hpp"
#include "relay/sockets.hpp"

namespace port_proxy {
namespace {

namespace log = base::log;

constexpr std::string_view component = "ports";
constexpr std::size_t opened_in_one_go = 1'024;
constexpr std::chrono::milliseconds between_retries{10};

}  // namespace

port_listeners::port_listeners(const async::executor& where, port_listeners_options options)
    : options_(options), table_(options.retry, options.max_listeners), listeners_(options.relay), changed_(where) {}

void port_listeners::add(const net::listen_key& key, const net::endpoint& target) {
  const auto known = targets_.find(key);
  if (known != targets_.end() && known->second == target) return;
  if (known != targets_.end()) remove(key);
  if (table_.add(key, async::clock::now()) == listener_table::added::now) {
    targets_[key] = target;
  } else {
    log::throttled(full_, log::level::error, component, "too many listeners, ignored {} limit={}", to_string(key),
                   options_.max_listeners);
  }
}

void port_listeners::remove(const net::listen_key& key) {
  const auto was_open = table_.remove(key, async::clock::now());
  if (!was_open) return;
  targets_.erase(key);
  if (*was_open) listeners_.remove(key.protocol, key.endpoint());
  log::throttled(removed_, log::level::info, component, "removed {}", to_string(key));
}

void port_listeners::settle() {
  // A port that fails again is due later than `now`, so the loop ends.
  const auto now = async::clock::now();
  while (table_.next_due() <= now) open_due(now);
  changed_.notify_all();
}

void port_listeners::open_due(time_point now) {
  for (const auto& key : table_.due(now, opened_in_one_go)) open(key);
}

void port_listeners::open(const net::listen_key& key) {
  relay::listener_spec spec;
  spec.protocol = key.protocol;
  spec.listen = key.endpoint();
  spec.target = targets_.at(key);
  spec.udp_buffer_bytes = options_.udp_buffer_bytes;
  spec.dual_stack = key.address.is_unspecified();  // like a Go listener on a wildcard
  if (const auto opened = listeners_.add(spec); opened) {
    table_.opened(key);
    log::throttled(opened_, log::level::info, component, "listening on {} upstream={}", to_string(key),
                   net::to_string(spec.target));
  } else if (table_.failed(key, opened.error().code, async::clock::now())) {
    log::throttled(failed_, log::level::warn, component, "cannot listen on {}, retrying reason=\"{}\"", to_string(key),
                   opened.error().message());
  }
}

async::task<> port_listeners::run() {
  while (true) {
    co_await changed_.wait_until(table_.next_due());
    co_await async::sleep_for(between_retries);  // tries together what falls due meanwhile
    open_due(async::clock::now());
  }
}

}  // namespace port_proxy
