// dns_upstream_test: a namespace for name servers, and the questions that reach them. Needs root.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "programs/host_switch/dns_upstream.hpp"
#include "tests/support/event_loop.hpp"
#include "tests/support/name_server.hpp"
#include "tests/support/netns.hpp"
#include "tests/support/temp_dir.hpp"
#include "tests/unit/netstack/packets.hpp"

namespace host_switch {

using netstack::bytes;
using support::name_server;

// A question for the address of "x.example".
inline bytes question_for_x(std::uint16_t id) {
  bytes made{static_cast<std::uint8_t>(id >> 8U), static_cast<std::uint8_t>(id), 1, 0, 0, 1, 0, 0, 0, 0, 0, 0};
  for (const char c : std::string_view("\1x\7example\0\0\1\0\1", 15)) made.push_back(static_cast<std::uint8_t>(c));
  return made;
}
// Its answer: the same with flags and one record.
inline bytes answer_to(bytes asked, std::uint8_t last, std::uint8_t code = 0, bool truncated = false) {
  asked[2] = static_cast<std::uint8_t>(0x81 | (truncated ? 2 : 0));
  asked[3] = static_cast<std::uint8_t>(0x80 | code);
  if (code != 0 || truncated) return asked;
  asked[7] = 1;
  const bytes record{0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 10, 0, 0, last};
  asked.insert(asked.end(), record.begin(), record.end());
  return asked;
}

class dns_upstream_test : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    host_.emplace("upstream");
  }
  // What one question came to.
  struct outcome {
    bool done = false;
    std::optional<bytes> message;
  };
  template <class Work>
  void inside(Work work) {
    host_->run([&] {
      loop_.emplace();
      work();
      loop_.reset();
    });
  }
  void write_servers(const std::string& lines) const {
    std::ofstream(directory_ / "new") << lines;
    std::filesystem::rename(directory_ / "new", file_);
  }
  static void ask(dns_upstream& upstream, const bytes& q, bool by_tcp, outcome& into) {
    upstream.ask(q, by_tcp, [&into](auto result) {
      EXPECT_FALSE(into.done) << "one result for each question";
      into.done = true;
      if (result) into.message.emplace(result->begin(), result->end());
    });
  }
  bool finishes(const outcome& one, std::vector<name_server*> servers,
                std::chrono::milliseconds limit = std::chrono::seconds(10)) {
    return loop_->run_until(
        [&] {
          for (auto* server : servers) server->serve();
          return one.done;
        },
        limit);
  }
  static std::optional<bytes> good(const bytes& q) { return answer_to(q, 7); }
  static std::optional<bytes> silent(const bytes&) { return std::nullopt; }

  static constexpr auto first = net::address::v4(127, 0, 0, 1), second = net::address::v4(127, 0, 0, 2);
  support::temp_dir directory_;
  std::string file_ = (directory_ / "resolv.conf").string();
  std::optional<support::netns> host_;
  std::optional<support::event_loop> loop_;
};

}  // namespace host_switch
