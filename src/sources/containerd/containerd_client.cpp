#include "sources/containerd/containerd_client.hpp"

#include <containers.grpc.pb.h>
#include <events.grpc.pb.h>
#include <grpcpp/grpcpp.h>
#include <namespaces.grpc.pb.h>
#include <tasks.grpc.pb.h>

#include <atomic>
#include <boost/asio/post.hpp>
#include <cstdlib>
#include <map>
#include <mutex>
#include <optional>

#include "base/text.hpp"
#include "io/condition.hpp"
#include "sources/containerd/event_codec.hpp"
#include "sources/containerd/ports_codec.hpp"

namespace containerd {
namespace {

namespace containers_api = services::containers::v1;
namespace events_api = services::events::v1;
namespace namespaces_api = services::namespaces::v1;
namespace tasks_api = services::tasks::v1;

constexpr int longest_message = 64 << 20;
constexpr std::size_t most_events = 65'536;

// Where gRPC's threads say that something is there. The conditions are the control thread's: they are looked up by
// number there, so that a call may end after its task has gone.
class gate : public std::enable_shared_from_this<gate> {
 public:
  explicit gate(io::executor where) : where_(std::move(where)) {}

  // On any thread.
  void wake(std::uint64_t number) {
    const std::lock_guard lock(mutex_);
    if (!where_) return;
    boost::asio::post(*where_, [self = shared_from_this(), number] {
      const auto waiting = self->waiting_.find(number);
      if (waiting != self->waiting_.end()) waiting->second->notify_all();
    });
  }

  // On the control thread.
  std::uint64_t enter(io::condition& c) {
    waiting_.emplace(++last_, &c);
    return last_;
  }
  void leave(std::uint64_t number) { waiting_.erase(number); }
  void close() {
    const std::lock_guard lock(mutex_);
    where_.reset();
  }

 private:
  std::mutex mutex_;
  std::optional<io::executor> where_;
  std::map<std::uint64_t, io::condition*> waiting_;
  std::uint64_t last_ = 0;
};

// What gRPC holds on to until the call has ended.
template <class Request, class Response>
struct call {
  grpc::ClientContext context;
  Request request;
  Response response;
  grpc::Status status;
  std::atomic<bool> ended = false;
};

// One task's place at the gate while it waits for its call. Leaving early cancels the call.
template <class Call>
class attendance {
 public:
  attendance(std::shared_ptr<gate> at, std::shared_ptr<Call> c, const io::executor& where)
      : gate_(std::move(at)), call_(std::move(c)), ended_(where), number_(gate_->enter(ended_)) {}
  attendance(const attendance&) = delete;
  attendance& operator=(const attendance&) = delete;
  ~attendance() {
    gate_->leave(number_);
    if (!call_->ended) call_->context.TryCancel();
  }
  [[nodiscard]] std::uint64_t number() const { return number_; }
  io::task<> wait() {
    while (!call_->ended) co_await ended_.wait();
  }

 private:
  std::shared_ptr<gate> gate_;
  std::shared_ptr<Call> call_;
  io::condition ended_;
  std::uint64_t number_;
};

base::error to_error(const grpc::Status& status, const char* what) {
  const auto text = std::string(what) + ": " + base::printable(status.error_message());
  switch (status.error_code()) {
    case grpc::StatusCode::NOT_FOUND: return {std::make_error_code(std::errc::no_such_file_or_directory), text};
    case grpc::StatusCode::DEADLINE_EXCEEDED: return {std::make_error_code(std::errc::timed_out), what};
    default: return {{}, text};
  }
}

// The events as they come, on gRPC's thread; holds itself until the stream has ended.
class event_stream : public grpc::ClientReadReactor<events_api::Envelope> {
 public:
  event_stream(std::shared_ptr<gate> at, std::uint64_t number) : gate_(std::move(at)), number_(number) {}

  static void start(const std::shared_ptr<event_stream>& stream, events_api::Events::Stub& stub) {
    for (const auto filter : event_filters) stream->request_.add_filters(std::string(filter));
    stub.async()->Subscribe(&stream->context_, &stream->request_, stream.get());
    stream->self_ = stream;
    stream->StartRead(&stream->envelope_);
    stream->StartCall();
  }
  void cancel() { context_.TryCancel(); }

