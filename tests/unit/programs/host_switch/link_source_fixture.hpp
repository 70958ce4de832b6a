// link_source_fixture: a data plane and one source of links, whose VMs are the test's.
#pragma once

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <array>
#include <optional>
#include <string>

#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "link/link_url.hpp"
#include "programs/host_switch/link_source.hpp"
#include "relay/descriptor_budget.hpp"
#include "tests/support/event_loop.hpp"
#include "tests/support/temp_dir.hpp"
#include "translator/translator.hpp"

namespace host_switch {

class link_source_fixture : public testing::Test {
 protected:
  link_source_fixture() : dns_(make_pair()), budget_(1'000), plane_({}, budget_, std::move(dns_[1])) {}
  ~link_source_fixture() override { loop_.stop(); }

  static std::array<base::unique_fd, 2> make_pair() {
    std::array<int, 2> pair{};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair.data()), 0);
    return {base::unique_fd(pair[0]), base::unique_fd(pair[1])};
  }
  [[nodiscard]] std::string path() const { return directory_ / "host"; }
  [[nodiscard]] base::result<link_source> open(links::link_kind kind) {
    return link_source::open({.kind = kind, .path = path()}, plane_);
  }
  // Opens the source and runs it.
  void serve(links::link_kind kind) {
    auto opened = open(kind);
    ASSERT_TRUE(opened) << opened.error().message();
    source_.emplace(std::move(*opened));
    loop_.spawn(source_->serve());
  }
  [[nodiscard]] bool has_links(std::size_t number) {
    return loop_.run_until([&] { return plane_.links().size() == number; });
  }

  support::temp_dir directory_;
  support::event_loop loop_;
  std::array<base::unique_fd, 2> dns_;
  relay::descriptor_budget budget_;
  translator::translator plane_;
  std::optional<link_source> source_;
};

}  // namespace host_switch
