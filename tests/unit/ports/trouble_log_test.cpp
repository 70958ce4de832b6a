// The log of one peer, line by line.
#include "ports/trouble_log.hpp"

#include <gmock/gmock.h>

namespace ports {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

const port_key port80{net::protocol::tcp, net::address::any_v4(), 80};

class trouble_log_test : public testing::Test {
 protected:
  // The lines that `work` writes, without their time.
  template <class Work>
  std::vector<std::string> lines(Work work) {
    testing::internal::CaptureStderr();
    work();
    std::istringstream text(testing::internal::GetCapturedStderr());
    std::vector<std::string> all;
    for (std::string line; std::getline(text, line);) all.push_back(line.substr(line.find(' ') + 1));
    return all;
  }
  void fails(milliseconds after) {
    now += after;
    log.listed(base::fail("hung"), now, now);
  }
  void answers(milliseconds after) {
    now += after;
    log.listed({}, now, now);
  }
  void is(const std::optional<outcome>& trouble) {
    ports::slot slot;
    if (trouble) slot.retry.trouble = std::make_shared<const outcome>(*trouble);
    log.changed(port80, &slot, now);
  }

  time_point now{seconds(1000)};
  trouble_log log{"peer"};
};

TEST_F(trouble_log_test, a_peer_that_is_away_for_a_moment_is_not_worth_a_line) {
  EXPECT_THAT(lines([this] {
                for (int i = 0; i < 100; ++i) {
                  fails(milliseconds(10));
                  fails(milliseconds(200));
                  answers(milliseconds(100));
                }
              }),
              IsEmpty());
}

TEST_F(trouble_log_test, a_peer_that_stays_away_is_logged_when_it_begins_and_when_it_ends) {
  const auto all = lines([this] {
    for (int i = 0; i < 50; ++i) fails(milliseconds(200));
    answers(milliseconds(1));
  });
  ASSERT_THAT(all, SizeIs(2));
  EXPECT_EQ(all[0], "WARN peer: cannot be reached, retrying reason=\"hung\"");
  EXPECT_THAT(all[1], HasSubstr("INFO peer: cannot be reached ended after=8s"));
}

TEST_F(trouble_log_test, a_hung_peer_is_logged_at_the_first_deadline) {
  EXPECT_THAT(lines([this] {
                const auto asked = now;
                now += seconds(5);
                log.listed(base::fail("timed out"), asked, now);
              }),
              SizeIs(1));
}

TEST_F(trouble_log_test, a_peer_that_comes_and_goes_fills_no_log) {
  EXPECT_THAT(lines([this] {
                for (int i = 0; i < 1'000; ++i) {
                  for (int n = 0; n < 10; ++n) fails(milliseconds(200));
                  answers(milliseconds(1));
                }
              }),
              SizeIs(testing::Le(12)));
}

TEST_F(trouble_log_test, a_conflict_is_logged_once_however_often_it_is_found) {
  const auto all = lines([this] {
    for (int i = 0; i < 1'000; ++i) {
      is(outcome{outcome_kind::exists, "proxy already running"});
      is(outcome{outcome_kind::conflict, "held by another forward of the peer"});
      now += seconds(1);
    }
    is(std::nullopt);
    is(std::nullopt);
  });
  ASSERT_THAT(all, SizeIs(2));
  EXPECT_EQ(all[0], "WARN peer: cannot change tcp 0.0.0.0:80, retrying reason=\"held by another forward of the peer\"");
  EXPECT_EQ(all[1], "INFO peer: cannot change tcp 0.0.0.0:80 ended after=1000s");
}

TEST_F(trouble_log_test, a_port_that_is_no_longer_wanted_ends_its_trouble) {
  EXPECT_THAT(lines([this] {
                is(outcome{outcome_kind::refused, "no"});
                log.changed_all({}, now);
                log.changed_all({}, now);
              }),
              SizeIs(2));
}

TEST_F(trouble_log_test, a_broken_connection_is_one_line_for_all_its_ports) {
  const auto all = lines([this] {
    for (int i = 0; i < 40; ++i) log.lost(16, "connection reset", now);
  });
  ASSERT_THAT(all, SizeIs(1));
  EXPECT_THAT(all[0], HasSubstr("operations=16"));
}

// A container that comes and goes with a port that is taken, as fast as it can.
TEST_F(trouble_log_test, no_container_can_fill_the_log_with_ports_in_trouble) {
  const auto all = lines([this] {
    for (int i = 0; i < 1000; ++i) {
      const port_key key{net::protocol::tcp, net::address::any_v4(), static_cast<std::uint16_t>(1000 + i)};
      ports::slot slot;
      slot.retry.trouble = std::make_shared<const outcome>(outcome{outcome_kind::conflict, "taken"});
      log.changed(key, &slot, now);
      log.changed(key, nullptr, now);
      now += milliseconds(1);
    }
  });
  EXPECT_THAT(all, SizeIs(200)) << "a line for the begin and one for the end of a hundred";
  now += seconds(61);
  const auto later = lines([this] { is(outcome{outcome_kind::conflict, "taken"}); });
  ASSERT_THAT(later, SizeIs(2));
  EXPECT_THAT(later.front(), HasSubstr("suppressed=900"));
}

}  // namespace
}  // namespace ports
