#include "tests/support/fake_containerd.hpp"

#include <containers.grpc.pb.h>
#include <events.grpc.pb.h>
#include <fmt/format.h>
#include <grpcpp/grpcpp.h>
#include <namespaces.grpc.pb.h>
#include <tasks.grpc.pb.h>

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <set>
#include <vector>

namespace support {
namespace {

namespace containers_api = containerd::services::containers::v1;
namespace events_api = containerd::services::events::v1;
namespace namespaces_api = containerd::services::namespaces::v1;
namespace tasks_api = containerd::services::tasks::v1;

struct stored_container {
  fake_containerd::label_map labels;
  tasks_api::Status task = tasks_api::UNKNOWN;
  bool has_task = false;
};

// The state that all services share.
struct world {
  std::mutex mutex;
  std::condition_variable changed;
  std::map<std::string, std::map<std::string, stored_container>> namespaces;
  std::vector<events_api::Envelope> log;  // all events ever
  bool silent = false, hanging = false, stopping = false;
  unsigned subscribers = 0, lists = 0, questions = 0;

  // Holds a call while the engine hangs. Returns the lock that it continues under.
  std::unique_lock<std::mutex> enter(const grpc::ServerContext& context) {
    std::unique_lock lock(mutex);
    while (hanging && !stopping && !context.IsCancelled()) changed.wait_for(lock, std::chrono::milliseconds(20));
    return lock;
  }
};

std::string name_space_of(const grpc::ServerContext& context) {
  const auto found = context.client_metadata().find("containerd-namespace");
  return found == context.client_metadata().end() ? "" : std::string(found->second.data(), found->second.size());
}

const grpc::Status not_found(grpc::StatusCode::NOT_FOUND, "not found");

struct events_service final : events_api::Events::Service {
  explicit events_service(world& w) : w_(w) {}
  grpc::Status Subscribe(grpc::ServerContext* context, const events_api::SubscribeRequest* request,
                         grpc::ServerWriter<events_api::Envelope>* writer) override {
    const std::set<std::string> filters(request->filters().begin(), request->filters().end());
    auto lock = w_.enter(*context);
    ++w_.subscribers;
    for (auto next = w_.log.size(); !w_.stopping && !context->IsCancelled();) {
      if (next == w_.log.size()) {
        w_.changed.wait_for(lock, std::chrono::milliseconds(20));
        continue;
      }
      const auto envelope = w_.log[next++];
      if (!filters.contains(fmt::format("topic==\"{}\"", envelope.topic()))) continue;
      lock.unlock();
      writer->Write(envelope);
      lock.lock();
    }
    --w_.subscribers;
    return grpc::Status::OK;
  }
  world& w_;
};

struct namespaces_service final : namespaces_api::Namespaces::Service {
  explicit namespaces_service(world& w) : w_(w) {}
  grpc::Status List(grpc::ServerContext* context, const namespaces_api::ListNamespacesRequest*,
                    namespaces_api::ListNamespacesResponse* response) override {
    const auto lock = w_.enter(*context);
    for (const auto& [name, all] : w_.namespaces) response->add_namespaces()->set_name(name);
    return grpc::Status::OK;
  }
  world& w_;
};

void fill(containers_api::Container& to, const std::string& id, const stored_container& from) {
  to.set_id(id);
  for (const auto& [name, value] : from.labels) (*to.mutable_labels())[name] = value;
}

struct containers_service final : containers_api::Containers::Service {
  explicit containers_service(world& w) : w_(w) {}
  grpc::Status Get(grpc::ServerContext* context, const containers_api::GetContainerRequest* request,
                   containers_api::GetContainerResponse* response) override {
    const auto lock = w_.enter(*context);
    ++w_.questions;
    const auto& all = w_.namespaces[name_space_of(*context)];
    const auto found = all.find(request->id());
    if (found == all.end()) return not_found;
    fill(*response->mutable_container(), found->first, found->second);
    return grpc::Status::OK;
  }
  // Of the filter language, it supports only the presence of a label.
  grpc::Status List(grpc::ServerContext* context, const containers_api::ListContainersRequest* request,
                    containers_api::ListContainersResponse* response) override {
    const auto lock = w_.enter(*context);
    ++w_.lists;
    for (const auto& [id, container] : w_.namespaces[name_space_of(*context)]) {
      bool matches = request->filters().empty();
      for (const auto& filter : request->filters())
        for (const auto& [name, value] : container.labels)
          matches = matches || filter == fmt::format("labels.\"{}\"", name);
      if (matches) fill(*response->add_containers(), id, container);
    }
    return grpc::Status::OK;
  }
  world& w_;
};

struct tasks_service final : tasks_api::Tasks::Service {
  explicit tasks_service(world& w) : w_(w) {}
  grpc::Status Get(grpc::ServerContext* context, const tasks_api::GetRequest* request,
                   tasks_api::GetResponse* response) override {
    const auto lock = w_.enter(*context);
    const auto& all = w_.namespaces[name_space_of(*context)];
    const auto found = all.find(request->container_id());
    if (found == all.end() || !found->second.has_task) return not_found;
    response->mutable_process()->set_id(found->first);
    response->mutable_process()->set_status(found->second.task);
    return grpc::Status::OK;
  }
  grpc::Status List(grpc::ServerContext* context, const tasks_api::ListTasksRequest*,
                    tasks_api::ListTasksResponse* response) override {
    const auto lock = w_.enter(*context);
    for (const auto& [id, container] : w_.namespaces[name_space_of(*context)]) {
      if (!container.has_task) continue;
      auto* process = response->add_tasks();
      process->set_id(id);  // and no container_id, as containerd has it
      process->set_status(container.task);
    }
    return grpc::Status::OK;
  }
  world& w_;
};

}  // namespace

struct fake_containerd::state {
  std::filesystem::path socket;
  world all{};
  events_service events{all};
  namespaces_service namespaces{all};
  containers_service containers{all};
  tasks_service tasks{all};
  std::unique_ptr<grpc::Server> server{};

