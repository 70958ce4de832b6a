#include "wslproxy/port_proxy.hpp"

#include "base/log.hpp"
#include "io/timeout.hpp"

namespace wslproxy {
namespace {

namespace log = base::log;

constexpr std::string_view component = "ports";
constexpr std::size_t opened_in_one_go = 1'024;

net::endpoint endpoint_of(const listener_key& key) { return {key.ip, key.port}; }

}  // namespace

port_proxy::port_proxy(const io::executor& where, port_proxy_options options)
    : options_(options), table_(options.retry, options.max_listeners), listeners_(options.relay), changed_(where) {}

void port_proxy::handle(const portmapping::message& m) {
  for (const auto& b : m.bindings) {
    if (m.remove)
      remove(key_of(b));
    else
      add(key_of(b));
  }
  // A port that fails again is due later than this: the loop ends.
  const auto now = io::clock::now();
  while (table_.next_due() <= now) open_due(now);
  changed_.notify_all();
}

void port_proxy::add(const listener_key& key) {
  const auto result = table_.add(key, io::clock::now());
  if (result == listener_table::added::full && !std::exchange(full_, true))
    log::error(component, "too many listeners, ignored {} and what follows limit={}", to_string(key),
               options_.max_listeners);
}

void port_proxy::remove(const listener_key& key) {
  const auto was_open = table_.remove(key, io::clock::now());
  if (!was_open) return;
  full_ = false;
  if (*was_open) listeners_.remove(key.protocol, endpoint_of(key));
  log::info(component, "removed {}", to_string(key));
}

void port_proxy::open_due(time_point now) {
  for (const auto& key : table_.due(now, opened_in_one_go)) open(key);
}

void port_proxy::open(const listener_key& key) {
  relay::listener_spec spec;
  spec.protocol = key.protocol;
  spec.listen = endpoint_of(key);
  spec.target = {options_.upstream, key.port};
  spec.udp_buffer_bytes = options_.udp_buffer_bytes;
  spec.dual_stack = key.ip.is_unspecified();  // as a Go listener on a wildcard is
  if (const auto opened = listeners_.add(spec); opened) {
    table_.opened(key);
    log::info(component, "listening on {} upstream={}", to_string(key), net::to_string(spec.target));
  } else if (table_.failed(key, opened.error().code, io::clock::now())) {
    log::warn(component, "cannot listen on {}, trying on reason=\"{}\"", to_string(key), opened.error().message());
  }
}

io::task<> port_proxy::run() {
  while (true) {
    co_await changed_.wait_until(table_.next_due());
    co_await io::check_cancelled();
    open_due(io::clock::now());
  }
}

}  // namespace wslproxy
