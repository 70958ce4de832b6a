// Both ends of the forwarder API: a VM's requests to host-switch, and host-switch's answers to the agent.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "base/text.hpp"
#include "programs/host_switch/access_policy.hpp"
#include "programs/host_switch/static_forward.hpp"
#include "programs/host_switch/subnet.hpp"
#include "protocols/forwarder_api/answer_codec.hpp"
#include "protocols/forwarder_api/forward_address.hpp"
#include "protocols/forwarder_api/request_codec.hpp"
#include "sinks/host_switch/forward_calls.hpp"

namespace {

// For any Host, only the API's own names pass.
void check_head(std::string_view host) {
  static const host_switch::access_policy policy(host_switch::subnet::parse("192.168.127.0/24").value(),
                                                 {net::address::v4(192, 168, 127, 1), 80}, {},
                                                 [](const net::address&) { return false; });
  const bool passes = !policy.check_head({.headers = {{"Host", std::string(host)}}});
  if (passes && !host.contains("192.168.127.1") && !base::to_lower(host).contains(".internal")) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (const auto request = forwarder_api::parse_unexpose(bytes); request && !request->remote.empty()) std::abort();
  if (const auto request = forwarder_api::parse_expose(bytes)) {
    if (request->protocol.empty()) std::abort();
    const auto again = forwarder_api::encode_expose(*request).body;
    if (again.size() < (64U << 10) && forwarder_api::parse_expose(again) != request) std::abort();
    static_cast<void>(forwarder_api::complete_remote(request->remote, "192.168.127.2"));
    if (const auto local = forwarder_api::parse_local(request->local); local && local->port == 0) std::abort();
  }
  static_cast<void>(host_switch::parse_static_forward(bytes));
  if (const auto network = host_switch::subnet::parse(bytes); network && !network->contains(network->gateway()))
    std::abort();
  if (const auto host = host_switch::parse_host_name(bytes); host && host->empty()) std::abort();
  check_head(bytes);
  if (const auto all = forwarder_api::parse_all(bytes))
    if (forwarder_api::parse_all(forwarder_api::encode_all(*all).body) != all) std::abort();
  if (const auto state = host_switch_peer::parse_all(bytes, net::address::v4(192, 168, 127, 2)))
    for (const auto& held : state->held)
      if (held.key.port == 0) std::abort();
  return 0;
}
