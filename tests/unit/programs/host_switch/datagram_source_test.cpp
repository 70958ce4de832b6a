// -listen=unixgram://PATH: one VM after the other on the same socket.
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>

#include "net/stream_address.hpp"
#include "os/claimed_unix_path.hpp"
#include "tests/unit/programs/host_switch/frames_of_vm.hpp"
#include "tests/unit/programs/host_switch/link_source_fixture.hpp"

namespace host_switch {
namespace {

class datagram_source_test : public link_source_fixture {
 protected:
  void SetUp() override {
    serve(links::link_kind::unix_datagram);
    ASSERT_TRUE(has_links(1));
  }

  [[nodiscard]] net::socket_address name(const std::string& of) const {
    return net::to_sockaddr(net::stream_address(net::unix_path{directory_ / of}));
  }
  // A VM's socket that is connected to host-switch's.
  [[nodiscard]] base::unique_fd vm(const std::string& of) const {
    base::unique_fd fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    const auto own = name(of), host = name("host");
    EXPECT_EQ(::bind(fd.get(), own.get(), own.size), 0);
    EXPECT_EQ(::connect(fd.get(), host.get(), host.size), 0);
    return fd;
  }
  [[nodiscard]] bool is_answered(const base::unique_fd& vm) {
    const auto frame = arp_request();
    EXPECT_EQ(::send(vm.get(), frame.data(), frame.size(), 0), std::ssize(frame));
    std::array<std::uint8_t, 2'048> got{};
    bool answered = false;
    return loop_.run_until(
        [&] { return answered = answered || ::recv(vm.get(), got.data(), got.size(), MSG_DONTWAIT) > 0; });
  }
  [[nodiscard]] netstack::link_id link() {
    const auto all = plane_.links();
    return all.empty() ? 0 : all.front().id;
  }
  // A client of an exposed port has the VM asked: the write finds that it has gone.
  void write_to_vm() {
    auto at = net::to_sockaddr(net::endpoint{net::address::loopback_v4(), 0});
    base::unique_fd client(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    base::unique_fd free(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    ASSERT_EQ(::bind(free.get(), at.get(), at.size), 0);
    ASSERT_EQ(::getsockname(free.get(), at.get(), &at.size), 0);
    free.reset();
    ASSERT_TRUE(plane_.expose(net::protocol::udp, *net::from_sockaddr(at), {netstack::vm, 53}));
    ASSERT_EQ(::sendto(client.get(), "x", 1, 0, at.get(), at.size), 1);
  }
};

TEST_F(datagram_source_test, the_next_vm_is_served_though_it_connected_before_the_end_of_the_last_link) {
  auto first = vm("first");
  ASSERT_TRUE(is_answered(first));
  const auto second = vm("second");
  const auto link_of_first = link();
  first.reset();
  write_to_vm();
  ASSERT_TRUE(loop_.run_until([&] { return link() > link_of_first; })) << "the link has not ended";
  EXPECT_TRUE(is_answered(second));
}

TEST_F(datagram_source_test, the_next_vm_is_served_before_anything_is_written_to_the_last_one) {
  auto first = vm("first");
  ASSERT_TRUE(is_answered(first));
  const auto link_of_first = link();
  first.reset();
  const auto second = vm("second");
  EXPECT_TRUE(is_answered(second));
  EXPECT_EQ(link(), link_of_first);
}

// As unix:// treats its path.
class datagram_path_test : public link_source_fixture {
 protected:
  [[nodiscard]] std::error_code code() {
    const auto opened = open(links::link_kind::unix_datagram);
    return opened ? std::error_code() : opened.error().code;
  }
};

TEST_F(datagram_path_test, the_path_of_a_living_instance_is_refused_and_it_goes_on) {
  serve(links::link_kind::unix_datagram);
  ASSERT_TRUE(has_links(1));
  EXPECT_EQ(code(), std::errc::address_in_use);
  EXPECT_TRUE(std::filesystem::exists(path()));
  const auto vm = os::claimed_unix_path::claim_datagrams(directory_ / "vm");
  const auto host = net::to_sockaddr(net::stream_address(net::unix_path{path()}));
  ASSERT_TRUE(vm);
  const auto frame = arp_request();
  ASSERT_EQ(::sendto(vm->fd(), frame.data(), frame.size(), 0, host.get(), host.size), std::ssize(frame));
  std::array<std::uint8_t, 2'048> got{};
  bool answered = false;
  EXPECT_TRUE(loop_.run_until(
      [&] { return answered = answered || ::recv(vm->fd(), got.data(), got.size(), MSG_DONTWAIT) > 0; }));
}

TEST_F(datagram_path_test, the_file_goes_with_its_instance) {
  {
    const auto opened = open(links::link_kind::unix_datagram);
    ASSERT_TRUE(opened);
    EXPECT_TRUE(std::filesystem::is_socket(path()));
  }
  EXPECT_FALSE(std::filesystem::exists(path()));
}

TEST_F(datagram_path_test, what_is_no_socket_stays) {
  std::ofstream(path()) << "precious";
  EXPECT_EQ(code(), std::errc::file_exists);
  EXPECT_EQ(std::filesystem::file_size(path()), 8U);
  std::filesystem::remove(path());
  std::filesystem::create_directory(path());
  EXPECT_EQ(code(), std::errc::file_exists);
  std::filesystem::remove(path());
  std::filesystem::create_symlink(directory_ / "elsewhere", path());
  EXPECT_EQ(code(), std::errc::file_exists);
}

TEST_F(datagram_path_test, a_missing_directory_is_an_error_at_once) {
  const auto opened =
      link_source::open({.kind = links::link_kind::unix_datagram, .path = directory_ / "no" / "host"}, plane_);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, std::errc::no_such_file_or_directory);
}

}  // namespace
}  // namespace host_switch
