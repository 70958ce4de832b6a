// tc-netem(8) between Linux's own TCP and host-switch: a virtual machine whose kernel loses, doubles, damages, delays
// and reorders frames, those that it sends and those that come. Each byte arrives once and in order, at both ends, with
// either end ending its direction first, and resets arrive.
//
// With BAD_LINKS=full in the environment the amounts are large, and the tests print what they measured.
#include <fmt/format.h>
#include <sys/socket.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/text.hpp"
#include "tests/integration/guest_machine.hpp"
#include "tests/integration/virtual_network_lab.hpp"
#include "tests/support/eventually.hpp"

namespace integration {
namespace {

using namespace std::chrono_literals;
using net::protocol;
using std::chrono::steady_clock;
using support::eventually;

constexpr std::chrono::milliseconds boot_limit = 240s;  // 13 seconds of processor time at most
constexpr std::size_t endless = std::size_t{1} << 40U;
constexpr auto host_ip = net::address::v4(10, 99, 1, 1);
constexpr net::endpoint commands{host_ip, 9000}, exposed{host_ip, 8080};
constexpr auto a_bit_of_all = "delay 1ms 500us loss 1% duplicate 0.5% corrupt 0.1%";

bool in_full() {
  const char* given = std::getenv("BAD_LINKS");
  return given != nullptr && std::string_view(given) == "full";
}

struct impairment_case {
  const char* how;    // tc's words
  std::size_t bytes;  // each way of each connection
};

// The second one has fewer bytes: there Linux waits for time-outs.
constexpr impairment_case each_impairment[] = {
    {"loss 0.1%", 8 * megabyte},    {"loss 5%", megabyte},           {"delay 1ms reorder 5%", 8 * megabyte},
    {"duplicate 5%", 8 * megabyte}, {"delay 1ms 1ms", 4 * megabyte}, {"corrupt 0.5%", 4 * megabyte}};

// A connection with the guest.
struct guest_connection {
  base::unique_fd fd;
  int number;
};

void give_order(int fd, const std::string& line) {
  EXPECT_EQ(::send(fd, line.data(), line.size(), MSG_NOSIGNAL), std::ssize(line));
}

class guest_bad_link : public virtual_network_lab {
 protected:
  void SetUp() override {
    make_places();
    if (!lan_) return;
    if (const auto missing = guest_machine::missing(); !missing.empty()) GTEST_SKIP() << missing;
    machine_.emplace("bad_links");
    for (const auto* program : {GUESTAGENT_GUEST_TRAFFIC, "/sbin/tc", "/sbin/ip"}) machine_->add_program(program);
    machine_->connect_network(at("qemu.sock"));
    machine_->add_network_modules();
    machine_->add_modules({"ifb", "sch_netem", "sch_ingress", "cls_matchall", "act_mirred"});
    start({"-listen=qemu://" + at("qemu.sock"), "-port-forward=10.99.1.1:8080=192.168.127.2:8080",
           "-port-forward=10.99.1.1:9000=192.168.127.2:9000"});
    ASSERT_TRUE(eventually(10s, [this] { return log().find("ready") != std::string::npos; })) << log();
    machine_->start();
    ASSERT_TRUE(eventually(boot_limit, [this] { return machine_->said("ready"); })) << log();
    ASSERT_TRUE(eventually(patience, [this] { return in_guest("echo up") == "up\n"; }));
    listener_ = support::open_socket(*lan_, protocol::tcp, lan_server, true);
  }
  void TearDown() override {
    if (HasFailure() && machine_) std::fputs(machine_->console().c_str(), stderr);
    machine_.reset();
    virtual_network_lab::TearDown();
  }

  // The output of a script.
  [[nodiscard]] std::string in_guest(const std::string& script) const {
    return support::ask(*lan_, protocol::tcp, commands, script + "\n", patience).value_or("no answer");
  }
  void impair(std::string_view how) const {
    for (const auto* device : {"eth0", "ifb0"})
      EXPECT_EQ(
          in_guest(fmt::format(
              "/bin/tc qdisc del dev {0} root 2>/dev/null; /bin/tc qdisc add dev {0} root netem limit 4096 {1} 2>&1",
              device, how)),
          "");
  }
  // How many bytes went through netem since impair().
  [[nodiscard]] std::size_t impaired(const char* device) const {
    const auto text = in_guest(fmt::format(
        R"(/bin/tc -s qdisc show dev {} root | sed -n 's/.*Sent \([0-9]*\) bytes.*/\1/p' | tr -d '\n')", device));
    return base::parse_number<std::size_t>(text).value_or(0);
  }
  void connect_from_guest(int clients, int times) const {
    EXPECT_EQ(in_guest(fmt::format("guest-traffic connect 10.99.1.2 7000 {} {} >/dev/console 2>&1 &", clients, times)),
              "");
  }
  [[nodiscard]] guest_connection open(bool from_guest, std::size_t bytes, std::string_view end = "close") {
    if (from_guest) connect_from_guest(1, 1);
    guest_connection made{from_guest ? accept_from(listener_.get()) : dial(*lan_, exposed), ++opened_};
    give_order(made.fd.get(), fmt::format("{} {} {}\n", made.number, bytes, end));
    return made;
  }
  void expect_report(const guest_connection& of, std::string_view what) const {
    EXPECT_TRUE(eventually(patience, [&] { return machine_->said(fmt::format("{} {}", of.number, what)); }))
        << of.number << ' ' << what;
  }
  void expect_both_ways(const guest_connection& on, std::size_t bytes) const {
    expect_bytes(on.fd.get(), on.fd.get(), bytes);
    expect_report(on, fmt::format("received {}", bytes));
  }
  void expect_no_flow_left() const {
    EXPECT_TRUE(eventually(patience, [this] { return metric("host_connections") == 0; })) << metric("host_connections");
  }
  void print_measurements(std::string_view what, steady_clock::time_point began) const {
    if (!in_full()) return;
    const auto time = std::chrono::duration_cast<std::chrono::milliseconds>(steady_clock::now() - began).count();
    fmt::print(
        "{}: {} ms; host-switch in all: {} segments, {} repeated, {} malformed frames; guest:\n{}", what, time,
        metric("segments_out"), metric("segments_repeated"), metric("malformed"),
        in_guest("awk '/^Tcp/ { print $11, $12, $13, $14 }' /proc/net/snmp; /bin/tc -s qdisc show | grep -A1 netem"));
  }

