#include "sources/containerd/containerd_client.hpp"

#include <containers.grpc.pb.h>
#include <events.grpc.pb.h>
#include <grpcpp/grpcpp.h>
#include <namespaces.grpc.pb.h>
#include <tasks.grpc.pb.h>

#include <boost/asio/post.hpp>
#include <cstdlib>
#include <map>
#include <optional>
#include <thread>

#include "async/condition.hpp"
#include "base/episode.hpp"
#include "base/text.hpp"
#include "sources/containerd/event_codec.hpp"
#include "sources/containerd/ports_codec.hpp"

namespace containerd {
namespace {

namespace containers_api = services::containers::v1;
namespace events_api = services::events::v1;
namespace namespaces_api = services::namespaces::v1;
namespace tasks_api = services::tasks::v1;

constexpr int longest_message = 64 << 20;
constexpr std::size_t most_events = 1'024;  // that wait to be taken

// Something that gRPC does and tells the end of. It holds itself while gRPC has it; completed() is called on the
// control thread, unless the loop has ended before.
class operation {
 public:
  operation() = default;
  operation(const operation&) = delete;
  operation& operator=(const operation&) = delete;
  virtual ~operation() = default;
  virtual void completed(bool well) = 0;

  // What gRPC gets as its tag for the next step.
  static void* tag(const std::shared_ptr<operation>& o) {
    o->self_ = o;
    return o.get();
  }
  // Takes it back. The step is over: nobody else touches it now.
  static std::shared_ptr<operation> untag(void* tag) { return std::move(static_cast<operation*>(tag)->self_); }

 private:
  std::shared_ptr<operation> self_;
};

// The thread that waits for gRPC, and does nothing but hand on what is completed to the control thread.
class completion_thread {
 public:
  explicit completion_thread(const async::executor& where) : thread_([this, where] { run(where); }) {}
  completion_thread(const completion_thread&) = delete;
  completion_thread& operator=(const completion_thread&) = delete;
  // Every operation has to be cancelled, or over; none may begin any more.
  ~completion_thread() {
    queue_.Shutdown();
    thread_.join();
  }
  grpc::CompletionQueue& queue() { return queue_; }

 private:
  void run(const async::executor& where) {
    void* tag = nullptr;
    bool well = false;
    while (queue_.Next(&tag, &well))
      boost::asio::post(where, [o = operation::untag(tag), well] { o->completed(well); });
  }

  grpc::CompletionQueue queue_;
  std::thread thread_;
};

template <class Response>
class call : public operation {
 public:
  explicit call(const async::executor& where) : ended_(where) {}

  // Returns when it is over. Cancelled: the call is cancelled too, and not waited for.
  async::task<> wait() {
    const canceller leaving{*this};
    while (!over_) co_await ended_.wait();
  }
  void completed(bool /*well*/) override {
    over_ = true;
    ended_.notify_all();
  }

  grpc::ClientContext context;
  Response response;
  grpc::Status status;
  std::unique_ptr<grpc::ClientAsyncResponseReader<Response>> reader;

 private:
  struct canceller {
    call& one;
    ~canceller() {
      if (!one.over_) one.context.TryCancel();
    }
  };
  async::condition ended_;
  bool over_ = false;
};

base::error to_error(const grpc::Status& status, const char* what) {
  const auto text = std::string(what) + ": " + base::printable(status.error_message());
  switch (status.error_code()) {
    case grpc::StatusCode::NOT_FOUND: return {std::make_error_code(std::errc::no_such_file_or_directory), text};
    case grpc::StatusCode::DEADLINE_EXCEEDED: return {std::make_error_code(std::errc::timed_out), what};
    default: return {{}, text};
  }
}

// The events as they come. No more are read while many wait to be taken: containerd is slowed down then.
class event_stream : public operation, public std::enable_shared_from_this<event_stream> {
 public:
  explicit event_stream(const async::executor& where) : changed_(where) {}

