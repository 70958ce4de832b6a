#include "programs/host_switch/access_policy.hpp"

#include <gmock/gmock.h>

namespace host_switch {
namespace {

net::address ip(const char* text) { return *net::address::parse(text); }

const access_policy policy{subnet::parse("192.168.127.0/24").value(),
                           {ip("192.168.127.1"), 80},
                           {"host-switch.test", "10.0.0.9"},
                           [](const net::address& at) -> base::result<bool> {
                             if (at == ip("192.168.127.13"))
                               return base::fail(std::errc::too_many_files_open, "socket");
                             return at == ip("192.168.127.66");
                           }};

unsigned status(http::header_map headers) {
  const auto refusal = policy.check_head({.headers = std::move(headers)});
  return refusal ? refusal->status : 200;
}

TEST(access_policy, serves_the_vms_network_and_no_address_of_the_host) {
  EXPECT_TRUE(policy.check_client(ip("192.168.127.2")));
  EXPECT_TRUE(policy.check_client(ip("::ffff:192.168.127.3")));
  for (const auto* other : {"192.168.127.1", "192.168.127.66", "192.168.127.0", "192.168.127.255", "192.168.128.2",
                            "127.0.0.1", "10.99.1.2", "0.0.0.0", "::1"})
    EXPECT_FALSE(policy.check_client(ip(other))) << other;
}

TEST(access_policy, an_address_that_cannot_be_checked_is_refused) {
  EXPECT_EQ(policy.check_client(ip("192.168.127.13")).error().message(),
            "the client 192.168.127.13 cannot be checked: socket: Too many open files");
  EXPECT_FALSE(policy.check_remote({ip("192.168.127.13"), 80}));
}

TEST(access_policy, relays_to_the_vms_network_alone) {
  EXPECT_TRUE(policy.check_remote({ip("192.168.127.2"), 80}));
  EXPECT_TRUE(policy.check_remote({ip("192.168.127.253"), 80}));
  for (const auto* other : {"192.168.127.1", "192.168.127.66", "127.0.0.1", "169.254.169.254", "192.168.127.254",
                            "::ffff:192.168.127.254", "192.168.127.255"})
    EXPECT_FALSE(policy.check_remote({ip(other), 80})) << other;
}

TEST(access_policy, takes_its_own_names_for_host) {
  for (const auto* host :
       {"192.168.127.1", "192.168.127.1:80", "gateway.rancher-desktop.internal", "GATEWAY.Rancher-Desktop.Internal:80",
        "gateway.docker.internal.", "host-switch.test", "10.0.0.9:8080"})
    EXPECT_EQ(status({{"Host", host}}), 200U) << host;
  for (const auto* host : {"rebind.example", "192.168.127.1.nip.io", "192.168.127.2", "internal", "x.internal.example",
                           "localhost", "[::1]", "host-switch.test.example"})
    EXPECT_EQ(status({{"Host", host}}), 403U) << host;
  for (const auto* host : {"", "a b", "gateway.internal/x", "user@gateway.internal", "gateway.internal:80:80",
                           "gateway.internal:x", "[::1", "x\x80.internal"})
    EXPECT_EQ(status({{"Host", host}}), 400U) << host;
  EXPECT_EQ(status({}), 400U);
}

TEST(access_policy, is_not_for_browsers) {
  for (const auto* header : {"Origin", "origin", "Sec-Fetch-Site", "sec-fetch-mode", "SEC-FETCH-ANYTHING"})
    EXPECT_EQ(status({{"Host", "192.168.127.1"}, {header, ""}}), 403U) << header;
  EXPECT_EQ(status({{"Host", "192.168.127.1"}, {"User-Agent", "Mozilla"}, {"Accept", "*/*"}}), 200U);
}

TEST(access_policy, further_hosts_are_names_or_addresses) {
  EXPECT_EQ(parse_host_name("Host.Example."), "host.example");
  EXPECT_EQ(parse_host_name("10.0.0.1"), "10.0.0.1");
  for (const auto* text : {"", ".", "a:80", "a/b", "http://a", "a b"}) EXPECT_FALSE(parse_host_name(text)) << text;
}

TEST(access_policy, in_the_virtual_network_a_client_names_itself_alone) {
  const access_policy own(
      subnet::parse("192.168.127.0/24").value(), {ip("192.168.127.1"), 80}, {},
      [](const net::address&) -> base::result<bool> { return false; }, access_policy::remotes::of_caller);
  const auto caller = ip("192.168.127.2");
  EXPECT_TRUE(own.check_remote({caller, 80}, caller));
  EXPECT_FALSE(own.check_remote({ip("192.168.127.3"), 80}, caller));
  EXPECT_TRUE(own.check_remote({ip("192.168.127.3"), 80})) << "the owner of the host";
  EXPECT_FALSE(own.check_remote({ip("192.168.127.254"), 80}, ip("192.168.127.254")));
  EXPECT_TRUE(own.may_withdraw("192.168.127.2:80", caller));
  EXPECT_FALSE(own.may_withdraw("192.168.127.3:80", caller));
  EXPECT_TRUE(own.may_withdraw("192.168.127.3:80", {}));
}

}  // namespace
}  // namespace host_switch