  template <class Message>
  void emit(const std::string& name_space, const std::string& topic, const Message& payload) {
    if (all.silent) return;
    auto& envelope = all.log.emplace_back();
    envelope.set_namespace_(name_space);
    envelope.set_topic(topic);
    envelope.mutable_event()->set_value(payload.SerializeAsString());
    all.changed.notify_all();
  }
};

fake_containerd::fake_containerd(const std::filesystem::path& socket) : state_(new state{socket}) {
  state_->all.namespaces["default"];
}

fake_containerd::~fake_containerd() { stop(); }

void fake_containerd::start() {
  state_->all.stopping = false;
  grpc::ServerBuilder builder;
  builder.AddListeningPort("unix:" + state_->socket.string(), grpc::InsecureServerCredentials());
  builder.RegisterService(&state_->events);
  builder.RegisterService(&state_->namespaces);
  builder.RegisterService(&state_->containers);
  builder.RegisterService(&state_->tasks);
  state_->server = builder.BuildAndStart();
}

void fake_containerd::stop() {
  if (!state_->server) return;
  {
    const std::lock_guard lock(state_->all.mutex);
    state_->all.stopping = true;
  }
  state_->server->Shutdown(std::chrono::system_clock::now());
  state_->server->Wait();
  state_->server.reset();
  std::filesystem::remove(state_->socket);
}

void fake_containerd::run(const std::string& name_space, const std::string& id, const label_map& labels) {
  const std::lock_guard lock(state_->all.mutex);
  state_->all.namespaces[name_space][id] = {labels, tasks_api::RUNNING, true};
  events_api::TaskStart start;
  start.set_container_id(id);
  state_->emit(name_space, "/tasks/start", start);
}

void fake_containerd::run(const std::string& id, std::uint16_t host_port) {
  run("default", id,
      {{"nerdctl/ports",
        fmt::format(R"([{{"HostPort":{},"ContainerPort":80,"Protocol":"tcp","HostIP":"0.0.0.0"}}])", host_port)}});
}

void fake_containerd::end(const std::string& name_space, const std::string& id) {
  const std::lock_guard lock(state_->all.mutex);
  state_->all.namespaces[name_space][id].task = tasks_api::STOPPED;
  events_api::TaskExit exit;
  exit.set_container_id(id);
  exit.set_id(id);
  state_->emit(name_space, "/tasks/exit", exit);
}

void fake_containerd::update(const std::string& name_space, const std::string& id, const label_map& labels) {
  const std::lock_guard lock(state_->all.mutex);
  state_->all.namespaces[name_space][id].labels = labels;
  events_api::ContainerUpdate update;
  update.set_id(id);
  state_->emit(name_space, "/containers/update", update);
}

void fake_containerd::pause(const std::string& name_space, const std::string& id) {
  const std::lock_guard lock(state_->all.mutex);
  state_->all.namespaces[name_space][id].task = tasks_api::PAUSED;
}

void fake_containerd::hang_shim(const std::string& name_space, const std::string& id, bool hangs) {
  const std::lock_guard lock(state_->all.mutex);
  state_->all.namespaces[name_space][id].task = hangs ? tasks_api::UNKNOWN : tasks_api::RUNNING;
}

void fake_containerd::forget(const std::string& name_space, const std::string& id) {
  const std::lock_guard lock(state_->all.mutex);
  state_->all.namespaces[name_space].erase(id);
}

void fake_containerd::end_other_process(const std::string& name_space, const std::string& id) {
  const std::lock_guard lock(state_->all.mutex);
  events_api::TaskExit exit;
  exit.set_container_id(id);
  exit.set_id("another");
  state_->emit(name_space, "/tasks/exit", exit);
}

void fake_containerd::emit(const std::string& name_space, const std::string& topic, const std::string& payload) {
  const std::lock_guard lock(state_->all.mutex);
  auto& envelope = state_->all.log.emplace_back();
  envelope.set_namespace_(name_space);
  envelope.set_topic(topic);
  envelope.mutable_event()->set_value(payload);
  state_->all.changed.notify_all();
}

void fake_containerd::set_silent(bool loses_events) {
  const std::lock_guard lock(state_->all.mutex);
  state_->all.silent = loses_events;
}

void fake_containerd::set_hanging(bool never_answers) {
  const std::lock_guard lock(state_->all.mutex);
  state_->all.hanging = never_answers;
}

unsigned fake_containerd::subscribers() const {
  const std::lock_guard lock(state_->all.mutex);
  return state_->all.subscribers;
}

unsigned fake_containerd::lists() const {
  const std::lock_guard lock(state_->all.mutex);
  return state_->all.lists;
}

unsigned fake_containerd::questions() const {
  const std::lock_guard lock(state_->all.mutex);
  return state_->all.questions;
}

}  // namespace support
