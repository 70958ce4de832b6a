#include "ports/peer_listing.hpp"

#include <gtest/gtest.h>

namespace ports {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class peer_listing_test : public testing::Test {
 protected:
  void fail() { listing.failed(base::fail(std::errc::connection_refused, "peer").error(), pace, now, 0); }

  const base::backoff pace{milliseconds(100), milliseconds(1000), 0};
  time_point now{seconds(1000)};
  peer_listing listing;
};

TEST_F(peer_listing_test, is_due_from_the_start_and_once) {
  EXPECT_TRUE(listing.is_due(now));
  listing.start();
  EXPECT_EQ(listing.status(), peer_status::syncing);
  EXPECT_FALSE(listing.is_due(now + seconds(100)));
  listing.succeeded(now);
  EXPECT_EQ(listing.status(), peer_status::synced);
  EXPECT_FALSE(listing.is_due(now + seconds(100)));
}

TEST_F(peer_listing_test, waits_longer_after_each_failure) {
  for (const auto delay : {milliseconds(100), milliseconds(200), milliseconds(400)}) {
    listing.start();
    fail();
    EXPECT_FALSE(listing.is_due(now + delay - milliseconds(1)));
    EXPECT_TRUE(listing.is_due(now + delay));
    now += delay;
  }
  EXPECT_EQ(listing.failures(), 3U);
  EXPECT_TRUE(listing.trouble().has_value());
}

TEST_F(peer_listing_test, an_answer_ends_the_trouble) {
  listing.start();
  fail();
  listing.start();
  listing.succeeded(now);
  EXPECT_EQ(listing.failures(), 0U);
  EXPECT_FALSE(listing.trouble().has_value());
}

TEST_F(peer_listing_test, a_request_is_due_at_once) {
  listing.start();
  listing.succeeded(now);
  listing.request(now + seconds(5));
  EXPECT_EQ(listing.status(), peer_status::awaiting);
  EXPECT_FALSE(listing.is_due(now + seconds(5) - milliseconds(1)));
  EXPECT_TRUE(listing.is_due(now + seconds(5)));
}

TEST_F(peer_listing_test, a_request_while_the_peer_answers_leads_to_one_more_question) {
  listing.start();
  listing.request(now);
  EXPECT_EQ(listing.status(), peer_status::syncing);
  listing.succeeded(now);
  EXPECT_TRUE(listing.is_due(now));
  listing.start();
  listing.succeeded(now);
  EXPECT_EQ(listing.status(), peer_status::synced);
}

TEST_F(peer_listing_test, a_restart_forgets_the_failures_and_a_request_does_not) {
  listing.start();
  fail();
  listing.request(now);
  EXPECT_TRUE(listing.is_due(now));
  EXPECT_EQ(listing.failures(), 1U);
  listing.restart(now);
  EXPECT_EQ(listing.failures(), 0U);
}

TEST_F(peer_listing_test, the_end_of_a_delay_asks_nothing_of_a_peer_that_has_answered) {
  listing.start();
  fail();
  listing.end_delay(now);
  EXPECT_TRUE(listing.is_due(now));
  listing.start();
  listing.succeeded(now);
  listing.end_delay(now);
  EXPECT_FALSE(listing.is_due(now));
}

}  // namespace
}  // namespace ports