  // On the control thread: what has come since the last time. An error: the stream has ended, and nothing is left.
  base::result<std::vector<engine_event>> take() {
    const std::lock_guard lock(mutex_);
    if (!events_.empty() || !ended_) return std::exchange(events_, {});
    return std::unexpected(*ended_);
  }

  void OnReadDone(bool ok) override {
    if (!ok) return;
    if (auto event = parse_event(envelope_.namespace_(), envelope_.topic(), envelope_.event().value())) keep(std::move(*event));
    StartRead(&envelope_);
  }
  void OnDone(const grpc::Status& status) override {
    const auto self = std::move(self_);
    {
      const std::lock_guard lock(mutex_);
      if (overflow_) ended_ = base::error{{}, "more events than can be followed"};
      else if (status.ok()) ended_ = base::error{{}, "containerd has ended its events"};
      else ended_ = to_error(status, "events");
    }
    gate_->wake(number_);
  }

 private:
  void keep(engine_event event) {
    {
      const std::lock_guard lock(mutex_);
      overflow_ = overflow_ || events_.size() >= most_events;
      if (!overflow_) events_.push_back(std::move(event));
    }
    if (overflow_) context_.TryCancel();
    else gate_->wake(number_);
  }

  std::shared_ptr<gate> gate_;
  std::uint64_t number_;
  grpc::ClientContext context_;
  events_api::SubscribeRequest request_;
  events_api::Envelope envelope_;
  std::shared_ptr<event_stream> self_;
  std::mutex mutex_;
  std::vector<engine_event> events_;
  std::optional<base::error> ended_;
  bool overflow_ = false;
};

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

// gRPC takes a URI: what has a meaning in one is escaped.
std::string target(const std::filesystem::path& socket) {
  std::string text = "unix:";
  for (const char c : socket.string()) {
    if (c == '%' || c == '?' || c == '#') text += c == '%' ? "%25" : c == '?' ? "%3F" : "%23";
    else text += c;
  }
  return text;
}

// gRPC's threads for callbacks go with the last channel, and must not be that one's to wait for; taking them down races with
// itself besides (grpc/grpc issue 37858). So one channel stays to the end, which leads nowhere: it has no credentials.
void keep_callback_threads() {
  struct call_to_nowhere {
    namespaces_api::Namespaces::Stub stub{grpc::CreateChannel("unix:", nullptr)};
    call<namespaces_api::ListNamespacesRequest, namespaces_api::ListNamespacesResponse> first;
  };
  static call_to_nowhere* kept = nullptr;
  if (kept != nullptr) return;
  kept = new call_to_nowhere;
  kept->stub.async()->List(&kept->first.context, &kept->first.request, &kept->first.response,
                           [](const grpc::Status& /*refused*/) {});
}

std::shared_ptr<grpc::Channel> open_channel(const std::filesystem::path& socket) {
  keep_callback_threads();
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);  // no memory of the failures of other channels
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  arguments.SetMaxReceiveMessageSize(longest_message);
  arguments.SetString(GRPC_ARG_DEFAULT_AUTHORITY, "localhost");
  return grpc::CreateCustomChannel(target(socket), grpc::InsecureChannelCredentials(), arguments);
}

}  // namespace

struct containerd_client::state {
  io::executor where;
  std::chrono::milliseconds deadline;
  std::shared_ptr<gate> entrance;
  std::shared_ptr<grpc::Channel> channel;
  containers_api::Containers::Stub containers{channel};
  events_api::Events::Stub events{channel};
  namespaces_api::Namespaces::Stub namespaces{channel};
  tasks_api::Tasks::Stub tasks{channel};
  io::condition happened{where};
  std::uint64_t happened_number = 0;
  std::shared_ptr<event_stream> stream{};

  // One call of a method of a service. The namespace goes with it as metadata; empty: the service has none.
  template <class Service, class Request, class Response>
  io::task<base::result<Response>> ask(std::type_identity_t<Service>* service,
                                       void (Service::*method)(grpc::ClientContext*, const Request*, Response*,
                                                               std::function<void(grpc::Status)>),
                                       std::string name_space, Request request, const char* what) {
    auto c = std::make_shared<call<Request, Response>>();
    c->request = std::move(request);
    c->context.set_deadline(std::chrono::system_clock::now() + deadline);
    if (!name_space.empty()) c->context.AddMetadata("containerd-namespace", name_space);
    attendance<call<Request, Response>> here(entrance, c, where);
    (service->*method)(&c->context, &c->request, &c->response, [c, at = entrance, number = here.number()](grpc::Status status) {
      c->status = std::move(status);
      c->ended = true;
      at->wake(number);
    });
    co_await here.wait();
    if (!c->status.ok()) co_return std::unexpected(to_error(c->status, what));
    co_return std::move(c->response);
  }
};

