// stack: the gateway of the virtual network. It terminates the VMs' TCP and UDP, answers ARP, ICMP and DHCP, and
// instructs the owner of the host's sockets (action.hpp).
//
// Pure: frames, socket events and time go in; frames and actions come out. Nothing here blocks, reads a clock or opens
// a socket. One thread at a time; the data plane of host-switch owns it.
//
// A turn of the owner:
//   on_frames()  → next_action() until nothing is left, with the calls that answer actions in between
//                → end_batch(): copies what was not consumed; the frames' memory is free again
//   socket events → written(), finish(), send_datagram() …
//   next_action() again: socket events have consequences as well
//   next_frame() until it returns false, then write them all: parts stay valid until the next call of another member
//   on_time() when wake_at() has passed; check wake_at() again after each turn
//
// Every table has a bound in stack_limits, and statistics count when one is reached. All VMs share the bounds
// (SECURITY.md says what one VM can do to another).
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "netstack/stack/action.hpp"
#include "netstack/stack/frame.hpp"
#include "netstack/stack/icmp_report.hpp"
#include "netstack/stack/settings.hpp"
#include "netstack/stack/statistics.hpp"

namespace netstack {

class stack {
 public:
  stack(stack_settings settings, time_point now);
  ~stack();
  stack(const stack&) = delete;
  stack& operator=(const stack&) = delete;

  // A link begins or ends. The stack then requests the MACs of the known VMs, or forgets where they were.
  void link_up(link_id link, const link_properties& properties, time_point now);
  void link_down(link_id link, time_point now);
  // The link takes no frames now, or takes them again. Connections to its VMs wait: nothing of them is lost, and no
  // retry counts. Frames that were given stay valid.
  void link_blocked(link_id link, bool blocked);

  // Whether the VM with this address is located on a link that is up.
  [[nodiscard]] bool is_located(ipv4::address vm) const;
  // Whether this MAC leases the address: the stack's condition for a frame's source. The first VM of a link may return
  // with a lease from an earlier run (dhcp/server.hpp), which then is its lease.
  bool accepts_source(const net::mac_address& mac, ipv4::address address, link_id link, time_point now);

  // The bytes must stay where they are until end_batch().
  void on_frames(std::span<const frame_in> frames, time_point now);
  [[nodiscard]] std::optional<any_action> next_action();
  void end_batch(time_point now);
  // False: nothing to send now.
  [[nodiscard]] bool next_frame(frame_out& to, time_point now);
  [[nodiscard]] time_point wake_at() const;  // max() for never
  void on_time(time_point now);

  // TCP from the VM: the answers to action::connect. `error` is an errno: ECONNREFUSED becomes a RST, ENETUNREACH,
  // EHOSTUNREACH, EACCES and EPERM an ICMP error, ETIMEDOUT nothing, and all others a RST.
  void connected(flow_id flow, time_point now);
  void connect_failed(flow_id flow, int error, time_point now);

  // TCP to the VM. `from` is the gateway, or a client of the host whose address the VM should see; port 0 in it means a
  // port that `to` has not seen recently. If another flow uses `from` to reach `to`, the gateway's address replaces it.
  // nullopt if no port is free, or there are too many flows.
  [[nodiscard]] std::optional<flow_id> open(endpoint from, endpoint to, time_point now);

  // Bytes of the VM, in order; valid until the next call with this flow, or end_batch().
  [[nodiscard]] std::span<const bytes_view> arrived(flow_id flow) const;
  void consumed(flow_id flow, std::size_t bytes, time_point now);
  // Room for the VM's bytes; fill it from the front, then call written(). Both empty: action::writable follows later.
  [[nodiscard]] std::array<bytes_span, 2> send_room(flow_id flow);
  void written(flow_id flow, std::size_t bytes, time_point now);
  void finish(flow_id flow, time_point now);  // FIN after all written bytes
  // RST after all written bytes, or immediately; the flow is gone.
  void finish_with_reset(flow_id flow, time_point now);
  void abort(flow_id flow, time_point now);

  // UDP to the VM. `from` is the endpoint that the VM should see. False: the queue is full, and the datagram is
  // dropped.
  bool send_datagram(endpoint from, endpoint to, bytes_view payload, bool dont_fragment, time_point now);
  // The host refused a datagram of the VM with this errno: sends an ICMP error. `mtu`: for EMSGSIZE.
  void datagram_failed(endpoint from, endpoint asked, int error, std::uint16_t mtu, time_point now);
  // Answers action::echo.
  bool send_echo_reply(const action::echo& request, bytes_view payload, time_point now);
  void pass_error(const icmp_report& report, time_point now);

  // The domains that DHCP offers from now on.
  void set_search_domains(const std::vector<std::string>& domains);

  [[nodiscard]] statistics counters() const;
  [[nodiscard]] std::vector<lease> leases() const;

 private:
  class machine;
  std::unique_ptr<machine> machine_;
};

}  // namespace netstack
