#include "sources/containerd/containerd_client.hpp"

#include <containers.grpc.pb.h>
#include <containers.pb.h>
#include <events.grpc.pb.h>
#include <namespaces.grpc.pb.h>
#include <tasks.grpc.pb.h>
#include <tasks.pb.h>

#include <chrono>
#include <cstdlib>
#include <expected>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "async/task.hpp"
#include "base/result.hpp"
#include "sources/containerd/channel.hpp"
#include "sources/containerd/completion_thread.hpp"
#include "sources/containerd/event_codec.hpp"
#include "sources/containerd/event_stream.hpp"
#include "sources/containerd/ports_codec.hpp"
#include "sources/containerd/records.hpp"
#include "sources/containerd/unary_call.hpp"

namespace containerd {
namespace {

namespace containers_api = services::containers::v1;
namespace namespaces_api = services::namespaces::v1;
namespace tasks_api = services::tasks::v1;

task_state state_of(const tasks_api::Process& task) {
  switch (task.status()) {
    case tasks_api::RUNNING:
    case tasks_api::PAUSED:
    case tasks_api::PAUSING: return task_state::runs;
    case tasks_api::CREATED:
    case tasks_api::STOPPED: return task_state::ended;
    default: return task_state::unknown;
  }
}

}  // namespace

struct containerd_client::state {
  async::executor where;
  std::chrono::milliseconds deadline;
  std::shared_ptr<grpc::Channel> channel;
  containers_api::Containers::Stub containers{channel};
  services::events::v1::Events::Stub events{channel};
  namespaces_api::Namespaces::Stub namespaces{channel};
  tasks_api::Tasks::Stub tasks{channel};
  std::shared_ptr<event_stream> stream{};
  completion_thread completions{where};

  // Calls a method of a service. The namespace goes along as metadata; empty: the service does not take one.
  template <class Stub, class Request, class Response>
  async::task<base::result<Response>> ask(Stub& stub,
                                          std::unique_ptr<grpc::ClientAsyncResponseReader<Response>> (Stub::*method)(
                                              grpc::ClientContext*, const Request&, grpc::CompletionQueue*),
                                          std::string name_space, Request request, const char* what, int patience = 1) {
    auto c = std::make_shared<unary_call<Response>>(where);
    c->context.set_deadline(std::chrono::system_clock::now() + patience * deadline);
    if (!name_space.empty()) c->context.AddMetadata("containerd-namespace", name_space);
    unary_call<Response>::start(c, stub, method, request, completions.queue());
    co_await c->wait();
    if (!c->status.ok()) co_return std::unexpected(to_error(c->status, what));
    co_return std::move(c->response);
  }
};

// Switches off a timer that looks every 5 s for channels without a poller: here each channel has one.
void reduce_grpc_wakeups() { ::setenv("GRPC_CLIENT_CHANNEL_BACKUP_POLL_INTERVAL_MS", "0", 0); }

containerd_client::containerd_client(const async::executor& where, const std::filesystem::path& socket,
                                     std::chrono::milliseconds deadline)
    : state_(new state{where, deadline, open_channel(socket)}) {}

containerd_client::~containerd_client() {
  if (state_->stream) state_->stream->abandon();
}

void containerd_client::subscribe() {
  state_->stream = std::make_shared<event_stream>(state_->where);
  state_->stream->start(state_->events, state_->completions.queue());
}

async::task<base::result<event_batch>> containerd_client::next_events() { return state_->stream->next(); }

async::task<base::result<std::vector<std::string>>> containerd_client::list_namespaces() {
  auto answer = co_await state_->ask(state_->namespaces, &namespaces_api::Namespaces::Stub::PrepareAsyncList, "",
                                     namespaces_api::ListNamespacesRequest(), "list of namespaces");
  if (!answer) co_return std::unexpected(answer.error());
  std::vector<std::string> names;
  for (const auto& n : answer->namespaces())
    if (is_identifier(n.name())) names.push_back(n.name());
  co_return names;
}

async::task<base::result<std::vector<container_record>>> containerd_client::list_containers(std::string name_space) {
  containers_api::ListContainersRequest request;
  for (const auto filter : container_filters) request.add_filters(std::string(filter));
  auto answer = co_await state_->ask(state_->containers, &containers_api::Containers::Stub::PrepareAsyncList,
                                     std::move(name_space), std::move(request), "list of containers");
  if (!answer) co_return std::unexpected(answer.error());
  std::vector<container_record> records;
  for (const auto& c : answer->containers())
    if (is_identifier(c.id())) records.push_back({c.id(), {c.labels().begin(), c.labels().end()}});
  co_return records;
}

async::task<base::result<std::map<std::string, task_state>>> containerd_client::list_tasks(std::string name_space) {
  auto answer = co_await state_->ask(state_->tasks, &tasks_api::Tasks::Stub::PrepareAsyncList, std::move(name_space),
                                     tasks_api::ListTasksRequest(), "list of tasks", 6);
  if (!answer) co_return std::unexpected(answer.error());
  std::map<std::string, task_state> tasks;
  for (const auto& task : answer->tasks())
    tasks.insert_or_assign(task.container_id().empty() ? task.id() : task.container_id(), state_of(task));
  co_return tasks;
}

async::task<base::result<container_record>> containerd_client::get_container(std::string name_space, std::string id) {
  containers_api::GetContainerRequest request;
  request.set_id(std::move(id));
  auto answer = co_await state_->ask(state_->containers, &containers_api::Containers::Stub::PrepareAsyncGet,
                                     std::move(name_space), std::move(request), "container");
  if (!answer) co_return std::unexpected(answer.error());
  const auto& c = answer->container();
  co_return container_record{c.id(), {c.labels().begin(), c.labels().end()}};
}

async::task<base::result<task_state>> containerd_client::get_task(std::string name_space, std::string id) {
  tasks_api::GetRequest request;
  request.set_container_id(std::move(id));
  auto answer = co_await state_->ask(state_->tasks, &tasks_api::Tasks::Stub::PrepareAsyncGet, std::move(name_space),
                                     std::move(request), "task");
  if (!answer && answer.error().code == std::errc::no_such_file_or_directory) co_return task_state::ended;
  if (!answer) co_return std::unexpected(answer.error());
  co_return state_of(answer->process());
}

}  // namespace containerd