// A poller that looks every 5 s whether a channel has lost its own: there is none on which this could happen.
void quieten_grpc() { ::setenv("GRPC_CLIENT_CHANNEL_BACKUP_POLL_INTERVAL_MS", "0", 0); }

containerd_client::containerd_client(const io::executor& where, const std::filesystem::path& socket,
                                     std::chrono::milliseconds deadline)
    : state_(new state{where, deadline, std::make_shared<gate>(where), open_channel(socket)}) {}

containerd_client::~containerd_client() {
  if (state_->stream) state_->stream->cancel();
  state_->entrance->leave(state_->happened_number);
  state_->entrance->close();
}

void containerd_client::subscribe() {
  state_->happened_number = state_->entrance->enter(state_->happened);
  state_->stream = std::make_shared<event_stream>(state_->entrance, state_->happened_number);
  event_stream::start(state_->stream, state_->events);
}

io::task<base::result<std::vector<engine_event>>> containerd_client::next_events() {
  while (true) {
    auto events = state_->stream->take();
    if (!events || !events->empty()) co_return events;
    co_await state_->happened.wait();
  }
}

io::task<base::result<std::vector<std::string>>> containerd_client::list_namespaces() {
  using service = namespaces_api::Namespaces::StubInterface::async_interface;
  auto answer = co_await state_->ask<service>(state_->namespaces.async(), &service::List, "",
                                              namespaces_api::ListNamespacesRequest(), "list of namespaces");
  if (!answer) co_return std::unexpected(answer.error());
  std::vector<std::string> names;
  for (const auto& n : answer->namespaces())
    if (is_identifier(n.name())) names.push_back(n.name());
  co_return names;
}

io::task<base::result<std::vector<container_record>>> containerd_client::list_containers(std::string name_space) {
  using service = containers_api::Containers::StubInterface::async_interface;
  containers_api::ListContainersRequest request;
  for (const auto filter : container_filters) request.add_filters(std::string(filter));
  auto answer = co_await state_->ask<service>(state_->containers.async(), &service::List, std::move(name_space),
                                              std::move(request), "list of containers");
  if (!answer) co_return std::unexpected(answer.error());
  std::vector<container_record> records;
  for (const auto& c : answer->containers())
    if (is_identifier(c.id())) records.push_back({c.id(), {c.labels().begin(), c.labels().end()}});
  co_return records;
}

io::task<base::result<std::map<std::string, task_state>>> containerd_client::list_tasks(std::string name_space) {
  using service = tasks_api::Tasks::StubInterface::async_interface;
  auto answer = co_await state_->ask<service>(state_->tasks.async(), &service::List, std::move(name_space),
                                              tasks_api::ListTasksRequest(), "list of tasks");
  if (!answer) co_return std::unexpected(answer.error());
  std::map<std::string, task_state> tasks;
  for (const auto& task : answer->tasks())
    tasks.insert_or_assign(task.container_id().empty() ? task.id() : task.container_id(), state_of(task));
  co_return tasks;
}

io::task<base::result<container_record>> containerd_client::get_container(std::string name_space, std::string id) {
  using service = containers_api::Containers::StubInterface::async_interface;
  containers_api::GetContainerRequest request;
  request.set_id(std::move(id));
  auto answer = co_await state_->ask<service>(state_->containers.async(), &service::Get, std::move(name_space),
                                              std::move(request), "container");
  if (!answer) co_return std::unexpected(answer.error());
  const auto& c = answer->container();
  co_return container_record{c.id(), {c.labels().begin(), c.labels().end()}};
}

io::task<base::result<task_state>> containerd_client::get_task(std::string name_space, std::string id) {
  using service = tasks_api::Tasks::StubInterface::async_interface;
  tasks_api::GetRequest request;
  request.set_container_id(std::move(id));
  auto answer = co_await state_->ask<service>(state_->tasks.async(), &service::Get, std::move(name_space),
                                              std::move(request), "task");
  if (!answer && answer.error().code == std::errc::no_such_file_or_directory) co_return task_state::ended;
  if (!answer) co_return std::unexpected(answer.error());
  co_return state_of(answer->process());
}

}  // namespace containerd
