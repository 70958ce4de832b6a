#include "relay/port_share.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <mutex>

#include "net/address.hpp"
#include "relay/descriptor_budget.hpp"

namespace relay {
namespace {

constexpr std::size_t descriptors_each = 2;
constexpr std::size_t few = 8;

}  // namespace

connection_ticket::~connection_ticket() {
  if (port_) port_->leave(client_);
}

bool port_share::may_grow(const net::address& client) const {
  const auto kept = budget_.guaranteed(descriptor_use::connection) / 2;
  const auto available = budget_.available(descriptor_use::connection);
  if (size_ < few) return available > kept * size_ / few;
  const auto free = (available - std::min(available, kept)) / descriptors_each;
  const auto known = clients_.find(client);
  const auto of_client = known == clients_.end() ? 0 : known->second;
  return size_ < free && of_client < free - size_;
}

connection_ticket port_share::admit(const net::address& client) {
  const std::lock_guard hold(lock_);
  if (!may_grow(client)) return {};
  connection_ticket made;
  made.lease_ = budget_.take(descriptor_use::connection, descriptors_each);
  if (!made.lease_) return {};
  made.port_ = shared_from_this();
  made.client_ = client;
  ++size_;
  ++clients_[client];
  traffic_->begin();
  return made;
}

void port_share::leave(const net::address& client) {
  const std::lock_guard hold(lock_);
  --size_;
  traffic_->end();
  const auto at = clients_.find(client);
  if (--at->second == 0) clients_.erase(at);
}

net::address client_of(const net::address& ip) {
  if (ip.is_v4()) return ip;
  std::array<std::uint8_t, 16> network{};
  std::copy_n(ip.data(), 8, network.begin());
  return net::address::v6(network.data());
}

}  // namespace relay
