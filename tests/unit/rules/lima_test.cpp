// Lima's documented port forwards, rewritten as rules, behave as Lima's documentation says. Source of the facts:
// templates/default.yaml (section portForwards), pkg/portfwd/forward.go, and the rules of Lima's own test of port
// forwarding.
//
// What has to be written out here: a guestIP that is not given is 127.0.0.1, which also matches ::1 and both wildcards;
// a guestIP of 0.0.0.0 matches every address unless guestIPMustBeZero, which newer releases of Lima set for it; hostIP
// is 127.0.0.1 and proto tcp unless given; a fallback rule forwards localhost's ports, and a port without a rule is
// ignored.
#include <gmock/gmock.h>

#include "net/endpoint.hpp"
#include "rules/decision.hpp"
#include "tests/unit/rules/parsed.hpp"

namespace rules {
namespace {

// The end of each file: Lima's fallback rule, and what it does without one.
constexpr auto fallback = R"(
  - {protocol: tcp, address: [127.0.0.1, "::1", wildcard], host-address: 127.0.0.1, note: Lima's fallback}
  - {ignore: true, note: no rule matches}
)";

struct expectation {
  const char* guest;  // address and port that a server of the VM listens on
  const char* host;   // nullptr: not forwarded
};

void check(const std::string& text, const std::vector<expectation>& rows, net::protocol protocol = net::protocol::tcp) {
  const auto set = parse("rules:\n" + text + fallback).rules;
  for (const auto& [guest_text, host_text] : rows) {
    const auto guest = net::parse_endpoint(guest_text).value();
    const auto d = decide(*set, subject{.protocol = protocol, .address = guest.ip, .port = guest.port});
    EXPECT_EQ(d.ignore, host_text == nullptr) << guest_text << ": " << d.reason.str();
    if (d.ignore || host_text == nullptr) continue;
    const net::endpoint host{d.host_address.value_or(guest.ip), d.host_port == 0 ? guest.port : d.host_port};
    EXPECT_EQ(to_string(host), host_text) << guest_text << ": " << d.reason.str();
  }
}

// guestPort: 443, hostIP: 0.0.0.0
TEST(lima, a_port_for_every_address_of_the_host) {
  check(R"(  - {port: 443, protocol: tcp, address: [127.0.0.1, "::1", wildcard], host-address: 0.0.0.0})",
        {{"127.0.0.1:443", "0.0.0.0:443"},
         {"0.0.0.0:443", "0.0.0.0:443"},
         {"[::]:443", "0.0.0.0:443"},
         {"[::1]:443", "0.0.0.0:443"},
         {"192.168.5.15:443", nullptr},
         {"127.0.0.1:444", "127.0.0.1:444"}});
}

// guestPortRange: [4000, 4999], hostIP: 0.0.0.0
TEST(lima, a_range_for_every_address_of_the_host) {
  check(R"(  - {port: 4000-4999, protocol: tcp, address: [127.0.0.1, "::1", wildcard], host-address: 0.0.0.0})",
        {{"127.0.0.1:3999", "127.0.0.1:3999"},
         {"127.0.0.1:4000", "0.0.0.0:4000"},
         {"[::]:4999", "0.0.0.0:4999"},
         {"127.0.0.1:5000", "127.0.0.1:5000"}});
}

// guestPort: 80, hostPort: 8080
TEST(lima, another_port_of_the_host) {
  check(
      R"(  - {port: 80, protocol: tcp, address: [127.0.0.1, "::1", wildcard], host-address: 127.0.0.1, host-port: 8080})",
      {{"127.0.0.1:80", "127.0.0.1:8080"}, {"0.0.0.0:80", "127.0.0.1:8080"}, {"127.0.0.1:81", "127.0.0.1:81"}});
}

// guestIP: 127.0.0.2, hostIP: 127.0.0.2
TEST(lima, an_address_of_the_guest_and_of_the_host) {
  check(R"(  - {protocol: tcp, address: [127.0.0.2, wildcard], host-address: 127.0.0.2})",
        {{"127.0.0.2:80", "127.0.0.2:80"},
         {"0.0.0.0:81", "127.0.0.2:81"},  // a wildcard matches each rule
         {"127.0.0.1:80", "127.0.0.1:80"},
         {"127.0.0.3:80", nullptr}});
}

// guestPort: 8888, ignore: true. An ignore rule for one address does not match a wildcard.
TEST(lima, an_ignored_port) {
  check(R"(  - {port: 8888, protocol: tcp, address: [127.0.0.1, "::1"], ignore: true})",
        {{"127.0.0.1:8888", nullptr},
         {"[::1]:8888", nullptr},
         {"0.0.0.0:8888", "127.0.0.1:8888"},
         {"127.0.0.1:8889", "127.0.0.1:8889"}});
}

// guestPort: 7443, guestIP: 0.0.0.0, guestIPMustBeZero: true, hostIP: 0.0.0.0
TEST(lima, only_a_wildcard_goes_to_every_address) {
  check(R"(  - {port: 7443, protocol: tcp, address: wildcard, host-address: 0.0.0.0})",
        {{"0.0.0.0:7443", "0.0.0.0:7443"},
         {"[::]:7443", "0.0.0.0:7443"},
         {"127.0.0.1:7443", "127.0.0.1:7443"},
         {"192.168.5.15:7443", nullptr}});
}

// The same, and a port 8443 with guestIPMustBeZero: false, which matches every address.
TEST(lima, every_address_or_only_the_wildcard) {
  check(R"(  - {port: 7443, protocol: tcp, address: wildcard, host-address: 0.0.0.0}
  - {port: 8443, protocol: tcp, host-address: 0.0.0.0})",
        {{"0.0.0.0:7443", "0.0.0.0:7443"},
         {"127.0.0.1:7443", "127.0.0.1:7443"},
         {"0.0.0.0:8443", "0.0.0.0:8443"},
         {"127.0.0.1:8443", "0.0.0.0:8443"},
         {"192.168.5.15:8443", "0.0.0.0:8443"}});
}

// guestIP: 127.0.0.1, ignore: true, the other way round: nothing of localhost, each wildcard.
TEST(lima, a_final_ignore_of_localhost) {
  check(R"(  - {port: 80, protocol: tcp, address: [127.0.0.1, "::1"], host-address: 127.0.0.1}
  - {protocol: tcp, address: [127.0.0.1, "::1"], ignore: true})",
        {{"127.0.0.1:80", "127.0.0.1:80"},
         {"127.0.0.1:81", nullptr},
         {"[::1]:81", nullptr},
         {"0.0.0.0:81", "127.0.0.1:81"}});
}

