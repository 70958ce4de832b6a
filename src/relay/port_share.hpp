// port_share: how ports and clients share the connections of a process. One object a listener; its connections keep it
// alive.
//
// Half of the guarantee for connections is kept for ports with fewer than eight of them: the fewer a port has, the more
// of it the port may use, and the last eighth is for ports without any. From the rest a new connection is admitted
// while
//
//   the port holds fewer connections than could still be opened, and
//   its client holds fewer of them than the port could still take.
//
// So one port takes at most half of the rest, and one client on one port a third. A port that is not flooded is served
// while others are. Any thread may call.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <mutex>
#include <utility>

#include "net/address.hpp"
#include "relay/descriptor_budget.hpp"
#include "relay/port_traffic.hpp"

namespace relay {

class port_share;

// The right to one connection; held for as long as it lives. Empty: refused.
class connection_ticket {
 public:
  connection_ticket() = default;
  connection_ticket(connection_ticket&& other) noexcept = default;
  connection_ticket& operator=(connection_ticket&& other) noexcept {
    std::swap(port_, other.port_);
    std::swap(client_, other.client_);
    std::swap(lease_, other.lease_);
    return *this;
  }
  ~connection_ticket();

  [[nodiscard]] explicit operator bool() const { return port_ != nullptr; }
  [[nodiscard]] port_traffic* traffic() const;  // of the port; null: empty

 private:
  friend class port_share;
  std::shared_ptr<port_share> port_;
  net::address client_;
  descriptor_lease lease_;
};

class port_share : public std::enable_shared_from_this<port_share> {
 public:
  // `traffic`: where its connections are counted.
  explicit port_share(descriptor_budget& budget,
                      std::shared_ptr<port_traffic> traffic = std::make_shared<port_traffic>())
      : budget_(budget), traffic_(std::move(traffic)) {}

  // `client`: 0.0.0.0 if the kind of socket has no addresses.
  [[nodiscard]] connection_ticket admit(const net::address& client);
  [[nodiscard]] port_traffic& traffic() { return *traffic_; }

 private:
  friend class connection_ticket;
  [[nodiscard]] bool may_grow(const net::address& client) const;
  void leave(const net::address& client);

  descriptor_budget& budget_;
  std::shared_ptr<port_traffic> traffic_;
  std::mutex lock_;
  std::size_t size_ = 0;
  std::map<net::address, std::size_t> clients_;
};

inline port_traffic* connection_ticket::traffic() const { return port_ ? &port_->traffic() : nullptr; }

// What counts as one client: an IPv4 address, or the /64 of an IPv6 address, as one machine can use all of it.
[[nodiscard]] net::address client_of(const net::address& ip);

}  // namespace relay
