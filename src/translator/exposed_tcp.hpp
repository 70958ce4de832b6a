// exposed_tcp: one listening TCP socket of the host whose clients reach a port of the VM. The kernel answers the
// client's SYN before accept() returns the client. So nothing is read from a client before the VM has answered too, and
// a refusal becomes an immediate reset. Owned by plane; loop thread only.
//
// A client beyond its share of the descriptors is reset. Without free descriptors, or if the kernel refuses for another
// reason, the listener pauses briefly instead of spinning; clients wait in the kernel's queue.
#pragma once

#include <memory>

#include "base/unique_fd.hpp"
#include "relay/port_share.hpp"
#include "translator/client_source.hpp"
#include "translator/exposed_port.hpp"
#include "translator/tcp_flows.hpp"

namespace translator {

class exposed_tcp final : public exposed_port {
 public:
  exposed_tcp(tcp_flows& flows, const client_source& sources, base::unique_fd listening, netstack::endpoint vm);

  [[nodiscard]] bool watch() override;
  void close() override;
  [[nodiscard]] const relay::port_traffic& traffic() const override { return share_->traffic(); }
  void on_event(unsigned which, std::uint32_t events) override;

 private:
  void take(base::unique_fd client, const net::socket_address& from);
  void pause();

  tcp_flows& flows_;
  const client_source& sources_;
  base::unique_fd fd_;
  netstack::endpoint vm_;
  std::shared_ptr<relay::port_share> share_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace translator
