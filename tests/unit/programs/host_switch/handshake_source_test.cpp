// -listen=handshake://PATH: how soon host-switch looks for the next VM.
#include <fstream>
#include <iterator>

#include "base/log.hpp"
#include "link/handshake/meeting_point.hpp"
#include "link/handshake/phrase.hpp"
#include "os/acceptor.hpp"
#include "os/connect.hpp"
#include "tests/unit/programs/host_switch/link_source_fixture.hpp"

namespace host_switch {
namespace {

using namespace std::chrono_literals;

class handshake_source_test : public link_source_fixture {
 protected:
  void SetUp() override {
    auto opened = handshake::meeting_listener::open(point_.handshake_listener());
    ASSERT_TRUE(opened);
    listener_.emplace(std::move(*opened));
    listening_ = listener_->duplicate().value();
    ASSERT_TRUE(base::log::set_file(log_));
    serve(links::link_kind::handshake);
  }
  void TearDown() override { ASSERT_TRUE(base::log::set_file("/dev/stderr")); }

  [[nodiscard]] bool host_looks() {
    if (auto got = os::accept_pending(listening_.get())) guest_ = std::move(*got);
    return static_cast<bool>(guest_);
  }
  // Time passes until host-switch looks for a VM.
  [[nodiscard]] bool host_looks_in_time() {
    const auto end = std::chrono::steady_clock::now() + 10s;
    while (!host_looks() && std::chrono::steady_clock::now() < end) loop_.pass_time(10ms);
    return static_cast<bool>(guest_);
  }
  // The data connection of a VM for which host-switch has just looked.
  [[nodiscard]] base::unique_fd connect() {
    handshake::send_phrase(guest_.get(), handshake::network_phrase);
    char first = 0;
    EXPECT_TRUE(loop_.run_until([&] { return ::recv(guest_.get(), &first, 1, MSG_DONTWAIT) == 1; })) << "READY";
    guest_.reset();
    auto data = os::connect_now({path() + ".data"});
    EXPECT_TRUE(data);
    EXPECT_TRUE(has_links(1));
    return data ? std::move(*data) : base::unique_fd();
  }
  void end_at_once() {
    connect().reset();
    ASSERT_TRUE(has_links(0));
  }
  [[nodiscard]] std::size_t lines_with(const std::string& text) const {
    std::ifstream in(log_);
    const std::string all{std::istreambuf_iterator<char>(in), {}};
    std::size_t number = 0;
    for (auto at = all.find(text); at != std::string::npos; at = all.find(text, at + 1)) ++number;
    return number;
  }

  handshake::meeting_point point_{{.kind = links::link_kind::handshake, .path = path()}};
  std::optional<handshake::meeting_listener> listener_;
  base::unique_fd listening_, guest_;
  std::string log_ = directory_ / "log";
};

TEST_F(handshake_source_test, a_vm_that_ends_each_link_at_once_is_met_once_a_second) {
  constexpr int links = 10;
  async::clock::time_point first, last;
  for (int i = 0; i < links; ++i) {
    ASSERT_TRUE(host_looks_in_time()) << i;
    const auto now = async::clock::now();
    if (i == 0) first = now;
    if (i > 0) EXPECT_LT(now - last, 2s) << i;
    last = now;
    ASSERT_NO_FATAL_FAILURE(end_at_once()) << i;
  }
  EXPECT_GE(last - first, 6'500ms) << "100, 200, 400 and 800 ms, then one second each";
  ASSERT_TRUE(loop_.run_until([&] { return lines_with("link ended") > 0; }));
  for (const auto* line : {"data connection", "link begins", "link ended"}) {
    EXPECT_GE(lines_with(line), 1U) << line;
    EXPECT_LE(lines_with(line), 4U) << line;
  }
}

TEST_F(handshake_source_test, after_a_link_that_lived_long_the_next_vm_is_met_at_once) {
  for (int i = 0; i < 6; ++i) {
    ASSERT_TRUE(host_looks_in_time());
    ASSERT_NO_FATAL_FAILURE(end_at_once());
  }
  ASSERT_TRUE(host_looks_in_time());
  auto link = connect();
  loop_.pass_time(1s);
  const auto ended = async::clock::now();
  link.reset();
  ASSERT_TRUE(loop_.run_until([&] { return host_looks(); })) << "no time passes but the real one";
  EXPECT_LT(async::clock::now() - ended, 1s) << "the pause after another short link";
}

}  // namespace
}  // namespace host_switch