  // Of several threads that wait for the same connection all but one would get none.
  [[nodiscard]] base::unique_fd accept_one() {
    const std::lock_guard alone(accepting_);
    return accept_from(listener_.get());
  }
  // How many of `clients` times `times` connections, each opened, used both ways and closed, passed their bytes.
  [[nodiscard]] int pass_short_connections(bool from_guest, int clients, int times) {
    constexpr std::size_t bytes = 3000;
    if (from_guest) connect_from_guest(clients, times);
    std::atomic<int> complete = 0;
    std::vector<std::jthread> all;
    for (int i = 0; i < clients; ++i)
      all.emplace_back([&] {
        for (int n = 0; n < times; ++n) {
          const auto fd = from_guest ? accept_one() : dial(*lan_, exposed);
          if (!fd) continue;
          give_order(fd.get(), fmt::format("- {} close\n", bytes));
          complete += send_stream(fd.get(), bytes) && receive_stream(fd.get()) == bytes ? 1 : 0;
        }
      });
    all.clear();
    return complete;
  }

  base::unique_fd listener_;
  std::mutex accepting_;
  std::optional<guest_machine> machine_;
  int opened_ = 0;
};

TEST_F(guest_bad_link, passes_all_bytes_both_ways) {
  for (const auto& [how, few] : each_impairment) {
    SCOPED_TRACE(how);
    const auto bytes = in_full() ? 100 * megabyte : few;
    impair(how);
    const auto began = steady_clock::now();
    const auto out = open(true, bytes), in = open(false, bytes);
    ASSERT_TRUE(out.fd && in.fd);
    {
      const std::jthread other([&] { expect_both_ways(in, bytes); });
      expect_both_ways(out, bytes);
    }
    EXPECT_GT(impaired("eth0"), 2 * bytes);
    EXPECT_GT(impaired("ifb0"), 2 * bytes);
    print_measurements(how, began);
  }
  EXPECT_GT(metric("malformed"), 0U);
  EXPECT_GT(metric("segments_repeated"), 0U);
}

// Either end ends its direction, and gets everything after that.
TEST_F(guest_bad_link, passes_all_bytes_after_a_half_close) {
  const auto bytes = (in_full() ? 50 : 2) * megabyte;
  impair(a_bit_of_all);
  const auto began = steady_clock::now();
  for (const bool from_guest : {true, false}) {
    SCOPED_TRACE(from_guest);
    const auto ended_here = open(from_guest, bytes);
    ::shutdown(ended_here.fd.get(), SHUT_WR);
    EXPECT_EQ(receive_stream(ended_here.fd.get()), bytes);
    expect_report(ended_here, "received 0");
    const auto ended_there = open(from_guest, 1000);
    EXPECT_EQ(receive_stream(ended_there.fd.get()), 1000U);
    EXPECT_TRUE(send_stream(ended_there.fd.get(), bytes));
    ::shutdown(ended_there.fd.get(), SHUT_WR);
    expect_report(ended_there, fmt::format("received {}", bytes));
  }
  print_measurements("half-closes", began);
  expect_no_flow_left();
}

// A reset may be lost, and is repeated for the next segment: so the other end sends on.
TEST_F(guest_bad_link, passes_resets_and_short_connections) {
  impair("loss 5%");
  const auto began = steady_clock::now();
  for (int i = 0; i < (in_full() ? 200 : 12); ++i) {
    const bool from_guest = i % 2 == 0, reset_here = i % 4 < 2;
    SCOPED_TRACE(fmt::format("from guest {}, reset here {}", from_guest, reset_here));
    auto one = reset_here ? open(from_guest, endless) : open(from_guest, 100'000, "reset");
    ASSERT_TRUE(one.fd);
    if (reset_here) {
      EXPECT_TRUE(receive_part(one.fd.get(), 100'000, 0));
      reset(one.fd);
      expect_report(one, "reset");
    } else {
      EXPECT_FALSE(send_stream(one.fd.get(), endless));
      EXPECT_TRUE(errno == ECONNRESET || errno == EPIPE) << errno;
    }
  }
  print_measurements("resets", began);
  impair(a_bit_of_all);
  constexpr int clients = 8;
  const int times = in_full() ? 10'000 / clients : 25;
  for (const bool from_guest : {true, false}) {
    const auto first = steady_clock::now();
    EXPECT_EQ(pass_short_connections(from_guest, clients, times), clients * times) << "from guest " << from_guest;
    print_measurements(from_guest ? "short connections out" : "short connections in", first);
  }
  expect_no_flow_left();
}

}  // namespace
}  // namespace integration
