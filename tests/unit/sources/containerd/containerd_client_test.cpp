// The calls one by one, against a containerd that speaks the real protocol over a real socket.
#include "sources/containerd/containerd_client.hpp"

#include <gmock/gmock.h>

#include <optional>

#include "tests/support/event_loop.hpp"
#include "tests/support/fake_containerd.hpp"
#include "tests/support/temp_dir.hpp"

namespace containerd {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::Pair;

class containerd_client_test : public testing::Test {
 protected:
  void connect(std::chrono::milliseconds deadline = 1h) {
    engine_.start();
    client_.emplace(loop_.executor(), directory_ / "containerd.sock", deadline);
  }
  void TearDown() override { loop_.stop(); }
  static std::vector<std::string> ids(const base::result<std::vector<container_record>>& found) {
    std::vector<std::string> names;
    for (const auto& record : found.value()) names.push_back(record.id);
    return names;
  }
  // Puts the outcome of a call aside: nothing while it is under way.
  template <class T>
  static async::task<> note(async::task<base::result<T>> call, std::optional<base::result<T>>& into) {
    into = co_await std::move(call);
  }

  support::temp_dir directory_;
  support::fake_containerd engine_{directory_ / "containerd.sock"};
  support::event_loop loop_;
  std::optional<containerd_client> client_;
};

TEST_F(containerd_client_test, a_namespace_with_a_name_that_containerd_does_not_allow_is_left_out) {
  engine_.run("k8s.io", "a", {});
  engine_.run("../etc", "a", {});
  engine_.run(std::string(77, 'n'), "a", {});
  connect();
  EXPECT_THAT(loop_.run(client_->list_namespaces()).value(), ElementsAre("default", "k8s.io"));
}

TEST_F(containerd_client_test, lists_the_containers_that_nerdctl_made_in_that_namespace) {
  engine_.run("a", 8080);
  engine_.run("default", "two", {{"nerdctl/state-dir", "/var/lib/nerdctl"}});
  engine_.run("default", "of-another-program", {{"io.kubernetes.pod.name", "web"}});
  engine_.run("default", "a/../b", {{"nerdctl/state-dir", "/"}});
  engine_.run("k8s.io", "elsewhere", {{"nerdctl/state-dir", "/"}});
  connect();
  const auto found = loop_.run(client_->list_containers("default"));
  EXPECT_THAT(ids(found), ElementsAre("a", "two"));
  EXPECT_THAT(found->at(1).labels, ElementsAre(Pair("nerdctl/state-dir", "/var/lib/nerdctl")));
}

TEST_F(containerd_client_test, a_paused_task_runs_and_one_that_containerd_cannot_read_is_unknown) {
  for (const auto* id : {"runs", "paused", "ended", "hangs"}) engine_.run("default", id, {});
  engine_.pause("default", "paused");
  engine_.end("default", "ended");
  engine_.hang_shim("default", "hangs", true);
  engine_.update("default", "without-a-task", {});
  connect();
  EXPECT_THAT(loop_.run(client_->list_tasks("default")).value(),
              ElementsAre(Pair("ended", task_state::ended), Pair("hangs", task_state::unknown),
                          Pair("paused", task_state::runs), Pair("runs", task_state::runs)));
  EXPECT_EQ(loop_.run(client_->get_task("default", "paused")).value(), task_state::runs);
  EXPECT_EQ(loop_.run(client_->get_task("default", "hangs")).value(), task_state::unknown);
  EXPECT_EQ(loop_.run(client_->get_task("default", "without-a-task")).value(), task_state::ended);
  EXPECT_EQ(loop_.run(client_->get_task("default", "never-there")).value(), task_state::ended);
}

// Other tasks run in between.
TEST_F(containerd_client_test, a_list_of_several_slices_is_whole) {
  constexpr int count = 600;
  for (int i = 0; i < count; ++i)
    engine_.run("default", "c" + std::to_string(i), {{"nerdctl/state-dir", std::string(4'000, 'x')}});
  connect();
  EXPECT_EQ(loop_.run(client_->list_containers("default"))->size(), std::size_t{count});
  EXPECT_EQ(loop_.run(client_->list_tasks("default"))->size(), std::size_t{count});
}

TEST_F(containerd_client_test, a_container_is_found_in_its_own_namespace_only) {
  engine_.run("default", "a", {{"of", "default"}});
  engine_.run("k8s.io", "a", {{"of", "k8s.io"}});
  connect();
  EXPECT_THAT(loop_.run(client_->get_container("k8s.io", "a"))->labels, ElementsAre(Pair("of", "k8s.io")));
  const auto none = loop_.run(client_->get_container("later", "a"));
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, std::errc::no_such_file_or_directory);
}

// A task that containerd cannot be asked about has not ended.
TEST_F(containerd_client_test, without_an_engine_every_call_fails) {
  client_.emplace(loop_.executor(), directory_ / "containerd.sock", 1h);
  EXPECT_FALSE(loop_.run(client_->list_namespaces()));
  EXPECT_FALSE(loop_.run(client_->list_containers("default")));
  EXPECT_FALSE(loop_.run(client_->list_tasks("default")));
  EXPECT_FALSE(loop_.run(client_->get_container("default", "a")));
  EXPECT_FALSE(loop_.run(client_->get_task("default", "a")));
}

// containerd waits two seconds for each shim that hangs.
TEST_F(containerd_client_test, a_list_of_tasks_may_take_longer_than_another_call) {
  engine_.run("a", 8080);
  engine_.set_hanging(true);
  connect(1s);
  std::optional<base::result<std::map<std::string, task_state>>> tasks;
  loop_.spawn(note(client_->list_tasks("default"), tasks));
  loop_.settle();
  const auto container = loop_.run(client_->get_container("default", "a"));
  ASSERT_FALSE(container);
  EXPECT_EQ(container.error().code, std::errc::timed_out);
  EXPECT_EQ(container.error().context, "container");
  EXPECT_FALSE(tasks) << "its deadline comes later";
  engine_.set_hanging(false);
  ASSERT_TRUE(loop_.run_until([&] { return tasks.has_value(); }));
  EXPECT_TRUE(tasks->has_value()) << tasks->error().message();
}

// With its call still under way, the client's end would wait for the deadline, an hour away.
TEST_F(containerd_client_test, a_cancelled_task_cancels_its_call) {
  engine_.set_hanging(true);
  connect(1h);
  std::optional<base::result<task_state>> task;
  loop_.spawn(note(client_->get_task("default", "a"), task));
  loop_.settle();
  loop_.stop();
  client_.reset();
  EXPECT_FALSE(task);
}

TEST_F(containerd_client_test, its_end_is_the_end_of_its_subscription) {
  connect();
  client_->subscribe();
  ASSERT_TRUE(loop_.run_until([this] { return engine_.subscribers() == 1; }));
  engine_.run("a", 8080);
  EXPECT_THAT(loop_.run(client_->next_events())->events, ElementsAre(engine_event{happening::started, "default", "a"}));
  client_.reset();
  EXPECT_TRUE(loop_.run_until([this] { return engine_.subscribers() == 0; }));
}

TEST_F(containerd_client_test, the_events_end_with_the_engine) {
  connect();
  client_->subscribe();
  ASSERT_TRUE(loop_.run_until([this] { return engine_.subscribers() == 1; }));
  engine_.stop();
  EXPECT_FALSE(loop_.run(client_->next_events()));
}

}  // namespace
}  // namespace containerd
