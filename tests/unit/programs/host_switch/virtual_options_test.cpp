#include "programs/host_switch/virtual_options.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <string>
#include <vector>

#include "program/go_flags.hpp"

namespace host_switch {
namespace {

const subnet network = subnet::parse("192.168.127.0/24").value();

constexpr net::mac_address vm{{0x5a, 0x94, 0xef, 0xe4, 0x0c, 0xee}};
constexpr netstack::ipv4::address alias{0xc0a8'7ffe}, loopback{0x7f00'0001}, usual{0xc0a8'7f02};

TEST(virtual_options, nat_is_a_pair_of_addresses_or_off) {
  EXPECT_EQ(parse_nat("192.168.127.254=127.0.0.1")->entry.inside, alias);
  EXPECT_EQ(parse_nat("192.168.127.254=127.0.0.1")->entry.host, loopback);
  EXPECT_TRUE(parse_nat("off")->off);
  for (const auto* wrong : {"", "=", "192.168.127.254", "192.168.127.254=", "=127.0.0.1", "a=b", "::1=127.0.0.1",
                            "192.168.127.254=::1", "192.168.127.254=0.0.0.0", "192.168.127.254=224.0.0.1",
                            "127.0.0.1=127.0.0.1", "224.0.0.1=127.0.0.1", "255.255.255.255=127.0.0.1"})
    EXPECT_FALSE(parse_nat(wrong)) << wrong;
}

TEST(virtual_options, a_lease_is_a_mac_and_an_address) {
  const auto lease = parse_lease("5a:94:ef:e4:0c:ee=192.168.127.2");
  ASSERT_TRUE(lease);
  EXPECT_EQ(lease->mac, vm);
  EXPECT_EQ(lease->address, usual);
  for (const auto* wrong : {"", "5a:94:ef:e4:0c:ee", "5a:94:ef:e4:0c=192.168.127.2", "01:00:5e:00:00:01=192.168.127.2",
                            "5a:94:ef:e4:0c:ee=::1", "00:00:00:00:00:00=192.168.127.2"})
    EXPECT_FALSE(parse_lease(wrong)) << wrong;
}

TEST(virtual_options, numbers_and_words_have_bounds) {
  EXPECT_EQ(parse_mtu("1500").value(), 1500);
  EXPECT_FALSE(parse_mtu("575"));
  EXPECT_FALSE(parse_mtu("65521"));
  EXPECT_FALSE(parse_mtu("x"));
  EXPECT_EQ(parse_source_address("client").value(), translator::source_address::client);
  EXPECT_FALSE(parse_source_address("Client"));
  EXPECT_FALSE(parse_vm_network("fd00::/8"));
  EXPECT_FALSE(parse_dns_zone("=10.0.0.1"));
}

TEST(virtual_options, by_default_the_vm_has_the_second_address_and_the_host_the_last_but_one) {
  const auto made = virtual_options{}.plane(network).stack;
  ASSERT_EQ(made.leases.size(), 1U);
  EXPECT_EQ(made.leases[0].mac, vm);
  EXPECT_EQ(made.leases[0].address, usual);
  ASSERT_EQ(made.nat.size(), 1U);
  EXPECT_EQ(made.nat[0].inside, alias);
  EXPECT_EQ(made.nat[0].host, loopback);
}

TEST(virtual_options, nat_off_leaves_no_address_of_the_host) {
  virtual_options options;
  options.nat = {parse_nat("off").value()};
  EXPECT_TRUE(options.check(network));
  EXPECT_TRUE(options.plane(network).stack.nat.empty());
}

TEST(virtual_options, a_small_subnet_has_no_alias_of_the_host) {
  EXPECT_TRUE(virtual_options{}.plane(subnet::parse("10.1.2.0/28").value()).stack.nat.empty());
}

TEST(virtual_options, leases_that_cannot_be_given_out_are_refused) {
  const auto check = [](std::vector<const char*> texts) {
    virtual_options options;
    for (const auto* text : texts) options.leases.push_back(parse_lease(text).value());
    return options.check(network).has_value();
  };
  EXPECT_TRUE(check({"5a:94:ef:e4:0c:01=192.168.127.9"}));
  EXPECT_FALSE(check({"5a:94:ef:e4:0c:01=192.168.127.1"}));
  EXPECT_FALSE(check({"5a:94:ef:e4:0c:01=192.168.128.9"}));
  EXPECT_FALSE(check({"5a:94:ef:e4:0c:dd=192.168.127.9"})) << "the gateway's MAC address";
  EXPECT_FALSE(check({"5a:94:ef:e4:0c:01=192.168.127.9", "5a:94:ef:e4:0c:02=192.168.127.9"}));
  EXPECT_FALSE(check({"5a:94:ef:e4:0c:01=192.168.127.9", "5a:94:ef:e4:0c:01=192.168.127.8"}));
}

TEST(virtual_options, nat_cannot_take_an_address_that_a_vm_has) {
  virtual_options options;
  options.leases = {parse_lease("5a:94:ef:e4:0c:01=192.168.127.9").value()};
  options.nat = {parse_nat("192.168.127.9=127.0.0.1").value()};
  EXPECT_FALSE(options.check(network));
  options.nat = {parse_nat("192.168.127.10=127.0.0.1").value(), parse_nat("off").value()};
  EXPECT_FALSE(options.check(network));
  options.nat = {parse_nat("192.168.127.2=127.0.0.1").value()};
  EXPECT_FALSE(options.check(network)) << "the default lease";
  options.nat = {};
  EXPECT_TRUE(options.check(network));
  options.leases = {parse_lease("5a:94:ef:e4:0c:01=192.168.127.254").value()};
  EXPECT_FALSE(options.check(network)) << "the default alias";
}

TEST(virtual_options, nat_cannot_take_the_address_of_the_network_or_of_all_its_machines) {
  const auto check = [](const char* text) {
    virtual_options options;
    options.nat = {parse_nat(text).value()};
    return options.check(network).has_value();
  };
  EXPECT_FALSE(check("192.168.127.0=127.0.0.1"));
  EXPECT_FALSE(check("192.168.127.255=127.0.0.1"));
  EXPECT_FALSE(check("192.168.127.1=127.0.0.1"));
  EXPECT_TRUE(check("10.0.2.2=127.0.0.1")) << "outside the subnet";
}

// ---- As a command line

using testing::HasSubstr;

std::string error_of(const std::vector<std::string>& arguments) {
  virtual_options options;
  program::flag_set flags("host-switch", "[flags]", "");
  options.declare(flags);
  const auto parsed = flags.parse(arguments);
  if (!parsed) return parsed.error().message();
  const auto checked = options.check(network);
  return checked ? "" : checked.error().message();
}

TEST(virtual_options, each_bad_value_is_named_with_its_flag_and_the_reason) {
  struct {
    const char *argument, *reason;
  } const bad[] = {
      {"-listen=tcp://1.2.3.4:5", "not a link like vsock://2, unix:///run/x.sock or fd://3"},
      {"-listen=vsock://", "a number is missing behind vsock://"},
      {"-listen=fd://x", "a number is missing behind fd://"},
      {"-listen=unix://relative", "not an absolute path that fits a socket address"},
      {"-mtu=575", "not a number from 576 to 65520"},
      {"-mtu=65521", "not a number from 576 to 65520"},
      {"-mtu=", "not a number from 576 to 65520"},
      {"-dhcp-lease=192.168.127.2", "not of the form MAC=IP"},
      {"-dhcp-lease=ff:ff:ff:ff:ff:ff=192.168.127.2", "not of the form MAC=IP"},
      {"-nat=192.168.127.254", "not of the form IP=IP with IPv4 addresses, nor \"off\""},
      {"-nat=192.168.127.254=255.255.255.255", "not the address of one host"},
      {"-source-address=vm", "neither \"gateway\" nor \"client\""},
      {"-vm-network=172.17.0.0", "not an IPv4 network like 172.17.0.0/16"},
      {"-vm-network=172.17.0.0/33", "not an IPv4 network like 172.17.0.0/16"},
      {"-dns-zone=name", ""},
      {"-dns-zone=a..b=10.0.0.1", ""},
      {"-dns-zone=a.example=::1", ""},
  };
  for (const auto& one : bad) {
    const std::string argument = one.argument;
    const auto flag = argument.substr(0, argument.find('=')), text = argument.substr(argument.find('=') + 1);
    EXPECT_THAT(error_of({argument}), testing::StartsWith("invalid value \"" + text + "\" for flag " + flag + ": "));
    EXPECT_THAT(error_of({argument}), HasSubstr(one.reason)) << argument;
  }
}

TEST(virtual_options, values_that_do_not_fit_each_other_are_named_with_their_flags) {
  struct {
    std::vector<std::string> arguments;
    const char* reason;
  } const bad[] = {
      {{"-dhcp-lease", "5a:94:ef:e4:0c:01=10.0.0.1"}, "-dhcp-lease: 10.0.0.1 cannot be given out in 192.168.127.0/24"},
      {{"-dhcp-lease", "5a:94:ef:e4:0c:01=192.168.127.255"}, "-dhcp-lease: 192.168.127.255 cannot be given out"},
      {{"-dhcp-lease", "5a:94:ef:e4:0c:01=192.168.127.9", "-dhcp-lease", "5a:94:ef:e4:0c:01=192.168.127.8"},
       "-dhcp-lease: 5a:94:ef:e4:0c:01 or 192.168.127.8 is given twice"},
      {{"-nat", "off", "-nat", "192.168.127.254=127.0.0.1"}, "-nat: \"off\" and addresses exclude each other"},
      {{"-nat", "192.168.127.1=127.0.0.1"}, "-nat, -dhcp-lease: 192.168.127.1 has two meanings"},
      {{"-nat", "192.168.127.9=127.0.0.1", "-nat", "192.168.127.9=10.0.0.1"}, "192.168.127.9 has two meanings"},
  };
  for (const auto& one : bad) EXPECT_THAT(error_of(one.arguments), HasSubstr(one.reason));
}

TEST(virtual_options, a_whole_command_line_becomes_the_data_planes_options) {
  virtual_options options;
  program::flag_set flags("host-switch", "[flags]", "");
  options.declare(flags);
  ASSERT_TRUE(flags.parse({"-listen=unix:///run/a.sock", "-listen", "qemu:///run/b.sock", "--mtu=9000", "-dns-aaaa",
                           "-nat=192.168.127.200=127.0.0.1", "-nat=192.168.127.201=10.0.0.1",
                           "-dhcp-lease=02:00:00:00:00:01=192.168.127.7", "-source-address=client",
                           "-vm-network=10.88.0.0/16", "-dns-zone=*.apps.example=192.168.127.2"}));
  ASSERT_TRUE(options.check(network));
  EXPECT_EQ(options.listen.size(), 2U);
  EXPECT_TRUE(options.dns_aaaa);
  EXPECT_EQ(options.dns_zones, std::vector<std::string>{"*.apps.example=192.168.127.2"});
  const auto made = options.plane(network);
  EXPECT_EQ(made.stack.mtu, 9'000);
  ASSERT_EQ(made.stack.nat.size(), 2U);
  EXPECT_EQ(made.stack.nat[1].host, (netstack::ipv4::address{0x0a00'0001}));
  EXPECT_EQ(made.stack.leases.size(), 2U) << "the given one and the usual";
  EXPECT_EQ(made.sources, translator::source_address::client);
  const auto in_vm = [&](const char* text) {
    return std::ranges::any_of(made.vm_networks,
                               [&](const auto& one) { return one.contains(*net::address::parse(text)); });
  };
  for (const auto* ip : {"10.88.1.1", "192.168.127.5", "172.17.0.2", "10.42.0.1"}) EXPECT_TRUE(in_vm(ip)) << ip;
  EXPECT_FALSE(in_vm("10.0.0.5"));
}

TEST(virtual_options, the_subnet_moves_gateway_lease_and_alias_together) {
  const auto made = virtual_options{}.plane(subnet::parse("10.7.0.0/16").value()).stack;
  EXPECT_EQ(made.gateway(), (netstack::ipv4::address{0x0a07'0001}));
  EXPECT_EQ(made.leases.at(0).address, (netstack::ipv4::address{0x0a07'0002}));
  EXPECT_EQ(made.nat.at(0).inside, (netstack::ipv4::address{0x0a07'00fe}));
}

}  // namespace
}  // namespace host_switch
