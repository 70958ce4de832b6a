// DHCP messages to the server: each at one byte of the input for its length, the first byte of the input chooses the
// sender. What is answered is a whole message within the MTU's frame, never with the gateway's, the host's or another
// client's address.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "netstack/dhcp/server.hpp"

using namespace netstack;

namespace {

void expect(bool true_always) {
  if (!true_always) std::abort();
}

// A fixed part that is valid, so that the fuzzer reaches the options: type, MAC and addresses come from the input.
std::vector<std::uint8_t> message_of(bytes_view input) {
  constexpr std::uint32_t magic_cookie = 0x63825363;
  std::vector<std::uint8_t> made(input.begin(), input.end());
  if (made.size() < 240) return made;
  made[0] = made[1] = 1;
  made[2] = 6;
  store_32(made, 236, magic_cookie);
  return made;
}

void check(const dhcp::server& server, const dhcp::answer& a, const dhcp::settings& s, time_point now) {
  expect(a.payload.size() >= 300 && a.payload.size() <= 1'500);
  const ipv4::address yours{load_32(a.payload, 16)};
  expect(yours != s.gateway && std::ranges::find(s.hosts, yours) == s.hosts.end() && a.payload[0] == 2);
  if (!a.leased) return;
  expect(server.owns(a.leased->mac, a.leased->address, now));
  expect((a.leased->address == s.fixed[0].address) == (a.leased->mac == dhcp::vm_mac));
  std::size_t owners = 0;
  for (const auto& one : server.leases(now)) owners += one.address == a.leased->address ? 1 : 0;
  expect(owners == 1);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const bytes_view bytes(data, size);
  const dhcp::settings s(*net::cidr::parse("192.168.127.0/28"));
  dhcp::server server(s);
  static const std::vector<std::string> names{"corp.example", "a.corp.example"};
  server.set_search_domains(names);
  if (const auto r = dhcp::parse(bytes); r && !r->client_id.empty())
    expect(r->client_id.data() >= data && r->client_id.data() + r->client_id.size() <= data + size);

  // The whole input as one message from the sender that it names, several times with time between; then its second
  // half.
  time_point now{std::chrono::hours(1)};
  for (const auto part : {bytes, bytes.subspan(size / 2), bytes}) {
    const auto message = message_of(part);
    net::mac_address source;
    if (message.size() >= 34) std::copy_n(message.begin() + 28, 6, source.bytes.begin());
    if (const auto a = server.on_message(message, source, now)) check(server, *a, s, now);
    now += std::chrono::minutes(31);
  }
  return 0;
}
