#include "programs/guest_agent/options.hpp"

#include <gmock/gmock.h>

namespace guest_agent {
namespace {

using testing::HasSubstr;

base::result<settings> parse(options& o, const std::vector<std::string>& arguments) {
  program::flag_set flags("agent", "[flags]", "");
  declare(flags, o);
  if (auto parsed = flags.parse(arguments); !parsed) return std::unexpected(parsed.error());
  return validate(o, flags.is_set("listeners"));
}
base::result<settings> parse(const std::vector<std::string>& arguments) {
  options o;
  return parse(o, arguments);
}
std::string error(const std::vector<std::string>& arguments) {
  const auto parsed = parse(arguments);
  return parsed ? "" : parsed.error().message();
}

TEST(options, the_products_start_line_is_understood) {
  options o;
  const auto s = parse(o, {"-adminInstall=true", "-kubernetes=false", "-docker=true", "-containerd=false",
                           "-iptables=false", "-k8sServiceListenerAddr=0.0.0.0"});
  ASSERT_TRUE(s) << s.error().message();
  EXPECT_EQ(s->policy.mode, ports::network_mode::network_tunnel);
  EXPECT_EQ(o.tap.to_string(), "192.168.127.2");
  EXPECT_EQ(o.host_switch.host, "gateway.rancher-desktop.internal");
  EXPECT_EQ(o.host_switch.port, 80);
}

TEST(options, without_admin_install_it_is_non_admin_mode) {
  EXPECT_EQ(parse({"-docker"})->policy.mode, ports::network_mode::non_admin);
}

TEST(options, privileged_service_wins_over_admin_install) {
  const auto s = parse({"-docker", "-adminInstall", "-privilegedService"});
  ASSERT_TRUE(s) << s.error().message();
  EXPECT_EQ(s->policy.mode, ports::network_mode::privileged_service);
  EXPECT_EQ(net::to_string(s->vtunnel), "127.0.0.1:3040");
}

TEST(options, the_vtunnel_peer_is_checked_in_every_mode_and_required_in_its_own) {
  for (const auto* wrong : {"-vtunnelAddr=localhost:3040", "-vtunnelAddr=127.0.0.1", "-vtunnelAddr=127.0.0.1:0",
                            "-vtunnelAddr=0.0.0.0:3040"}) {
    EXPECT_THAT(error({"-docker", "-privilegedService", wrong}), HasSubstr("-vtunnelAddr: not IP:PORT")) << wrong;
    EXPECT_THAT(error({"-docker", wrong}), HasSubstr("-vtunnelAddr: not IP:PORT")) << wrong;
  }
  EXPECT_EQ(error({"-docker", "-vtunnelAddr="}), "");
}

TEST(options, the_vms_interface_is_checked_in_every_mode) {
  for (const auto* wrong : {"-vm-interface=", "-vm-interface=a/b", "-vm-interface=sixteen-letters-"}) {
    EXPECT_THAT(error({"-docker", "-privilegedService", wrong}), HasSubstr("-vm-interface: not an interface name"));
    EXPECT_THAT(error({"-docker", wrong}), HasSubstr("-vm-interface: not an interface name"));
  }
}

TEST(options, old_messages_are_kept) {
  EXPECT_EQ(error({"-iptables=false"}), "requires either -docker, -containerd or -iptables enabled.");
  EXPECT_EQ(
      error({"-docker", "-k8sServiceListenerAddr=10.0.0.1"}),
      "empty or invalid Kubernetes service listener IP address 10.0.0.1; valid options are 0.0.0.0 and 127.0.0.1");
  EXPECT_EQ(error({"-docker", "-privilegedService", "-vtunnelAddr="}), "-privilegedService needs -vtunnelAddr");
}

TEST(options, iptables_is_on_by_default_and_enough) { EXPECT_EQ(error({}), ""); }

TEST(options, local_listeners_are_for_non_admin_mode) {
  EXPECT_EQ(error({"-localListeners"}), "");
  EXPECT_THAT(error({"-localListeners", "-adminInstall"}), HasSubstr("non-admin mode"));
}

TEST(options, listeners_are_forwarded_beside_an_engine_or_by_name) {
  EXPECT_TRUE(parse({"-docker"})->listeners);
  EXPECT_TRUE(parse({"-containerd"})->listeners);
  EXPECT_FALSE(parse({"-docker", "-listeners=false"})->listeners);
  EXPECT_FALSE(parse({})->listeners) << "DNAT rules alone";
  EXPECT_TRUE(parse({"-listeners"})->listeners);
}

TEST(options, the_list_of_ignored_listeners) {
  options o;
  EXPECT_TRUE(o.ignored_listeners.contains(net::protocol::tcp, 6443));
  ASSERT_TRUE(parse(o, {"-docker", "-ignore-listeners="}));
  EXPECT_EQ(o.ignored_listeners.size(), 0U);
  ASSERT_TRUE(parse(o, {"-docker", "-ignore-listeners", "default,tcp:9100"}));
  EXPECT_TRUE(o.ignored_listeners.contains(net::protocol::tcp, 9100));
  EXPECT_TRUE(o.ignored_listeners.contains(net::protocol::udp, 5353));
  EXPECT_EQ(error({"-docker", "-ignore-listeners=default,tcp:x"}),
            "invalid value \"default,tcp:x\" for flag -ignore-listeners: \"tcp:x\" is no port and no range of ports (1 "
            "to 65535)");
}

TEST(options, the_status_page_has_one_address) {
  options o;
  ASSERT_TRUE(parse(o, {"-docker"}));
  EXPECT_FALSE(o.status_page) << "off by default";
  ASSERT_TRUE(parse(o, {"-docker", "-status-page=127.0.0.1:9990"}));
  EXPECT_EQ(net::to_string(*o.status_page), "127.0.0.1:9990");
  for (const auto* wide : {"0.0.0.0:9990", ":9990", "[::]:9990"})
    EXPECT_THAT(error({"-docker", std::string("-status-page=") + wide}), HasSubstr("name one address")) << wide;
  for (const auto* wrong : {"9990", "localhost:9990", "127.0.0.1:0", "127.0.0.1"})
    EXPECT_THAT(error({"-docker", std::string("-status-page=") + wrong}), HasSubstr("-status-page")) << wrong;
}

TEST(options, values_are_checked) {
  EXPECT_THAT(error({"-docker", "-tap-interface-ip=fe80::1"}), HasSubstr("-tap-interface-ip: not an IPv4 address"));
  EXPECT_THAT(error({"-docker", "-veth-interface-ip=0.0.0.0"}), HasSubstr("-veth-interface-ip"));
  EXPECT_THAT(error({"-docker", "-k8sAPIPort=0"}), HasSubstr("-k8sAPIPort"));
  EXPECT_THAT(error({"-docker", "-host-switch-url=gateway"}), HasSubstr("-host-switch-url"));
  EXPECT_THAT(error({"-docker", "-status-socket=relative"}), HasSubstr("-status-socket"));
  EXPECT_THAT(error({"-docker", "-kubernetes", "-kubeconfig=k3s.yaml"}),
              HasSubstr("-kubeconfig: not an absolute path"));
  EXPECT_THAT(error({"-docker", "-wsl-proxy-socket=/" + std::string(200, 'x')}), HasSubstr("-wsl-proxy-socket"));
  EXPECT_THAT(error({"-docker", "-status-socket=/" + std::string(103, 'x')}), HasSubstr("at most 103 bytes"));
}

}  // namespace
}  // namespace guest_agent
