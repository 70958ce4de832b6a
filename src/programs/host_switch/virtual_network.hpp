// virtual_network: the network that this process terminates itself. It owns the data plane (translator), the DNS server
// and the sources of links. The API and DNS are services inside the virtual network: no port of the host leads to them,
// so neither the LAN nor the host's users reach them.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "async/task_group.hpp"
#include "programs/host_switch/dns_service.hpp"
#include "programs/host_switch/incoming_streams.hpp"
#include "programs/host_switch/link_source.hpp"
#include "programs/host_switch/network.hpp"
#include "programs/host_switch/subnet.hpp"
#include "programs/host_switch/virtual_options.hpp"

namespace host_switch {

class virtual_network final : public network {
 public:
  // Starts the data plane. The error is that of a socket, a thread, -listen or the kernel's random numbers.
  static base::result<std::unique_ptr<virtual_network>> open(const async::executor& where, const subnet& vm_network,
                                                             const virtual_options& options);
  ~virtual_network() override;

  [[nodiscard]] const net::endpoint& api() const override { return api_; }
  [[nodiscard]] base::result<std::unique_ptr<os::acceptor>> listen_for_api(const async::executor& where) override;
  async::task<> api_moves() override;
  async::task<> api_may_return() override;
  base::result<> forward(net::protocol protocol, const net::endpoint& host, const net::endpoint& vm) override;
  void stop(net::protocol protocol, const net::endpoint& host) override;

  // Starts the tasks: links, DNS.
  void start(async::task_group& tasks);
  // Ends the recording, or starts a new one.
  void toggle_recording();

  [[nodiscard]] translator::translator& plane() { return plane_; }
  [[nodiscard]] const netstack::dns::counters& dns_counters() const { return dns_.counted(); }
  [[nodiscard]] std::string listens() const;  // for the log

 private:
  struct dns_pair {
    base::unique_fd plane, control;
  };
  static base::result<dns_pair> make_pair();
  virtual_network(const async::executor& where, const subnet& vm_network, const virtual_options& options,
                  const translator::plane_options& plane, dns_pair dns);
  base::result<> open_links(const virtual_options& options);

  net::endpoint api_;
  incoming_streams api_streams_, dns_streams_;
  translator::translator plane_;
  dns_service dns_;
  std::vector<link_source> links_;
  std::string pcap_;
};

}  // namespace host_switch