// guestIP: 0.0.0.0, guestIPMustBeZero: false, proto: any, ignore: true
TEST(lima, everything_ignored) {
  for (const auto protocol : {net::protocol::tcp, net::protocol::udp})
    check("  - ignore: true", {{"0.0.0.0:80", nullptr}, {"127.0.0.1:80", nullptr}, {"192.168.5.15:80", nullptr}},
          protocol);
}

// proto is tcp where it is not given, in the fallback rule as well.
TEST(lima, udp_needs_its_rule) {
  check(
      R"(  - {port: 53, protocol: udp, address: [127.0.0.1, "::1", wildcard], host-address: 127.0.0.1, host-port: 5353})",
      {{"127.0.0.1:53", "127.0.0.1:5353"}, {"127.0.0.1:54", nullptr}}, net::protocol::udp);
}

// The overlapping rules of Lima's own test: the first that matches wins, an ignore rule for one address leaves others.
TEST(lima, its_own_cases_of_overlapping_rules) {
  check(R"(  - {port: 3000-3009, protocol: tcp, address: 127.0.0.2, ignore: true}
  - {port: 3010-3019, protocol: tcp, ignore: true}
  - {port: 3000-3029, protocol: tcp, host-address: 127.0.0.1, host-port: 2000-2029}
  - {port: 3020-3029, protocol: tcp, ignore: true}
  - {port: 4010-4019, protocol: tcp, address: "::1", host-address: "::"}
  - {port: 4030-4039, protocol: tcp, host-address: 192.168.0.9}
  - {port: 4040-4049, protocol: tcp, address: wildcard, host-address: 127.0.0.1}
  - {port: 4040-4049, protocol: tcp, ignore: true})",
        {{"127.0.0.2:3000", nullptr},
         {"127.0.0.3:3001", "127.0.0.1:2001"},
         {"0.0.0.0:3002", "127.0.0.1:2002"},
         {"0.0.0.0:3010", nullptr},
         {"127.0.0.1:3011", nullptr},
         {"127.0.0.2:3020", "127.0.0.1:2020"},
         {"127.0.0.1:3021", "127.0.0.1:2021"},
         {"0.0.0.0:3022", "127.0.0.1:2022"},
         {"[::]:3023", "127.0.0.1:2023"},
         {"[::1]:3024", "127.0.0.1:2024"},
         {"[::1]:4010", "[::]:4010"},
         {"127.0.0.1:4030", "192.168.0.9:4030"},
         {"127.0.0.2:4031", "192.168.0.9:4031"},
         {"192.168.5.15:4032", "192.168.0.9:4032"},
         {"[::]:4034", "192.168.0.9:4034"},
         {"0.0.0.0:4040", "127.0.0.1:4040"},
         {"[::]:4041", "127.0.0.1:4041"},
         {"127.0.0.1:4043", nullptr},
         {"192.168.5.15:4044", nullptr}});
}

}  // namespace
}  // namespace rules
