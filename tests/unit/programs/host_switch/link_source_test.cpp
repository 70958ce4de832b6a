// -listen=unix://PATH, qemu://PATH, fd://N and handshake://PATH: the links that each accepts, and the paths that it
// refuses.
#include "programs/host_switch/link_source.hpp"

#include <gmock/gmock.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <array>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <string>

#include "link/handshake/vm_side.hpp"
#include "net/stream_address.hpp"
#include "os/claimed_unix_path.hpp"
#include "os/connect.hpp"
#include "tests/support/netns.hpp"
#include "tests/support/socket_peer.hpp"
#include "tests/unit/programs/host_switch/frames_of_vm.hpp"
#include "tests/unit/programs/host_switch/link_source_fixture.hpp"

namespace host_switch {
namespace {

using namespace std::chrono_literals;
using links::link_kind;
using testing::HasSubstr;

class link_source_test : public link_source_fixture {
 protected:
  [[nodiscard]] base::unique_fd vm() const {
    auto made = os::connect_now({path()});
    EXPECT_TRUE(made) << made.error().message();
    return made ? std::move(*made) : base::unique_fd();
  }
  [[nodiscard]] bool knows_the_vm() {
    return loop_.run_until([&] { return !plane_.stations().empty(); });
  }
};

TEST_F(link_source_test, a_unix_socket_takes_several_vms_and_each_ends_alone) {
  serve(link_kind::unix_stream);
  const auto first = vm();
  auto second = vm();
  ASSERT_TRUE(has_links(2));
  second.reset();
  EXPECT_TRUE(has_links(1));
  support::send_all(first.get(), framed(arp_request()));
  EXPECT_TRUE(knows_the_vm());
  const auto third = vm();
  EXPECT_TRUE(has_links(2));
}

TEST_F(link_source_test, a_request_of_gvforwarder_comes_before_the_frames) {
  serve(link_kind::unix_stream);
  const auto one = vm();
  support::send_all(one.get(), "POST /connect HTTP/1.1\r\nHost: x\r\n\r\n" + framed(arp_request()));
  EXPECT_TRUE(has_links(1));
  EXPECT_TRUE(knows_the_vm());
}

TEST_F(link_source_test, qemu_has_four_bytes_of_length_and_no_offload) {
  serve(link_kind::qemu);
  const auto one = vm();
  support::send_all(one.get(), framed_for_qemu(arp_request()));
  EXPECT_TRUE(knows_the_vm());
  const auto all = plane_.links();
  ASSERT_EQ(all.size(), 1U);
  EXPECT_FALSE(all[0].offload);
}

// ---- fd://N

class descriptor_source_test : public link_source_test, public testing::WithParamInterface<int> {
 protected:
  static async::task<> serve_to_its_end(link_source* source, bool* over) {
    co_await source->serve();
    *over = true;
  }
};

TEST_P(descriptor_source_test, is_one_link_of_its_kind_and_none_follows) {
  std::array<int, 2> pair{};
  ASSERT_EQ(::socketpair(AF_UNIX, GetParam() | SOCK_CLOEXEC, 0, pair.data()), 0);
  base::unique_fd vm(pair[0]);
  auto source = link_source::open(
      {.kind = link_kind::descriptor, .path = {}, .number = static_cast<std::uint32_t>(pair[1])}, plane_);
  ASSERT_TRUE(source) << source.error().message();
  bool over = false;
  loop_.spawn(serve_to_its_end(&*source, &over));
  ASSERT_TRUE(has_links(1));
  support::send_all(vm.get(), GetParam() == SOCK_STREAM ? framed(arp_request()) : as_text(arp_request()));
  EXPECT_TRUE(knows_the_vm());
  EXPECT_FALSE(over);
  vm.reset();
  EXPECT_TRUE(loop_.run_until([&] { return over; }));
  EXPECT_TRUE(has_links(0));
}

INSTANTIATE_TEST_SUITE_P(each_type, descriptor_source_test, testing::Values(SOCK_STREAM, SOCK_SEQPACKET));

TEST(descriptor_source, one_that_is_not_an_inherited_socket_is_refused_by_its_name) {
  const base::unique_fd event(::eventfd(0, EFD_CLOEXEC));
  for (const int number : {event.get(), 2'000'000}) {
    const links::link_url url{.kind = link_kind::descriptor, .path = {}, .number = static_cast<std::uint32_t>(number)};
    const auto checked = link_source::check_descriptors({url});
    ASSERT_FALSE(checked) << number;
    EXPECT_EQ(checked.error().message(), "-listen: fd://" + std::to_string(number) + " is not an inherited socket");
  }
}

// ---- handshake://PATH

async::task<> meet(handshake::vm_side* side, std::optional<handshake::data_connection>* into) {
  into->emplace(co_await side->meet());
}

TEST_F(link_source_test, a_handshake_follows_each_link_that_ends) {
  handshake::vm_side vm(loop_.executor(), handshake::meeting_point({.kind = link_kind::handshake, .path = path()}));
  serve(link_kind::handshake);
  EXPECT_EQ(source_->name(), "handshake://" + path());
  for (int i = 0; i < 3; ++i) {
    std::optional<handshake::data_connection> met;
    loop_.spawn(meet(&vm, &met));
    ASSERT_TRUE(loop_.run_until([&] {
      if (!met) loop_.pass_time(50ms);
      return met.has_value();
    })) << i;
    EXPECT_TRUE(met->offers_offload);
    ASSERT_TRUE(has_links(1));
    met.reset();
    ASSERT_TRUE(has_links(0));
  }
}

// ---- The path of a stream socket

class link_path_test : public link_source_test, public testing::WithParamInterface<link_kind> {};

TEST_P(link_path_test, the_socket_of_a_dead_program_is_replaced) {
  const auto at = net::to_sockaddr(net::stream_address(net::unix_path{path()}));
  {
    const base::unique_fd dead(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    ASSERT_EQ(::bind(dead.get(), at.get(), at.size), 0);
  }
  serve(GetParam());
  const auto one = vm();
  EXPECT_TRUE(has_links(1));
}

TEST_P(link_path_test, the_socket_of_a_living_program_is_refused) {
  const auto holder = os::claimed_unix_path::claim(path());
  ASSERT_TRUE(holder);
  const auto refused = open(GetParam());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, std::errc::address_in_use);
  EXPECT_TRUE(os::connect_now({path()})) << "it goes on";
}

TEST_P(link_path_test, another_kind_of_file_is_refused_by_its_path_and_stays) {
  std::ofstream(path()) << "of another";
  const auto refused = open(GetParam());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, std::errc::file_exists);
  EXPECT_THAT(refused.error().message(), HasSubstr(path()));
  EXPECT_EQ(std::filesystem::file_size(path()), 10U);
}

TEST_P(link_path_test, its_file_goes_with_it) {
  {
    const auto source = open(GetParam());
    ASSERT_TRUE(source);
    EXPECT_TRUE(std::filesystem::is_socket(path()));
  }
  EXPECT_FALSE(std::filesystem::exists(path()));
}

TEST_P(link_path_test, a_directory_that_is_not_there_is_an_error_with_its_path) {
  const auto source = link_source::open({.kind = GetParam(), .path = directory_ / "none" / "s"}, plane_);
  ASSERT_FALSE(source);
  EXPECT_EQ(source.error().code, std::errc::no_such_file_or_directory);
  EXPECT_THAT(source.error().message(), HasSubstr("none/s"));
}

// The directory is open to all, so the socket alone keeps the other user out.
TEST_P(link_path_test, another_user_of_the_host_cannot_connect) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  std::filesystem::permissions(directory_.path(), std::filesystem::perms(0755));
  const auto for_all = (directory_ / "for_all").string();
  const auto open_to_all = os::claimed_unix_path::claim(for_all);
  ASSERT_TRUE(open_to_all);
  ASSERT_EQ(::chmod(for_all.c_str(), 0666), 0);
  serve(GetParam());
  const support::netns host("link-user");
  host.run(
      [&] {
        EXPECT_TRUE(os::connect_now({for_all})) << "the user can use a socket";
        const auto refused = os::connect_now({path()});
        ASSERT_FALSE(refused);
        EXPECT_EQ(refused.error().code, std::errc::permission_denied);
      },
      support::unprivileged);
  loop_.settle();
  EXPECT_TRUE(plane_.links().empty());
}

INSTANTIATE_TEST_SUITE_P(each_scheme, link_path_test, testing::Values(link_kind::unix_stream, link_kind::qemu),
                         [](const auto& one) { return one.param == link_kind::qemu ? "qemu" : "unix"; });

}  // namespace
}  // namespace host_switch
