// The source against an API server that speaks the real protocol over a real socket.
#include <gmock/gmock.h>

#include "tests/unit/sources/kubernetes/kubernetes_fixture.hpp"

namespace kubernetes {
namespace {

TEST_F(kubernetes_source_test, lists_and_follows) {
  publish_node_port("a", 30'001);
  start_both();
  EXPECT_TRUE(publishes({30'001}));
  publish_node_port("b", 30'002);
  EXPECT_TRUE(publishes({30'001, 30'002}));
  api_->remove("a");
  EXPECT_TRUE(publishes({30'002}));
  EXPECT_EQ(api_->lists(), 1U) << "events are enough";
  const auto& b = feed_.last->bindings[0];
  EXPECT_EQ(b.owner, "uid-2");
  EXPECT_EQ(b.owner_name, "default/b");
  EXPECT_EQ(b.host_address, net::address::any_v4());
  EXPECT_EQ(b.served, ports::serving::every_address);
}

TEST_F(kubernetes_source_test, the_listener_address_is_the_one_that_was_asked_for) {
  publish_node_port("a", 30'001);
  start_both({.listener = net::address::loopback_v4()});
  EXPECT_EQ(feed_.last->bindings[0].host_address, net::address::loopback_v4());
}

TEST_F(kubernetes_source_test, ports_are_added_removed_renumbered_and_change_their_protocol) {
  api_->put({.name = "dns", .type = "LoadBalancer", .ports = {{53, 0, "UDP"}, {53, 0, "TCP"}}});
  start_both();
  ASSERT_TRUE(publishes({53}));
  EXPECT_EQ(feed_.last->bindings.size(), 2U) << "both protocols on one number";
  api_->put({.name = "dns", .type = "LoadBalancer", .ports = {{53, 0, "UDP"}, {54, 0, "TCP"}, {55, 0, "TCP"}}});
  EXPECT_TRUE(publishes({53, 54, 55}));
  api_->put({.name = "dns", .type = "LoadBalancer", .ports = {{53, 0, "TCP"}}});
  EXPECT_TRUE(publishes({53}));
  EXPECT_EQ(feed_.last->bindings[0].protocol, net::protocol::tcp);
  api_->put({.name = "dns", .type = "ClusterIP", .ports = {{53, 0, "TCP"}}});
  EXPECT_TRUE(publishes({}));
  api_->put({.name = "dns", .type = "NodePort", .ports = {{53, 30'053, "UDP"}}});
  EXPECT_TRUE(publishes({30'053}));
}

TEST_F(kubernetes_source_test, a_list_in_pages) {
  port_set all;
  for (std::uint16_t i = 0; i < 95; ++i) {
    publish_node_port("s" + std::to_string(i), 30'000 + i);
    all.insert(static_cast<std::uint16_t>(30'000 + i));
  }
  start_both({.page = 10});
  EXPECT_TRUE(publishes(all));
  EXPECT_EQ(api_->pages(), 10U);
  EXPECT_EQ(api_->connections(), 1U) << "kept alive between pages";
}

TEST_F(kubernetes_source_test, a_continue_token_that_expires_means_to_begin_again) {
  for (std::uint16_t i = 0; i < 30; ++i) publish_node_port("s" + std::to_string(i), 30'000 + i);
  api_->start();
  write_config(api_->kubeconfig());
  api_->expire_next_continue_token();
  start_source({.page = 10});
  EXPECT_TRUE(loop_.run_until([this] { return feed_.last && feed_.last->bindings.size() == 30; }));
  EXPECT_EQ(api_->lists(), 2U);
  EXPECT_EQ(api_->pages(), 5U) << "two of the first list, three of the second";
}

TEST_F(kubernetes_source_test, a_watch_that_ends_in_order_goes_on_from_where_it_was) {
  publish_node_port("a", 30'001);
  start_both();
  publish_node_port("b", 30'002);
  ASSERT_TRUE(publishes({30'001, 30'002}));
  api_->end_watches();
  ASSERT_TRUE(loop_.run_until([this] { return api_->watches() == 2 && api_->watching() == 1; }));
  publish_node_port("c", 30'003);
  EXPECT_TRUE(publishes({30'001, 30'002, 30'003}));
  EXPECT_EQ(api_->lists(), 1U);
  EXPECT_EQ(api_->connections(), 1U);
  EXPECT_FALSE(feed_.trouble);
}

TEST_F(kubernetes_source_test, bookmarks_move_the_version) {
  start_both();
  api_->bookmark();
  api_->bookmark();
  loop_.run_until([] { return false; }, 20ms);
  api_->end_watches();
  ASSERT_TRUE(loop_.run_until([this] { return api_->watches() == 2; }));
  EXPECT_EQ(api_->last_target(),
            "/api/v1/services?watch=true&allowWatchBookmarks=true&timeoutSeconds=120&resourceVersion=102");
}

TEST_F(kubernetes_source_test, gone_means_to_list_anew) {
  for (const int how : {410, 200}) {
    api_ = std::make_unique<fake_kubernetes>();
    feed_ = {};
    publish_node_port("a", 30'001);
    start_both();
    api_->gone_for_watches(how);
    const auto lists = api_->lists();
    api_->end_watches();
    ASSERT_TRUE(loop_.run_until([&] { return api_->lists() > lists; })) << how;
    api_->gone_for_watches(0);
    publish_node_port("b", 30'002);
    EXPECT_TRUE(publishes({30'001, 30'002})) << how;
    loop_.stop();
    api_->stop();
  }
}

TEST_F(kubernetes_source_test, gone_in_a_loop_is_no_busy_loop) {
  api_->gone_for_watches(410);
  api_->start();
  write_config(api_->kubeconfig());
  start_source();
  loop_.run_until([] { return false; }, 1s);
  EXPECT_GE(api_->lists(), 3U);
  EXPECT_LE(api_->lists(), 12U);
  publish_node_port("a", 30'001);
  api_->gone_for_watches(0);
  EXPECT_TRUE(publishes({30'001}));
}

TEST_F(kubernetes_source_test, what_was_deleted_during_an_outage_does_not_stay) {
  publish_node_port("a", 30'001);
  publish_node_port("b", 30'002);
  start_both();
  ASSERT_TRUE(publishes({30'001, 30'002}));
  api_->stop();
  ASSERT_TRUE(loop_.run_until([this] { return feed_.trouble.has_value(); }));
  EXPECT_TRUE(publishes({30'001, 30'002})) << "the last ports stay while the API is unavailable";
  api_->remove("a");
  api_->start();
  EXPECT_TRUE(publishes({30'002}));
  EXPECT_EQ(feed_.last->epoch, 2U);
}

TEST_F(kubernetes_source_test, another_cluster_behind_the_same_address) {
  publish_node_port("a", 30'001);
  start_both();
  api_->stop();
  api_->lose_history();
  publish_node_port("b", 30'002);
  api_->start();
  EXPECT_TRUE(publishes({30'002}));
}

TEST_F(kubernetes_source_test, an_event_that_breaks_off) {
  start_both();
  api_->cut_next_event();
  publish_node_port("a", 30'001);
  EXPECT_TRUE(publishes({30'001}));
}

TEST_F(kubernetes_source_test, unavailable_for_a_minute) {
  api_->answer_with(503, "apiserver not ready");
  publish_node_port("a", 30'001);
  api_->start();
  write_config(api_->kubeconfig());
  start_source();
  EXPECT_TRUE(is_degraded("503: apiserver not ready"));
  for (int seconds = 0; seconds < 60; seconds += 2) {
    const auto tries = feed_.troubles;
    loop_.settle();
    loop_.pass_time(2s);
    ASSERT_TRUE(loop_.run_until([&] { return feed_.troubles > tries; })) << "gave up after " << seconds;
  }
  EXPECT_FALSE(feed_.last) << "not knowing is not an empty list";
  api_->answer_with(0);
  EXPECT_TRUE(publishes({30'001}));
  EXPECT_FALSE(feed_.trouble);
}

TEST_F(kubernetes_source_test, refused_at_first) {
  publish_node_port("a", 30'001);
  api_->start();
  api_->stop();  // its port is known and closed
  write_config(api_->kubeconfig());
  start_source();
  EXPECT_TRUE(is_degraded("refused"));
  loop_.pass_time(1min);
  EXPECT_FALSE(feed_.last);
  api_->start();
  EXPECT_TRUE(publishes({30'001}));
}

TEST_F(kubernetes_source_test, accepted_and_silent) {
  api_->hang(true);
  publish_node_port("a", 30'001);
  api_->start();
  write_config(api_->kubeconfig());
  start_source({.deadline = 50ms});
  ASSERT_TRUE(loop_.run_until([this] { return feed_.trouble.has_value(); }));
  EXPECT_EQ(feed_.trouble->code, std::errc::timed_out);
  api_->hang(false);
  EXPECT_TRUE(publishes({30'001}));
}

TEST_F(kubernetes_source_test, a_watch_without_traffic_is_noticed_as_dead) {
  publish_node_port("a", 30'001);
  start_both();
  publish_node_port("b", 30'002);
  ASSERT_TRUE(publishes({30'001, 30'002})) << "the watch is read";
  api_->freeze_watches(true);
  api_->remove("a");  // without an event
  loop_.pass_time(134s);
  EXPECT_FALSE(feed_.trouble);
  loop_.pass_time(2s);
  EXPECT_TRUE(is_degraded("silent"));
  EXPECT_TRUE(publishes({30'002}));
}

TEST_F(kubernetes_source_test, watches_that_end_at_once_are_no_busy_loop) {
  publish_node_port("a", 30'001);
  start_both();
  for (int i = 0; i < 6; ++i) {
    const auto watches = api_->watches();
    api_->end_watches();
    ASSERT_TRUE(loop_.run_until([&] { return api_->watches() > watches && api_->watching() == 1; }));
  }
  const auto begin = async::clock::now();
  const auto watches = api_->watches();
  api_->end_watches();
  ASSERT_TRUE(loop_.run_until([&] { return api_->watches() > watches && api_->watching() == 1; }));
  EXPECT_GE(async::clock::now() - begin, 640ms) << "10 ms, doubled each time";
  publish_node_port("b", 30'002);
  ASSERT_TRUE(publishes({30'001, 30'002}));
  api_->end_watches();
  const auto after = async::clock::now();
  ASSERT_TRUE(loop_.run_until([&] { return api_->watches() > watches + 1; }));
  EXPECT_LT(async::clock::now() - after, 600ms) << "a watch with an event is not fruitless";
  EXPECT_EQ(api_->lists(), 1U);
}

TEST_F(kubernetes_source_test, a_list_that_never_ends) {
  api_->hang(true);
  api_->start();
  write_config(api_->kubeconfig());
  start_source({.deadline = 1h});
  ASSERT_TRUE(loop_.run_until([this] { return api_->connections() == 1 && !api_->last_target().empty(); }));
  loop_.pass_time(299s);
  EXPECT_FALSE(feed_.trouble);
  loop_.pass_time(2s);
  EXPECT_TRUE(loop_.run_until([this] { return feed_.trouble.has_value(); }));
}

TEST_F(kubernetes_source_test, answers_that_are_no_list_are_trouble_and_not_an_empty_list) {
  publish_node_port("a", 30'001);
  start_both();
  for (const char* body : {"<html>login</html>", "{}", "[]", R"({"kind":"ServiceList","metadata":{}})",
                           R"({"kind":"ServiceList","items":[)"}) {
    api_->answer_with(200, body);
    feed_.trouble.reset();
    api_->end_watches();
    ASSERT_TRUE(loop_.run_until([this] { return feed_.trouble.has_value(); })) << body;
  }
  EXPECT_TRUE(publishes({30'001}));
  api_->answer_with(0);
  EXPECT_TRUE(loop_.run_until([this] { return !feed_.trouble; }));
}

TEST_F(kubernetes_source_test, strange_events_harm_nothing) {
  start_both();
  api_->send_raw("\n\n");
  api_->send_raw(
      R"({"type":"MODIFIED","object":{"metadata":{"name":"ignored_ports","namespace":"of"},"spec":{"type":"NodePort","ports":[{"nodePort":30009,"port":1}]}}})"
      "\n");
  api_->send_raw(R"({"type":"DELETED","object":{"metadata":{"name":"never","namespace":"listed"}}})"
                 "\n");
  api_->send_raw(R"({"type":"SOMETHING","object":7})"
                 "\n"
                 R"({"type":"ADDED"})"
                 "\n");
  api_->send_raw(
      "{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"name\":\"\xff\xfe\",\"namespace\":\"x\"},\"spec\":{\"type\":"
      "\"NodePort\",\"ports\":[{\"nodePort\":30010}]}}}\n");
  api_->send_raw(
      R"({"type":"ADDED","object":{"metadata":{"name":"n","namespace":"x"},"spec":{"type":"LoadBalancer","ports":[{"port":70000},{"port":-1},{"port":1e400},{"port":99999999999999999999},{"port":"80"},{"port":30011,"protocol":"QUIC"},{"port":30012}]}}})"
      "\n");
  EXPECT_TRUE(publishes({30'009, 30'012}));
  EXPECT_FALSE(feed_.trouble);
  EXPECT_THAT(feed_.last->refusals, testing::SizeIs(7)) << "a name of invalid UTF-8, and each port for itself";
}

TEST_F(kubernetes_source_test, garbage_in_a_watch_means_to_list_anew) {
  publish_node_port("a", 30'001);
  start_both();
  api_->send_raw("}{ what?\n");
  ASSERT_TRUE(loop_.run_until([this] { return api_->lists() == 2; }));
  publish_node_port("b", 30'002);
  EXPECT_TRUE(publishes({30'001, 30'002}));
}

TEST_F(kubernetes_source_test, an_object_of64_megabytes_is_read_for_its_ports) {
  api_->put({.name = "huge", .ports = {{80, 30'001}}, .annotation = std::string(64 << 20, 'x')});
  publish_node_port("small", 30'002);
  start_both();
  EXPECT_TRUE(publishes({30'001, 30'002}));
  api_->put({.name = "huge", .ports = {{80, 30'003}}, .annotation = std::string(64 << 20, 'y')});
  EXPECT_TRUE(publishes({30'002, 30'003}));
}

TEST_F(kubernetes_source_test, five_thousand_changes_at_once) {
  start_both();
  const auto publishes_count = [this](std::size_t count) {
    const auto before = feed_.publications;
    const auto begin = async::clock::now();
    const bool all = loop_.run_until([&] { return feed_.last->bindings.size() == count; }, 20s);
    EXPECT_LE(feed_.publications - before, 1'002 + (async::clock::now() - begin) / 10ms)
        << "beyond a thousand ports each takes time";
    return all;
  };
  port_set all;
  for (std::uint16_t i = 0; i < 5'000; ++i) {
    publish_node_port("s" + std::to_string(i), 20'000 + i);
    all.insert(static_cast<std::uint16_t>(20'000 + i));
  }
  EXPECT_TRUE(publishes_count(5'000));
  EXPECT_EQ(feed_.host_ports(), all);
  for (std::uint16_t i = 0; i < 5'000; ++i) api_->remove("s" + std::to_string(i));
  EXPECT_TRUE(publishes_count(0));
  EXPECT_EQ(api_->lists(), 1U);
}

}  // namespace
}  // namespace kubernetes
