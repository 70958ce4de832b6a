// The program privileged-service, told what to hold by messages over real sockets.
#include <gmock/gmock.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <random>

#include "portmapping/message_codec.hpp"
#include "tests/support/child_process.hpp"
#include "tests/support/echo_upstream.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/socket_peer.hpp"
#include "tests/support/temp_dir.hpp"

namespace privileged {
namespace {

using namespace std::chrono_literals;
using net::protocol;
using support::ask;
using support::child_process;
using support::echo_upstream;
using support::eventually;
using testing::HasSubstr;

// Addresses that are no other test's: all their ports are free.
net::address own_loopback() {
  static std::random_device random;
  std::uniform_int_distribution<int> byte(2, 253);
  const auto next = [&] { return static_cast<std::uint8_t>(byte(random)); };
  return net::address::v4(127, next(), next(), next());
}

class PrivilegedService : public testing::Test {
 protected:
  child_process start(std::vector<std::string> more = {}) {
    std::vector<std::string> argv{GUESTAGENT_PRIVILEGED_SERVICE, "-loopbackTargets", "-socketFile=" + socket_.string()};
    argv.insert(argv.end(), more.begin(), more.end());
    return child_process({.argv = argv, .log = log_});
  }
  child_process start_and_wait() {
    auto started = start();
    EXPECT_TRUE(eventually(10s, [&] { return std::filesystem::is_socket(socket_); })) << log();
    return started;
  }
  void send(bool remove, const net::address& vm) {
    portmapping::message m{.remove = remove, .bindings = {}, .connect_addresses = {{vm, 8}}};
    for (const auto p : {protocol::tcp, protocol::udp}) m.bindings.push_back({p, 80, {host_, 8080}});
    sockaddr_un at{};
    at.sun_family = AF_UNIX;
    socket_.native().copy(at.sun_path, sizeof at.sun_path - 1);
    const base::unique_fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    ASSERT_EQ(::connect(fd.get(), reinterpret_cast<const sockaddr*>(&at), sizeof at), 0);
    support::send_all(fd.get(), portmapping::encode(m));
  }
  [[nodiscard]] bool reaches(const echo_upstream& vm) const {
    return eventually(10s, [&] {
      return ask(protocol::tcp, {host_, 8080}, "x") == vm.answer_to("x") &&
             ask(protocol::udp, {host_, 8080}, "x") == vm.answer_to("x");
    });
  }
  [[nodiscard]] bool closes() const {
    return eventually(10s, [&] { return ask(protocol::tcp, {host_, 8080}, "x").empty(); });
  }
  [[nodiscard]] std::string log() const { return support::read_text(log_); }

  support::temp_dir directory_;
  std::filesystem::path socket_ = directory_ / "privileged.sock";
  std::filesystem::path log_ = directory_ / "log";
  net::address host_ = own_loopback(), vm_a_ = own_loopback(), vm_b_ = own_loopback();
};

TEST_F(PrivilegedService, RelaysToTheVmThatAsked) {
  const echo_upstream a({vm_a_, 8080}), b({vm_b_, 8080});
  auto service = start_and_wait();
  struct stat about{};
  ASSERT_EQ(::stat(socket_.c_str(), &about), 0);
  EXPECT_EQ(about.st_mode & 07777U, 0600U);
  send(false, vm_a_);
  EXPECT_TRUE(reaches(a)) << log();
  send(true, vm_b_);
  send(false, vm_b_);
  EXPECT_TRUE(reaches(b)) << log();
  send(true, vm_b_);
  EXPECT_TRUE(reaches(a)) << log();
  send(true, vm_a_);
  EXPECT_TRUE(closes());
  EXPECT_EQ(service.stop(), 0);
  EXPECT_FALSE(std::filesystem::exists(socket_));
}

TEST_F(PrivilegedService, OpensABusyPortOnceItIsFreeAndClosesAllAtTheEnd) {
  const echo_upstream a({vm_a_, 8080});
  auto other = support::bound_socket(SOCK_STREAM, {host_, 8080});
  auto service = start_and_wait();
  send(false, vm_a_);
  EXPECT_TRUE(eventually(10s, [this] { return log().find("Address already in use") != std::string::npos; })) << log();
  other.reset();
  EXPECT_TRUE(reaches(a)) << log();
  EXPECT_EQ(service.stop(), 0);
  EXPECT_TRUE(closes());
}

TEST_F(PrivilegedService, SaysWhyItDoesNotStart) {
  auto first = start_and_wait();
  EXPECT_EQ(start().wait(10s), 1);
  EXPECT_THAT(log(), HasSubstr("another instance is running"));
  EXPECT_EQ(start({"-listen=192.0.2.1:4444"}).wait(10s), 2);
  EXPECT_THAT(log(), HasSubstr("not IP:PORT on loopback"));
  EXPECT_EQ(start({"more"}).wait(10s), 2);
}

}  // namespace
}  // namespace privileged
