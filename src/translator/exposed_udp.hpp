// exposed_udp: UDP sockets of the host whose datagrams reach a port of the VM. Each client is a flow with a source
// endpoint of its own in the VM: a port of the gateway, or the client's own address. Owned by plane; loop thread only.
//
// Bound: udp_clients::most_flows; a client needs no descriptor. At the bound relay::flow_table chooses the flow that
// ends, such that one client cannot displace the others. A flow that is idle for 90 s ends.
#pragma once

#include <memory>
#include <unordered_map>

#include "base/unique_fd.hpp"
#include "relay/datagram_batch.hpp"
#include "relay/flow_table.hpp"
#include "translator/client_source.hpp"
#include "translator/exposed_port.hpp"
#include "translator/shared.hpp"

namespace translator {

class exposed_udp;

// Ports of the gateway's address that represent clients in the VM.
inline constexpr netstack::port_range udp_ports{20'000, 65'000};

// One client of one exposed port.
struct udp_client {
  exposed_udp* port = nullptr;
  net::socket_address address;
  relay::local_address local;  // the latest destination of the client
  netstack::endpoint in_vm;    // the client's source there
};

// The clients of all exposed UDP ports.
class udp_clients {
 public:
  using table = relay::flow_table<udp_client>;
  static constexpr std::size_t most_flows = 16'384;

  udp_clients(shared& common, relay::datagram_batch& batch, const client_source& sources);

  // A datagram of the VM. False: it does not answer a client.
  bool on(const netstack::action::datagram& d);
  // The VM refuses the client's datagrams: its port is closed.
  void on(const netstack::action::datagram_refused& a);
  [[nodiscard]] netstack::time_point wake_at() const;  // max() for never
  void expire();

  // For exposed_udp.
  [[nodiscard]] udp_client* client_of(exposed_udp& port, netstack::endpoint vm, const net::endpoint& from,
                                      const net::socket_address& address);
  void end_clients_of(const exposed_udp& port);
  [[nodiscard]] shared& common() { return common_; }
  [[nodiscard]] relay::datagram_batch& batch() { return batch_; }

 private:
  struct vm_side {
    netstack::endpoint vm, client;
    bool operator==(const vm_side&) const = default;
  };
  struct hash {
    std::size_t operator()(const vm_side& s) const;
  };
  [[nodiscard]] std::optional<netstack::endpoint> choose_source(netstack::endpoint vm, const net::endpoint& from);
  void end(table::entry& flow);

  shared& common_;
  relay::datagram_batch& batch_;
  const client_source& sources_;
  table table_;
  std::unordered_map<vm_side, table::entry*, hash> by_vm_side_;
  std::uint16_t last_port_;
};

class exposed_udp final : public exposed_port {
 public:
  exposed_udp(udp_clients& clients, base::unique_fd bound, netstack::endpoint vm)
      : clients_(clients), fd_(std::move(bound)), vm_(vm) {}

  [[nodiscard]] bool watch() override;
  void close() override;
  [[nodiscard]] const relay::port_traffic& traffic() const override { return traffic_; }
  [[nodiscard]] relay::port_traffic& traffic() { return traffic_; }
  void on_event(unsigned which, std::uint32_t events) override;
  void reply(const udp_client& to, netstack::bytes_view payload);

  [[nodiscard]] const netstack::endpoint& vm() const { return vm_; }

 private:
  void pass(unsigned i);

  udp_clients& clients_;
  base::unique_fd fd_;
  netstack::endpoint vm_;
  relay::port_traffic traffic_;
};

}  // namespace translator
