// Names: what the VM asks, and how the host's resolver configuration changes while host-switch runs. host-switch has an
// /etc of the test's own, so that resolv.conf can be missing, renamed and a symbolic link.
#include <atomic>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include "tests/integration/datagram_server.hpp"
#include "tests/integration/dns_answer.hpp"
#include "tests/integration/virtual_network_lab.hpp"
#include "tests/support/eventually.hpp"

namespace integration {
namespace {

using namespace std::chrono_literals;
using net::protocol;
using support::eventually;

namespace fs = std::filesystem;

constexpr std::uint16_t txt = 16, https = 65, aaaa = 28;
constexpr int servfail = 2, nxdomain = 3;

// A question for `type` of example.org with the id 0x1234.
std::string question(std::uint16_t type) {
  std::string made(
      "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x07"
      "example\x03org\x00",
      25);
  made += static_cast<char>(type >> 8);
  made += static_cast<char>(type & 0xff);
  return made + std::string("\x00\x01", 2);
}

// With a text, "hi".
std::string upstream_answer(const std::string& asked, int code) {
  return dns_answer(asked, std::string_view("\xc0\x0c\x00\x10\x00\x01\x00\x00\x00\x2a\x00\x03\x02hi", 15), code);
}

// -1 for no answer.
int code_of(const std::string& answer) { return answer.size() < 12 ? -1 : answer[3] & 15; }

class resolver : public virtual_network_lab {
 protected:
  void SetUp() override {
    virtual_network_lab::SetUp();
    if (IsSkipped()) return;
    fs::create_directory(at("etc"));
    std::ofstream(at("etc/hosts")) << "";
  }
  void start_resolving() {
    start_by({"unshare", "-m", "sh", "-c", "mount --bind \"$0\" /etc && exec \"$@\"", at("etc")});
    ASSERT_TRUE(eventually(10s, [this] { return vm_is_connected(); })) << log();
  }
  void start_with(const std::string& text) {
    write("etc/resolv.conf", text);
    start_resolving();
  }
  void write(const char* name, const std::string& text) const { std::ofstream(at(name)) << text; }
  // The answer to one question over UDP; empty without one.
  [[nodiscard]] std::string resolve(const std::string& asked, std::chrono::milliseconds limit = 12s) const {
    return support::ask(*vm_, protocol::udp, {gateway_api.ip, 53}, asked, limit).value_or("");
  }
  // A server of the host that knows each name, and counts the questions.
  [[nodiscard]] datagram_server upstream(const net::address& ip, std::atomic<int>& asked) const {
    return {*host_, {ip, 53}, [&asked](int fd, const std::string& q, const net::socket_address& from) {
              ++asked;
              echo(fd, upstream_answer(q, 0), from);
            }};
  }
};

TEST_F(resolver, any_type_of_question_gets_the_upstreams_answer) {
  std::atomic<int> asked = 0;
  const auto server = upstream(net::address::loopback_v4(), asked);
  ASSERT_TRUE(server.is_open());
  start_with("nameserver 127.0.0.1\n");
  for (const auto type : {txt, https, std::uint16_t{65'280}})
    EXPECT_EQ(resolve(question(type)), upstream_answer(question(type), 0)) << type;
  EXPECT_EQ(asked, 3);
  const auto none = resolve(question(aaaa));
  ASSERT_GE(none.size(), 12U);
  EXPECT_EQ(none[3] & 15, 0);
  EXPECT_EQ(none[7], 0) << "the network is IPv4 only";
  EXPECT_EQ(asked, 3);
}

TEST_F(resolver, a_name_that_does_not_exist_stays_so_and_silence_is_servfail) {
  std::atomic<bool> silent = false;
  const datagram_server server(*host_, {net::address::loopback_v4(), 53},
                               [&](int fd, const std::string& q, const net::socket_address& from) {
                                 if (!silent) echo(fd, upstream_answer(q, 3), from);
                               });
  start_with("nameserver 127.0.0.1\n");
  EXPECT_EQ(code_of(resolve(question(txt))), nxdomain);
  silent = true;
  EXPECT_EQ(code_of(resolve(question(https))), servfail);
}

TEST_F(resolver, a_dead_first_server_is_passed_over) {
  const datagram_server server(
      *host_, {net::address::loopback_v4(), 53},
      [](int fd, const std::string& q, const net::socket_address& from) { echo(fd, upstream_answer(q, 0), from); });
  start_with("nameserver 127.0.0.9\nnameserver 127.0.0.1\n");
  EXPECT_EQ(resolve(question(txt)), upstream_answer(question(txt), 0));
}

TEST_F(resolver, that_is_missing_is_servfail_at_once_and_used_when_it_comes) {
  start_resolving();
  const auto began = std::chrono::steady_clock::now();
  EXPECT_EQ(code_of(resolve(question(txt))), servfail);
  EXPECT_LT(std::chrono::steady_clock::now() - began, 1s);
  std::atomic<int> asked = 0;
  const auto server = upstream(net::address::v4(127, 0, 0, 5), asked);
  write("etc/resolv.conf", "nameserver 127.0.0.5\n");
  EXPECT_TRUE(eventually(5s, [this] { return code_of(resolve(question(txt))) == 0; }));
  EXPECT_GT(asked, 0);
}

TEST_F(resolver, that_is_replaced_by_rename_or_by_a_link_is_used_for_the_next_question) {
  std::atomic<int> first = 0, second = 0, third = 0;
  const auto one = upstream(net::address::v4(127, 0, 0, 5), first),
             two = upstream(net::address::v4(127, 0, 0, 6), second),
             three = upstream(net::address::v4(127, 0, 0, 7), third);
  start_with("nameserver 127.0.0.5\n");
  EXPECT_EQ(code_of(resolve(question(txt))), 0);
  EXPECT_EQ(first, 1);
  write("etc/resolv.conf.new", "nameserver 127.0.0.6\n");
  fs::rename(at("etc/resolv.conf.new"), at("etc/resolv.conf"));
  const auto read_again = [this](int times) {
    const auto text = log();
    std::size_t at = 0;
    for (int i = 0; i < times; ++i, ++at)
      if (at = text.find("resolver read again", at); at == std::string::npos) return false;
    return true;
  };
  EXPECT_TRUE(eventually(2s, [&] { return read_again(1); }));
  EXPECT_EQ(code_of(resolve(question(https))), 0);
  EXPECT_EQ(second, 1);
  write("etc/other.conf", "nameserver 127.0.0.7\n");
  fs::create_symlink("other.conf", at("etc/link"));
  fs::rename(at("etc/link"), at("etc/resolv.conf"));
  EXPECT_TRUE(eventually(2s, [&] { return read_again(2); }));
  EXPECT_EQ(code_of(resolve(question(std::uint16_t{65'281}))), 0);
  EXPECT_EQ(third, 1);
  EXPECT_EQ(first, 1);
}

}  // namespace
}  // namespace integration
