// A range of a thousand ports in one go. With iptables-legacy only: the engine itself takes a minute and a half to take
// as many rules away again by iptables-nft.
#include <fmt/format.h>

#include "tests/integration/end_to_end.hpp"

namespace integration {
namespace {

class range : public end_to_end {
 protected:
  range() : end_to_end({.iptables = support::iptables_variant::legacy}) {}
};

TEST_F(range, of_a_thousand_ports) {
  lab_->docker().run("wide", {"-p", "20000-20999:1000-1999"}, {"tcp:1000-1999"});
  published_set all;
  for (int port = 20'000; port <= 20'999; ++port) all.insert(fmt::format("tcp 0.0.0.0:{}", port));
  expect_published(all);
  for (const auto* port : {"tcp 127.0.0.1:20000", "tcp 127.0.0.1:20500", "tcp 127.0.0.1:20999"})
    expect_answers(port, "wide");
  lab_->docker().docker({"kill", "wide"});
  expect_nothing_left();
}

}  // namespace
}  // namespace integration
