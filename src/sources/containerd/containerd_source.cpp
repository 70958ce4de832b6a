#include "sources/containerd/containerd_source.hpp"

#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <utility>

#include "async/task.hpp"
#include "base/result.hpp"
#include "os/file_watch.hpp"
#include "sources/containerd/containerd_client.hpp"
#include "sources/containerd/ports_codec.hpp"
#include "sources/containerd/records.hpp"
#include "sources/engine/container.hpp"
#include "sources/engine/engine_source.hpp"

namespace containerd {
namespace {

using engine::container;

engine::engine_options watch(const containerd_options& o) {
  auto following = o.following;
  following.socket = o.socket;
  return following;
}

bool is_absent(const base::error& e) { return e.code == std::errc::no_such_file_or_directory; }

// A failure about one container is retried. A lost connection concerns all, and ends the event stream as well.
std::unexpected<base::error> unanswered(base::error e) {
  return base::fail(std::errc::resource_unavailable_try_again, e.message());
}

// An error of the directory itself, as its label names it, stays. Others may pass: no descriptor is free, the disk does
// not answer.
bool is_lasting(const base::error& e) {
  return !e.code || e.code == std::errc::not_a_directory || e.code == std::errc::too_many_symbolic_link_levels ||
         e.code == std::errc::filename_too_long;
}

bool is_unfinished(const std::optional<std::string>& config) { return config && !is_network_config(*config); }

base::result<> look_at(const std::filesystem::path& socket) {
  if (os::identify(socket)) return {};
  return base::fail(std::errc::no_such_file_or_directory, "connect " + socket.string());
}

}  // namespace

containerd_source::containerd_source(const async::executor& where, containerd_options options)
    : engine_source(where, ports::source_id::containerd, watch(options)), where_(where), options_(std::move(options)) {}

// The first answer shows that containerd serves. Later requests follow the subscription in order.
async::task<base::result<>> containerd_source::open_connection() {
  disconnect();
  auto look = [path = options_.socket] { return look_at(path); };
  if (auto there = co_await looks_.run(std::move(look), options_.deadline, options_.socket.string()); !there)
    co_return there;
  engine_ = std::make_unique<containerd_client>(where_, options_.socket, options_.deadline);
  if (const auto names = co_await engine_->list_namespaces(); !names) co_return std::unexpected(names.error());
  co_return base::result<>{};
}

void containerd_source::disconnect() { engine_.reset(); }

async::task<base::error> containerd_source::read_events() {
  engine_->subscribe();
  subscribed();  // containerd never acknowledges it
  while (true) {
    const auto events = co_await engine_->next_events();
    if (!events) co_return events.error();
    events_read();
    if (events->lost) list_soon();
    for (const auto& e : events->events) {
      const auto id = global_id(e.name_space, e.container_id);
      if (e.what == happening::ended)
        ended(id);
      else
        ask_about(id);  // it has started or gone, or its labels may have changed
    }
    flush();
  }
}

async::task<base::result<engine::container_list>> containerd_source::list() {
  const auto names = co_await engine_->list_namespaces();
  if (!names) co_return std::unexpected(names.error());
  engine::container_list all;
  for (const auto& name : *names)
    if (auto listed = co_await list_namespace(name, all); !listed) co_return std::unexpected(listed.error());
  co_return all;
}

// Fails if the ports are unknown: the state directory does not answer, or the file is being written.
async::task<base::result<container>> containerd_source::describe(const std::string& name_space,
                                                                 const container_record& record) {
  const auto directory = state_directory(record);
  if (!directory) co_return describe_container(name_space, record, std::nullopt);
  const auto config = co_await configs_.read(std::string(*directory), name_space);
  if (!config && !is_lasting(config.error())) co_return std::unexpected(config.error());
  if (config && is_unfinished(*config)) co_return base::fail("network-config.json is incomplete");
  co_return describe_container(name_space, record, config);
}

async::task<base::result<>> containerd_source::list_namespace(const std::string& name, engine::container_list& into) {
  const auto records = co_await engine_->list_containers(name);
  if (!records) co_return std::unexpected(records.error());
  if (records->empty()) co_return base::result<>{};
  const auto tasks = co_await engine_->list_tasks(name);
  if (!tasks) co_return std::unexpected(tasks.error());
  for (const auto& record : *records) {
    const auto task = tasks->find(record.id);
    const auto id = global_id(name, record.id);
    if (task == tasks->end() || task->second == task_state::ended) {
      into.stopped.insert(id);
      continue;
    }
    co_await async::yield();  // labels may be large
    if (task->second == task_state::unknown) {
      into.unknown.insert(id);
      continue;
    }
    auto running = co_await describe(name, record);
    if (running)
      into.running.push_back(std::move(*running));
    else
      into.unknown.insert(id);
  }
  co_return base::result<>{};
}

async::task<base::result<std::optional<container>>> containerd_source::ask(const std::string& id, unsigned /*slot*/) {
  const auto [name_space, local] = split_global_id(id);
  auto container_answer = engine_->get_container(name_space, local);
  auto task_answer = engine_->get_task(name_space, local);
  const auto record = co_await std::move(container_answer);
  if (!record && is_absent(record.error())) co_return std::optional<container>();
  if (!record) co_return unanswered(record.error());
  const auto task = co_await std::move(task_answer);
  if (!task) co_return unanswered(task.error());
  if (*task == task_state::unknown) co_return unanswered({{}, "unknown state of the task of " + id});
  if (*task == task_state::ended) co_return std::optional<container>();
  auto running = co_await describe(name_space, *record);
  if (!running) co_return unanswered(running.error());
  co_return std::optional(std::move(*running));
}

}  // namespace containerd
