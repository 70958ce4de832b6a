// udp_flow: the host's socket for one source port of the VM. It is not connected, so an answer from another port of a
// known destination arrives with its true source; datagrams from other addresses are dropped. Owned by udp_flows.
#pragma once

#include <list>
#include <vector>

#include "base/unique_fd.hpp"
#include "translator/outgoing_datagrams.hpp"
#include "translator/shared.hpp"

namespace translator {

class udp_flows;

// The destinations of one flow, latest first, and the address by which the VM knows each.
class asked_addresses {
 public:
  static constexpr std::size_t most = 128;  // beyond it the least recently used one is dropped

  void add(netstack::ipv4::address asked, netstack::ipv4::address host);
  // nullopt for an address that is not a destination of this flow.
  [[nodiscard]] std::optional<netstack::ipv4::address> name_of(netstack::ipv4::address host) const;

 private:
  struct pair {
    netstack::ipv4::address asked, host;
  };
  std::vector<pair> pairs_;
};

class udp_flow final : public os::event_handler {
 public:
  udp_flow(udp_flows& owner, netstack::endpoint vm, base::unique_fd fd, relay::descriptor_lease lease)
      : owner_(owner), vm_(vm), fd_(std::move(fd)), lease_(std::move(lease)) {}

  [[nodiscard]] bool watch();
  void on_event(unsigned which, std::uint32_t events) override;
  void send(outgoing_datagrams& all, bool dont_fragment);
  void note_asked(const netstack::action::datagram& d) { asked_.add(d.asked.address, d.to.address); }
  void close();

  [[nodiscard]] const netstack::endpoint& vm() const { return vm_; }

  netstack::time_point used;
  std::list<udp_flow*>::iterator place;

 private:
  void receive();
  void report_errors();
  void report_too_large(netstack::ipv4::address asked, std::uint16_t mtu);
  void set_dont_fragment(bool on);

  udp_flows& owner_;
  netstack::endpoint vm_;
  base::unique_fd fd_;
  relay::descriptor_lease lease_;
  asked_addresses asked_;
  std::optional<bool> dont_fragment_;
  std::vector<netstack::endpoint> too_large_;  // refused by the kernel, which has not said the MTU yet
};

}  // namespace translator
