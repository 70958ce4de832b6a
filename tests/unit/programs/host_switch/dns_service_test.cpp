// The DNS service over its sockets. An upstream on another port than 53 cannot be named in a resolv.conf; the cases with
// one are in tests/integration.
#include "programs/host_switch/dns_service.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <array>
#include <fstream>

#include "netstack/dns/tcp_questions.hpp"
#include "programs/host_switch/incoming_streams.hpp"
#include "tests/support/event_loop.hpp"
#include "tests/support/temp_dir.hpp"
#include "translator/dns_port.hpp"

namespace host_switch {
namespace {

namespace dns = netstack::dns;
using bytes = std::vector<std::uint8_t>;

constexpr netstack::endpoint vm{{0xc0a8'7f02}, 4711};

bytes question(std::string_view name, std::uint16_t type = dns::record_type::a) {
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
    const auto head = translator::dns_head_of(vm);
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
    EXPECT_EQ(translator::dns_asker_of(got), vm);
    return {got.begin() + 8, got.begin() + size};
  }

  support::temp_dir directory_;
  support::event_loop loop_;
  base::unique_fd plane_;
  std::uint16_t id_ = 0;
  std::vector<std::string> domains_;
  std::optional<dns_service> service_;
};

int code_of(const bytes& message) { return message.size() < 12 ? -1 : message[3] & 15; }

TEST_F(dns_service_fixture, a_name_of_the_network_is_answered_to_who_asked) {
  ask(question("gateway.docker.internal"));
  const auto got = answer();
  EXPECT_EQ(code_of(got), 0);
  ASSERT_GE(got.size(), 16U);
  EXPECT_EQ(bytes(got.end() - 4, got.end()), (bytes{192, 168, 127, 1}));
}

TEST_F(dns_service_fixture, a_name_of_the_hosts_file_is_answered_and_a_changed_file_is_read) {
  loop_.spawn(service_->watch_hosts());
  loop_.settle();
  ask(question("printer"));
  EXPECT_EQ(code_of(answer()), 0);
  std::ofstream(file("hosts")) << "10.0.0.10 scanner\n";
  EXPECT_TRUE(loop_.run_until([&] {
    ask(question("scanner"));
    const auto got = answer();
    return code_of(got) == 0 && got.size() > 16 && got.back() == 10;
  }));
}

TEST_F(dns_service_fixture, a_refusing_resolver_is_servfail) {
  ask(question("example.org"));
  EXPECT_EQ(code_of(answer()), 2);
}

TEST_F(dns_service_fixture, search_domains_are_passed_on_at_once_and_after_a_change) {
  loop_.spawn(service_->watch_resolver());
  EXPECT_TRUE(loop_.run_until([&] { return domains_ == std::vector<std::string>{"one.example", "two.example"}; }));
  std::ofstream(file("new")) << "search three.example\n";
  std::filesystem::rename(file("new"), file("resolv.conf"));
  EXPECT_TRUE(loop_.run_until([&] { return domains_ == std::vector<std::string>{"three.example"}; }));
}

TEST_F(dns_service_fixture, several_questions_of_one_connection_are_answered) {
  incoming_streams streams(loop_.executor());
  loop_.spawn(service_->serve_streams(streams.acceptor()));
  std::array<int, 2> pair{};
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair.data()), 0);
  const base::unique_fd here(pair[0]);
  ASSERT_TRUE(streams.add(base::unique_fd(pair[1]), {net::address::v4(192, 168, 127, 2), 1}));
  for (const auto* name : {"gateway.docker.internal", "host.docker.internal"}) {
    const auto framed = dns::with_length(question(name));
    ASSERT_EQ(::send(here.get(), framed.data(), framed.size(), 0), static_cast<ssize_t>(framed.size()));
  }
  bytes got;
  EXPECT_TRUE(loop_.run_until([&] {
    std::array<std::uint8_t, 512> some{};
    const auto size = ::recv(here.get(), some.data(), some.size(), MSG_DONTWAIT);
    if (size > 0) got.insert(got.end(), some.begin(), some.begin() + size);
    std::size_t answers = 0;
    for (std::size_t at = 0; at + 2 <= got.size(); at += 2U + netstack::load_16(got, at)) ++answers;
    return answers == 2;
  }));
}

}  // namespace
}  // namespace host_switch
