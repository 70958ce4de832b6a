// dns_service_fixture: the DNS service over its datagrams, with a resolv.conf and a hosts file of the test's. The
// resolver is 127.0.0.1, where nothing listens unless the test enters a namespace that has a server.
#pragma once

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <array>
#include <cstdint>
#include <fstream>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/unique_fd.hpp"
#include "netstack/dns/name.hpp"
#include "netstack/dns/query.hpp"
#include "programs/host_switch/dns_service.hpp"
#include "tests/support/event_loop.hpp"
#include "tests/support/temp_dir.hpp"
#include "tests/unit/netstack/packets.hpp"
#include "translator/dns_port.hpp"

namespace host_switch {

namespace dns = netstack::dns;
using netstack::bytes;

inline constexpr netstack::endpoint vm_client{{0xc0a8'7f02}, 4711};

inline bytes question(std::string_view name, std::uint16_t type = dns::record_type::a) {
  bytes made{0x12, 0x34, 0x01, 0x00, 0, 1, 0, 0, 0, 0, 0, 0};
  const auto wire = dns::name::from_text(name).value();
  made.insert(made.end(), wire.wire().begin(), wire.wire().end());
  for (const auto b : {type >> 8, type & 0xff, 0, 1}) made.push_back(static_cast<std::uint8_t>(b));
  return made;
}

class dns_service_fixture : public testing::Test {
 protected:
  dns_service_fixture() {
    std::ofstream(file("resolv.conf")) << "search one.example two.example\nnameserver 127.0.0.1\n";
    std::ofstream(file("hosts")) << "10.0.0.9 printer\n";
    std::array<int, 2> pair{};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair.data()), 0);
    plane_.reset(pair[0]);
    service_.emplace(loop_.executor(), dns::settings{.host = {}, .random_id = [this] { return ++id_; }},
                     dns::zones({0xc0a8'7f01}, netstack::ipv4::address{0xc0a8'7ffe}),
                     dns_files{file("resolv.conf"), file("hosts")}, base::unique_fd(pair[1]),
                     [this](const std::vector<std::string>& domains) { domains_ = domains; });
    loop_.spawn(service_->serve_datagrams());
  }
  ~dns_service_fixture() override { loop_.stop(); }

  [[nodiscard]] std::string file(const char* name) const { return (directory_.path() / name).string(); }

  void ask(const bytes& q) {
    const auto head = translator::dns_head_of(vm_client);
    bytes record(head.begin(), head.end());
    record.insert(record.end(), q.begin(), q.end());
    ASSERT_EQ(::send(plane_.get(), record.data(), record.size(), 0), static_cast<ssize_t>(record.size()));
  }
  // The answer without the head.
  bytes answer() {
    bytes got(65'600);
    ssize_t size = -1;
    loop_.run_until(
        [&] { return size > 0 || (size = ::recv(plane_.get(), got.data(), got.size(), MSG_DONTWAIT)) > 0; });
    if (size < 8) return {};
    EXPECT_EQ(translator::dns_asker_of(got), vm_client);
    return {got.begin() + 8, got.begin() + size};
  }

  support::temp_dir directory_;
  support::event_loop loop_;
  base::unique_fd plane_;
  std::uint16_t id_ = 0;
  std::vector<std::string> domains_;
  std::optional<dns_service> service_;
};

inline int code_of(const bytes& message) { return message.size() < 12 ? -1 : message[3] & 15; }

}  // namespace host_switch
