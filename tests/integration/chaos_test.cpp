// Everything at once, at random: containers come and go while the programs and the engine are killed. The final
// state is correct for any order. GUESTAGENT_CHAOS_SEED repeats a run that failed, or tries another.
#include <fmt/format.h>
#include <stdlib.h>

#include <array>
#include <random>

#include "base/text.hpp"
#include "tests/integration/end_to_end.hpp"

namespace integration {
namespace {

unsigned seed() {
  const char* given = ::getenv("GUESTAGENT_CHAOS_SEED");
  return given == nullptr ? 1 : base::parse_number<unsigned>(given).value_or(1);
}

class chaos : public with_each_iptables {
 protected:
  static constexpr int steps = 30;
  static constexpr unsigned containers = 5;
  unsigned pick(unsigned below) { return std::uniform_int_distribution<unsigned>(0, below - 1)(random_); }

  // Ports on loopback and on every address, TCP and UDP, some of them claimed by two containers in turn.
  static std::vector<std::string> arguments(unsigned c) {
    return {"--restart=always",
            "-p",
            fmt::format("{}:80", 8080 + c),
            "-p",
            fmt::format("127.0.0.1:{}:80", 8180 + c),
            "-p",
            fmt::format("127.0.0.1:{}:53/udp", 8080 + c)};
  }
  static std::string name(unsigned c) { return fmt::format("c{}", c); }
  void toggle(unsigned c) {
    if (running_[c])
      lab_->docker().docker({"rm", "-f", name(c)});
    else
      lab_->docker().run(name(c), arguments(c), {"tcp:80", "udp:53"});
    running_[c] = !running_[c];
  }
  void restart_engine() {
    lab_->docker().kill9();
    lab_->docker().start();
  }
  void step() {
    const auto what = pick(16);
    if (what == 0) return restart_engine();
    if (what <= 3) return lab_->start_agent();
    if (what <= 5) return start_host_switch();
    if (what <= 7) return lab_->start_wsl_proxy();
    toggle(pick(containers));
  }
  [[nodiscard]] published_set published() const {
    published_set all;
    for (unsigned c = 0; c < containers; ++c)
      if (running_[c])
        all.insert({fmt::format("tcp 0.0.0.0:{}", 8080 + c), fmt::format("tcp 127.0.0.1:{}", 8180 + c),
                    fmt::format("udp 127.0.0.1:{}", 8080 + c)});
    return all;
  }
  void expect_all_right() {
    expect_published(published());
    for (unsigned c = 0; c < containers; ++c) {
      if (!running_[c]) continue;
      expect_answers(fmt::format("tcp 127.0.0.1:{}", 8080 + c), name(c));
      expect_answers(fmt::format("tcp 127.0.0.1:{}", 8180 + c), name(c));
      expect_answers(fmt::format("udp 127.0.0.1:{}", 8080 + c), name(c));
    }
  }
  std::mt19937 random_{seed()};
  std::array<bool, containers> running_{};
};
INSTANTIATE_WITH_EACH_IPTABLES(chaos);

TEST_P(chaos, ends_as_it_should) {
  SCOPED_TRACE(fmt::format("GUESTAGENT_CHAOS_SEED={}", seed()));
  for (int i = 0; i < steps && !HasFailure(); ++i) {
    step();
    if (i % 10 == 9) expect_all_right();
  }
  for (unsigned c = 0; c < containers; ++c)
    if (running_[c]) toggle(c);
  expect_nothing_left();
}

}  // namespace
}  // namespace integration
