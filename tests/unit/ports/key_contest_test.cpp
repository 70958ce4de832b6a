#include "ports/key_contest.hpp"

#include <gtest/gtest.h>

#include <deque>
#include <string>

namespace ports {
namespace {

class key_contest_test : public testing::Test {
 protected:
  // Claims are in the order of their coming: the first one is the best.
  void add(const char* address, std::uint16_t port, std::uint16_t inside, net::protocol protocol = net::protocol::tcp) {
    binding what{protocol, net::address::any_v4(), inside, 80, "c" + std::to_string(claims_.size()), "web"};
    claims_.push_back({source_id::docker, std::move(what)});
    all_.push_back({{protocol, net::address::parse(address).value(), port}, inside, &claims_.back()});
  }
  // "open", "covered by 0" …
  std::string rulings() {
    std::string text;
    for (const auto& [is, other] : hold_contest(all_)) {
      if (!text.empty()) text += ", ";
      if (is == standing::open)
        text += "open";
      else
        text += (is == standing::covered ? "covered by " : "shadowed by ") + std::to_string(other);
    }
    return text;
  }

  std::deque<claim> claims_;
  std::vector<contender> all_;
};

TEST_F(key_contest_test, ports_that_do_not_overlap_are_open) {
  add("0.0.0.0", 80, 80);
  add("0.0.0.0", 81, 81);
  add("127.0.0.1", 82, 82);
  add("192.0.2.1", 82, 83);
  add("0.0.0.0", 80, 80, net::protocol::udp);
  EXPECT_EQ(rulings(), "open, open, open, open, open");
}

TEST_F(key_contest_test, the_wildcard_covers_what_leads_to_the_same_port) {
  add("127.0.0.1", 80, 80);
  add("0.0.0.0", 80, 80);
  add("192.0.2.1", 80, 80);
  EXPECT_EQ(rulings(), "covered by 1, open, covered by 1");
}

TEST_F(key_contest_test, of_two_that_lead_elsewhere_the_better_claim_is_open) {
  add("0.0.0.0", 8080, 80);
  add("0.0.0.0", 8080, 81);
  add("127.0.0.1", 8080, 82);
  EXPECT_EQ(rulings(), "open, shadowed by 0, shadowed by 0");
}

// Otherwise a container's label could take the port of another one.
TEST_F(key_contest_test, a_port_with_its_own_number_comes_before_a_moved_one) {
  add("0.0.0.0", 8080, 80);
  add("127.0.0.1", 8080, 8080);
  EXPECT_EQ(rulings(), "shadowed by 1, open");
}

TEST_F(key_contest_test, a_port_that_is_not_open_stands_in_nobodys_way) {
  add("0.0.0.0", 8080, 80);
  add("127.0.0.1", 8080, 8080);
  add("192.0.2.1", 8080, 81);
  EXPECT_EQ(rulings(), "shadowed by 1, open, open");
}

TEST_F(key_contest_test, the_same_port_twice_is_open_once) {
  add("127.0.0.1", 80, 80);
  add("127.0.0.1", 80, 80);
  EXPECT_EQ(rulings(), "open, covered by 0");
}

}  // namespace
}  // namespace ports
