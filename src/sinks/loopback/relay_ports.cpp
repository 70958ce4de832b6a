#include "sinks/loopback/relay_ports.hpp"

#include <set>

namespace loopback {

base::result<> relay_ports::open(const relayed_port& port) {
  const net::endpoint target{port.key.address, port.key.port};
  bool somewhere = false;
  for (const auto& at : port.listen) {
    const listener_key key{port.key.protocol, {at, port.key.port}};
    auto added = base::result<>{};
    const auto open = listening_.find(key);
    if (open != listening_.end() && open->second != target)
      return base::fail(std::errc::address_in_use, "another address of this port");
    if (open == listening_.end())
      added = listeners_.add({.protocol = key.first, .listen = key.second, .target = target});
    if (!added && added.error().code == std::errc::address_not_available) continue;
    if (!added) return added;
    listening_[key] = target;
    somewhere = true;
  }
  if (!somewhere && !port.listen.empty())
    return base::fail(std::errc::address_not_available, "no address to listen on");
  return {};
}

template <class Stays>
void relay_ports::close_unless(const Stays& stays) {
  std::erase_if(listening_, [&](const auto& open) {
    if (stays(open)) return false;
    listeners_.remove(open.first.first, open.first.second);
    return true;
  });
}

void relay_ports::close(const ports::port_key& key) {
  const net::endpoint target{key.address, key.port};
  close_unless([&](const auto& open) { return open.first.first != key.protocol || open.second != target; });
}

relay_ports::troubles relay_ports::set(const std::vector<relayed_port>& wanted) {
  troubles failed;
  std::map<listener_key, net::endpoint> target;
  for (const auto& port : wanted)
    for (const auto& at : port.listen)
      target.emplace(listener_key{port.key.protocol, {at, port.key.port}},
                     net::endpoint{port.key.address, port.key.port});
  close_unless([&](const auto& open) {
    const auto at = target.find(open.first);
    return at != target.end() && at->second == open.second;
  });
  for (const auto& port : wanted)
    if (auto opened = open(port); !opened) failed.emplace(port.key, opened.error().message());
  close_unless(
      [&](const auto& open) { return !failed.contains({open.first.first, open.second.ip, open.second.port}); });
  return failed;
}

}  // namespace loopback