  void start(events_api::Events::Stub& stub, grpc::CompletionQueue& queue) {
    events_api::SubscribeRequest request;
    for (const auto filter : event_filters) request.add_filters(std::string(filter));
    reader_ = stub.PrepareAsyncSubscribe(&context_, request, &queue);
    step_ = step::start;
    reader_->StartCall(tag(shared_from_this()));
  }
  // Nothing is begun any more.
  void abandon() {
    abandoned_ = true;
    context_.TryCancel();
  }
  // Waits for something to come. An error: the stream has ended, and nothing is left.
  async::task<base::result<event_batch>> next() {
    while (events_.empty() && !lost_ && step_ != step::over) co_await changed_.wait();
    if (events_.empty() && !lost_)
      co_return std::unexpected(status_.ok() ? base::error{{}, "containerd has ended its events"}
                                             : to_error(status_, "events"));
    event_batch taken{std::exchange(events_, {}), std::exchange(lost_, false)};
    if (step_ == step::pause) read();
    co_return taken;
  }

  void completed(bool well) override {
    if (abandoned_) return;
    if (step_ == step::finish) {
      step_ = step::over;
      changed_.notify_all();
      return;
    }
    if (!well) return finish();
    if (step_ == step::read) keep();
    if (events_.size() < most_events)
      read();
    else
      step_ = step::pause;
  }

 private:
  enum class step : std::uint8_t { start, read, pause, finish, over };

  void read() {
    step_ = step::read;
    reader_->Read(&envelope_, tag(shared_from_this()));
  }
  void finish() {
    step_ = step::finish;
    reader_->Finish(&status_, tag(shared_from_this()));
  }
  void keep() {
    auto event = parse_event(envelope_.namespace_(), envelope_.topic(), envelope_.event().value());
    if (!event)
      base::log::throttled(unreadable_, base::log::level::warn, "containerd", "unreadable event, listing reason=\"{}\"",
                           event.error().message());
    if (event && !*event) return;
    if (event)
      events_.push_back(std::move(**event));
    else
      lost_ = true;
    changed_.notify_all();
  }

  async::condition changed_;
  grpc::ClientContext context_;
  events_api::Envelope envelope_;
  grpc::Status status_;
  std::unique_ptr<grpc::ClientAsyncReader<events_api::Envelope>> reader_;
  std::vector<engine_event> events_;
  bool lost_ = false;  // an event that could not be read
  base::log::throttle unreadable_;
  step step_ = step::start;
  bool abandoned_ = false;
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
    if (c == '%' || c == '?' || c == '#')
      text += c == '%' ? "%25" : c == '?' ? "%3F" : "%23";
    else
      text += c;
  }
  return text;
}

std::shared_ptr<grpc::Channel> open_channel(const std::filesystem::path& socket) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);  // no memory of the failures of other channels
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  arguments.SetMaxReceiveMessageSize(longest_message);
  arguments.SetString(GRPC_ARG_DEFAULT_AUTHORITY, "localhost");
  return grpc::CreateCustomChannel(target(socket), grpc::InsecureChannelCredentials(), arguments);
}

}  // namespace

struct containerd_client::state {
  async::executor where;
  std::chrono::milliseconds deadline;
  std::shared_ptr<grpc::Channel> channel;
  containers_api::Containers::Stub containers{channel};
  events_api::Events::Stub events{channel};
  namespaces_api::Namespaces::Stub namespaces{channel};
  tasks_api::Tasks::Stub tasks{channel};
  std::shared_ptr<event_stream> stream{};
  completion_thread completions{where};

  // One call of a method of a service. The namespace goes with it as metadata; empty: the service has none.
  template <class Stub, class Request, class Response>
  async::task<base::result<Response>> ask(Stub& stub,
                                          std::unique_ptr<grpc::ClientAsyncResponseReader<Response>> (Stub::*method)(
                                              grpc::ClientContext*, const Request&, grpc::CompletionQueue*),
                                          std::string name_space, Request request, const char* what, int patience = 1) {
    auto c = std::make_shared<call<Response>>(where);
    c->context.set_deadline(std::chrono::system_clock::now() + patience * deadline);
    if (!name_space.empty()) c->context.AddMetadata("containerd-namespace", name_space);
    c->reader = (stub.*method)(&c->context, request, &completions.queue());
    c->reader->StartCall();
    c->reader->Finish(&c->response, &c->status, operation::tag(c));
    co_await c->wait();
    if (!c->status.ok()) co_return std::unexpected(to_error(c->status, what));
    co_return std::move(c->response);
  }
};

// A poller that looks every 5 s whether a channel has lost its own: there is none on which this could happen.
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
