#include "sinks/port_mapping/port_mapping_sink.hpp"

#include <gmock/gmock.h>

#include "async/task_group.hpp"
#include "async/timeout.hpp"
#include "tests/support/fake_wsl_proxy.hpp"
#include "tests/support/run_task.hpp"
#include "tests/support/temp_dir.hpp"

namespace port_mapping_peer {
namespace {

using namespace std::chrono_literals;
using ports::outcome_kind;
using ports::verb;
using testing::Each;
using testing::ElementsAre;
using testing::Field;
using testing::SizeIs;

ports::operation op(verb what, std::uint16_t port, std::uint16_t container_port = 80) {
  return {what,
          {{net::protocol::tcp, net::address::loopback_v4(), port}, container_port, ports::source_id::docker, {}}};
}

auto all_are(outcome_kind kind) { return Each(Field(&ports::outcome::kind, kind)); }

class port_mapping_sink_test : public testing::Test {
 protected:
  base::result<ports::peer_state> list() { return support::run_task(context_, sink_.list()); }
  std::vector<ports::outcome> apply(std::vector<ports::operation> batch) {
    return support::run_task(context_, sink_.apply(std::move(batch)));
  }
  // Whether changed() returns while `happening` runs on another thread.
  bool changes(std::function<void()> happening, async::clock::duration limit) {
    std::jthread other(std::move(happening));
    return support::run_task(context_, async::within(limit, sink_.changed())).has_value();
  }

  support::temp_dir directory_;
  std::filesystem::path socket_ = directory_ / "run" / "proxy.sock";
  support::fake_wsl_proxy proxy_{socket_};
  boost::asio::io_context context_;
  port_mapping_sink sink_{context_.get_executor(), {.peer = net::unix_path{socket_}, .deadline = 200ms}};

  void SetUp() override { std::filesystem::create_directory(directory_ / "run"); }
};

TEST_F(port_mapping_sink_test, one_message_of_removals_then_one_of_additions) {
  proxy_.start();
  const auto outcomes = apply({op(verb::remove, 1), op(verb::add, 2), op(verb::remove, 3, 0), op(verb::add, 4)});
  EXPECT_THAT(outcomes, SizeIs(4));
  EXPECT_THAT(outcomes, all_are(outcome_kind::done));
  ASSERT_TRUE(proxy_.wait_for_messages([](const auto& all) { return all.size() == 2; }));
  const auto binding = [](std::uint16_t container, std::uint16_t port) {
    return port_mapping::binding{net::protocol::tcp, container, {net::address::loopback_v4(), port}};
  };
  EXPECT_THAT(
      proxy_.received(),
      ElementsAre(
          port_mapping::message{.remove = true, .bindings = {binding(3, 3), binding(80, 1)}, .connect_addresses = {}},
          port_mapping::message{
              .remove = false, .bindings = {binding(80, 2), binding(80, 4)}, .connect_addresses = {}}));
}

TEST_F(port_mapping_sink_test, splits_what_is_too_much_for_one_message) {
  proxy_.start();
  std::vector<ports::operation> batch;
  for (std::uint16_t port = 1; port <= 10'000; ++port) batch.push_back(op(verb::add, port));
  EXPECT_THAT(apply(batch), all_are(outcome_kind::done));
  ASSERT_TRUE(proxy_.wait_for_messages([](const auto& all) { return all.size() == 3; }));
  EXPECT_THAT(proxy_.held(), SizeIs(10'000));
}

TEST_F(port_mapping_sink_test, nothing_is_done_that_the_peer_did_not_take) {
  EXPECT_THAT(apply({op(verb::add, 1), op(verb::remove, 2)}), all_are(outcome_kind::unsent));
  EXPECT_THAT(apply({op(verb::add, 1)})[0].reason, testing::HasSubstr("No such file"));
  proxy_.start_hanging();
  while (apply({op(verb::add, 1)})[0].kind == outcome_kind::done) {
  }  // until the backlog is full
  EXPECT_THAT(apply({op(verb::add, 1)})[0].reason, testing::HasSubstr("timed out"));
}

TEST_F(port_mapping_sink_test, list_tells_instances_apart) {
  EXPECT_EQ(list().error().code, std::errc::no_such_file_or_directory);
  proxy_.start();
  const auto first = list();
  ASSERT_TRUE(first);
  EXPECT_FALSE(first->complete);
  EXPECT_EQ(list()->identity, first->identity);
  proxy_.crash();
  proxy_.start();
  EXPECT_NE(list()->identity, first->identity);
  EXPECT_EQ(proxy_.bad_connections(), 0U);  // it checked the file and did not connect
}

TEST_F(port_mapping_sink_test, a_stale_socket_is_a_peer_that_is_down) {
  proxy_.start();
  proxy_.crash();
  EXPECT_TRUE(list());  // not known yet
  EXPECT_THAT(apply({op(verb::add, 1)}), all_are(outcome_kind::unsent));
  EXPECT_EQ(list().error().code, std::errc::connection_refused);
  proxy_.start();
  EXPECT_TRUE(list());
  EXPECT_EQ(proxy_.bad_connections(), 0U);
  EXPECT_THAT(apply({op(verb::add, 1)}), all_are(outcome_kind::done));
}

TEST_F(port_mapping_sink_test, a_file_that_is_no_socket_is_no_peer) {
  std::filesystem::create_directory(socket_);
  EXPECT_EQ(list().error().code, std::errc::not_a_socket);
}

TEST_F(port_mapping_sink_test, notices_the_socket_coming_going_and_coming_again) {
  std::filesystem::remove(directory_ / "run");
  EXPECT_FALSE(list());
  const auto begin = async::clock::now();
  EXPECT_TRUE(changes(
      [this] {
        std::filesystem::create_directory(directory_ / "run");
        proxy_.start();
      },
      10s));
  ASSERT_TRUE(list());
  EXPECT_TRUE(changes([this] { proxy_.stop(); }, 10s));
  EXPECT_FALSE(list());
  EXPECT_TRUE(changes([this] { proxy_.start(); }, 10s));
  ASSERT_TRUE(list());
  EXPECT_TRUE(changes(
      [this] {
        proxy_.crash();
        proxy_.start();
      },
      10s));
  EXPECT_LT(async::clock::now() - begin, 5s);
}

TEST_F(port_mapping_sink_test, nothing_changes_while_the_instance_lives) {
  proxy_.start();
  ASSERT_TRUE(list());
  EXPECT_FALSE(changes([this] { std::filesystem::create_directory(directory_ / "run" / "other"); }, 100ms));
}

}  // namespace
}  // namespace port_mapping_peer
