#include "programs/vtunnel/config_codec.hpp"

#include <gmock/gmock.h>
#include <linux/vm_sockets.h>

namespace vtunnel {
namespace {

using testing::HasSubstr;
using testing::SizeIs;

const std::string good =
    "tunnel:\n"
    "  - name: tcpTunnel\n"
    "    handshake-port: 9090\n"
    "    vsock-host-port: 8989\n"
    "    peer-address: 127.0.0.1\n"
    "    peer-port: 3030\n"
    "    upstream-server-address: 127.0.0.1:4444\n";

// `good` with its line `number` replaced; counted from 1.
std::string with_line(int number, const std::string& line) {
  std::string text;
  std::size_t at = 0;
  for (int i = 1; at < good.size(); ++i) {
    const auto end = good.find('\n', at) + 1;
    text += i == number ? line + "\n" : good.substr(at, end - at);
    at = end;
  }
  return text;
}
std::string error(const std::string& text) {
  const auto parsed = parse_config(text);
  return parsed ? "" : parsed.error().message();
}

TEST(vtunnel_config, the_products_file_is_understood) {
  const auto parsed = parse_config(good);
  ASSERT_TRUE(parsed) << parsed.error().message();
  ASSERT_THAT(*parsed, SizeIs(1));
  const auto& t = parsed->front();
  EXPECT_EQ(t.name, "tcpTunnel");
  EXPECT_EQ(net::to_string(at_cid(t.handshake, VMADDR_CID_ANY)), "vsock:any:9090");
  EXPECT_EQ(net::to_string(at_cid(t.data, VMADDR_CID_HOST)), "vsock:2:8989");
  EXPECT_EQ(net::to_string(t.peer), "127.0.0.1:3030");
  EXPECT_EQ(net::to_string(t.upstream), "127.0.0.1:4444");
}

TEST(vtunnel_config, paths_stand_for_vsock_ports_and_for_the_upstream) {
  const auto parsed = parse_config(
      "tunnel: [{name: a, handshake-port: unix:/run/h, vsock-host-port: unix:/run/d, peer-address: '::1', "
      "peer-port: 1, upstream-server-address: unix:/run/u}]");
  ASSERT_TRUE(parsed) << parsed.error().message();
  const auto& t = parsed->front();
  EXPECT_EQ(net::to_string(at_cid(t.handshake, 2)), "unix:/run/h");
  EXPECT_EQ(net::to_string(at_cid(t.data, 2)), "unix:/run/d");
  EXPECT_EQ(net::to_string(t.peer), "[::1]:1");
  EXPECT_EQ(net::to_string(t.upstream), "unix:/run/u");
}

TEST(vtunnel_config, what_is_wrong_is_named_with_its_line) {
  EXPECT_EQ(error(with_line(4, "    vsock-host-port: x")),
            "line 4: tunnel[0].vsock-host-port: neither a vsock port nor unix:/path: \"x\"");
  EXPECT_EQ(error(with_line(3, "    handshake-port: 4294967295")),
            "line 3: tunnel[0].handshake-port: neither a vsock port nor unix:/path: \"4294967295\"");
  EXPECT_EQ(error(with_line(3, "    handshake-port: unix:run/h")),
            "line 3: tunnel[0].handshake-port: not the absolute path of a socket: \"unix:run/h\"");
  EXPECT_EQ(error(with_line(5, "    peer-address: localhost")),
            "line 5: tunnel[0].peer-address: not an IP address: \"localhost\"");
  EXPECT_EQ(error(with_line(6, "    peer-port: 65536")), "line 6: tunnel[0].peer-port: not a port: \"65536\"");
  EXPECT_THAT(error(with_line(7, "    upstream-server-address: npipe:////./pipe/x")),
              HasSubstr("line 7: tunnel[0].upstream-server-address: named pipes are Windows' own"));
  EXPECT_EQ(error(with_line(6, "")), "line 2: tunnel[0].peer-port: is missing");
  EXPECT_EQ(error(with_line(6, "    peer_port: 1")), "line 6: tunnel[0].peer_port: is not known");
  EXPECT_EQ(error(with_line(6, "    peer-port: 3030\n    peer-port: 3031")),
            "line 7: tunnel[0].peer-port: is given twice");
  EXPECT_EQ(error(with_line(6, "    [a]: 1")), "line 6: tunnel[0].?: is not known");
  EXPECT_EQ(error(good + "tunnel: []\n"), "line 8: tunnel: is given twice");
  EXPECT_EQ(error(good + "tunnels: []\n"), "line 8: tunnels: is not known");
  EXPECT_EQ(error(with_line(6, "    peer-port: [1]")), "line 6: tunnel[0].peer-port: no value");
  EXPECT_EQ(error("{}"), "line 1: tunnel: is missing");
  EXPECT_EQ(error("tunnel: 1"), "line 1: tunnel: no list of tunnels");
  EXPECT_THAT(error("tunnel:\n  - {name: [\n"), HasSubstr("line 3: "));
  EXPECT_EQ(error(std::string(70'000, ' ')), "larger than 64 KiB");
  EXPECT_NE(error(""), "");
}

TEST(vtunnel_config, two_tunnels_share_nothing) {
  const auto second = good.substr(good.find("  - name"));
  EXPECT_EQ(error(good + second), "line 8: tunnel[1].name: the same as tunnel[0].name: \"tcpTunnel\"");
  auto other = second;
  other.replace(other.find("tcpTunnel"), 9, "second");
  EXPECT_EQ(error(good + other), "line 9: tunnel[1].handshake-port: the same as tunnel[0].handshake-port: \"9090\"");
}

}  // namespace
}  // namespace vtunnel
