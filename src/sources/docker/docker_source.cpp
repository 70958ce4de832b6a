#include "sources/docker/docker_source.hpp"

#include <chrono>
#include <cstddef>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <utility>

#include "async/clock.hpp"
#include "async/task.hpp"
#include "base/result.hpp"
#include "base/text.hpp"
#include "http/connection.hpp"
#include "http/message.hpp"
#include "sources/docker/docker_codec.hpp"
#include "sources/docker/swarm_codec.hpp"
#include "sources/engine/container.hpp"
#include "sources/engine/engine_source.hpp"

namespace docker {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t body_bytes = 64 << 20;
constexpr auto forever = std::chrono::hours(24 * 365);
// The engine does not count a paused container as running. Its ports are published all the same.
constexpr const char* running_filter = R"({"status":["running","paused"]})";

base::error not_ok(const http::response& answer, const std::string& path) {
  return {{},
          "the engine answered " + std::to_string(answer.status) + " to " + path + ": " +
              base::printable(base::trim(answer.body))};
}

// A failure about one container is retried. A lost connection concerns all, and ends the event stream as well.
std::unexpected<base::error> unanswered(const base::error& e) {
  return base::fail(std::errc::resource_unavailable_try_again, e.message());
}

engine::engine_options watch(const docker_options& o) {
  auto following = o.following;
  following.socket = o.engine.path;
  return following;
}

}  // namespace

docker_source::docker_source(const async::executor& where, docker_options options)
    : engine_source(where, ports::source_id::docker, watch(options)), options_(std::move(options)) {}

async::task<base::result<>> docker_source::open_connection() {
  if (auto agreed = co_await negotiate(); !agreed) co_return agreed;
  splitter_ = json::stream_splitter(event_limits);
  auto stream = co_await http::connection::open(options_.engine, options_.deadline, options_.tls);
  if (!stream) co_return std::unexpected(stream.error());
  events_ = std::make_unique<http::connection>(std::move(*stream));
  co_return base::result<>{};
}

void docker_source::disconnect() {
  events_.reset();
  kept_.clear();
}

async::task<base::result<>> docker_source::negotiate() {
  prefix_ = options_.api_version.empty() ? "" : "/v" + options_.api_version;
  if (!prefix_.empty()) co_return base::result<>{};
  auto engine = co_await http::connection::open(options_.engine, options_.deadline, options_.tls);
  if (!engine) co_return std::unexpected(engine.error());
  http::request ping{.target = "/_ping"};
  const http::exchange_limits limits{.deadline = options_.deadline, .body_bytes = 64 << 10};
  const auto answer = co_await engine->exchange(std::move(ping), limits);
  if (!answer) co_return std::unexpected(answer.error());
  if (answer->status != 200) co_return std::unexpected(not_ok(*answer, "/_ping"));
  const auto version = choose_version(answer->header("Api-Version"));
  if (!version) co_return base::fail("the engine offers no API version");
  prefix_ = "/v" + *version;
  co_return base::result<>{};
}

// podman 2.0.3 and 5.0 to 5.2.1 send the answer's header with the first event, which may be days away.
async::task<base::error> docker_source::read_events() {
  http::request events{.target = prefix_ + "/events?filters=" + http::escape(events_filter())};
  auto head = co_await events_->open_stream(std::move(events), {.deadline = forever});
  if (!head) co_return head.error();
  if (head->status != 200) {
    head->body = co_await events_->read_reason(1s);
    co_return not_ok(*head, "/events");
  }
  subscribed();
  co_return co_await read_stream();
}

base::result<> docker_source::handle(std::string_view object) {
  const auto e = parse_event(object);
  if (!e) return base::fail("unreadable event: " + e.error().message());
  switch (e->what) {
    case action::changed: ask_about(e->id); break;
    case action::ended: ended(e->id); break;
    case action::stopped:
      ended(e->id);
      ask_about(e->id);
      break;
    case action::service_changed: ask_about(service_id(e->id)); break;
    case action::service_ended: ended(service_id(e->id)); break;
    case action::networks_changed: list_soon(); break;
    case action::other: break;
  }
  return {};
}

// Silence is normal and may last for days. All events of one piece are handled before anything is published. An
// unreadable event ends the connection: the list of the next one makes up for it.
async::task<base::error> docker_source::read_stream() {
  while (true) {
    const auto piece = co_await events_->read_some();
    if (!piece) co_return piece.error();
    if (piece->empty()) co_return base::error{{}, "the engine closed the event stream"};
    events_read();
    const auto fed = splitter_.feed(*piece);
    while (const auto object = splitter_.next())
      if (auto read = handle(*object); !read) co_return read.error();
    if (!fed) co_return fed.error();
    flush();
  }
}

async::task<base::result<docker_source::connection_ptr>> docker_source::open_another() {
  auto opened = co_await http::connection::open(options_.engine, options_.deadline, options_.tls);
  if (!opened) co_return std::unexpected(opened.error());
  co_return std::make_unique<http::connection>(std::move(*opened));
}

async::task<base::result<docker_source::connection_ptr>> docker_source::take_connection() {
  while (!kept_.empty()) {
    auto kept = std::move(kept_.back());
    kept_.pop_back();
    if (kept->usable()) co_return kept;
  }
  co_return co_await open_another();
}

void docker_source::give_back(connection_ptr used) {
  if (used->usable() && kept_.size() < options_.following.questions) kept_.push_back(std::move(used));
}

// The body of a GET that was answered with 200; 404 is an empty body.
async::task<base::result<std::string>> docker_source::get(http::connection& engine, std::string path) {
  http::request r{.target = prefix_ + path};
  const http::exchange_limits limits{.deadline = options_.deadline, .body_bytes = body_bytes};
  auto answer = co_await engine.exchange(std::move(r), limits);
  if (!answer) co_return std::unexpected(answer.error());
  is_podman_ = !answer->header("Libpod-Api-Version").empty();
  if (answer->status == 404) co_return std::string();
  if (answer->status != 200) co_return std::unexpected(not_ok(*answer, path));
  co_return std::move(answer->body);
}

// On a new connection: a kept one may be about to close. Afterwards it is there for the first question.
async::task<base::result<engine::container_list>> docker_source::list() {
  auto taken = co_await open_another();
  if (!taken) co_return std::unexpected(taken.error());
  auto& engine = *taken;
  const auto body = co_await get(*engine, "/containers/json?filters=" + http::escape(running_filter));
  if (!body) co_return std::unexpected(body.error());
  auto all = parse_list(*body);
  if (!all) co_return all;
  if (is_podman_) co_await inspect_all(*engine, *all);
  co_await add_services(*engine, *all);
  give_back(std::move(engine));
  co_return all;
}

// One after the other, on the list's own connection. Containers without an answer are asked about again later.
async::task<> docker_source::inspect_all(http::connection& engine, engine::container_list& list) {
  for (auto& one : std::exchange(list.running, {})) {
    auto inspected = co_await ask_container(engine, one.id.str());
    if (!inspected)
      list.unknown.insert(one.id.str());
    else if (auto& running = *inspected)
      list.running.push_back(std::move(*running));
  }
}

async::task<base::result<engine::container_list>> docker_source::list_services(http::connection& engine) {
  const auto info = co_await get(engine, "/info");
  if (!info) co_return std::unexpected(info.error());
  if (info->empty()) co_return engine::container_list{};
  const auto role = parse_swarm_role(*info);
  if (!role) co_return std::unexpected(role.error());
  if (*role == swarm_role::none) co_return engine::container_list{};
  if (*role == swarm_role::unknown) co_return base::fail("this node is not a manager of the swarm, or is locked");
  const auto services = co_await get(engine, "/services");
  if (!services) co_return std::unexpected(services.error());
  co_return parse_services(*services);
}

// If the services are unknown, containers are listed all the same. The last services stay, and the status shows why.
async::task<> docker_source::add_services(http::connection& engine, engine::container_list& into) {
  auto services = co_await list_services(engine);
  unknown_services_.note(services ? base::result<>{} : std::unexpected(services.error()), async::clock::now());
  if (!services) {
    into.unknown.insert(services_.begin(), services_.end());
    engine::container swarm;
    swarm.id = service_id("unknown");
    swarm.name = "swarm";
    swarm.refuse("services", services.error().message());
    into.running.push_back(std::move(swarm));
    co_return;
  }
  services_ = services->unknown;
  into.unknown.merge(services->unknown);
  for (auto& one : services->running) {
    services_.insert(one.id.str());
    into.running.push_back(std::move(one));
  }
}

async::task<base::result<std::optional<engine::container>>> docker_source::ask(const std::string& id,
                                                                               unsigned /*slot*/) {
  auto taken = co_await take_connection();
  if (!taken) co_return std::unexpected(taken.error());
  auto& engine = *taken;
  const auto service = parse_service_id(id);
  auto answer = service ? co_await ask_service(*engine, std::string(*service)) : co_await ask_container(*engine, id);
  give_back(std::move(engine));
  co_return answer;
}

async::task<base::result<std::optional<engine::container>>> docker_source::ask_container(http::connection& engine,
                                                                                         std::string id) {
  const auto body = co_await get(engine, "/containers/" + id + "/json");
  if (!body) co_return unanswered(body.error());
  if (body->empty()) co_return std::optional<engine::container>();
  auto described = parse_inspect(*body);
  if (!described) co_return unanswered(described.error());
  co_return described;
}

async::task<base::result<std::optional<engine::container>>> docker_source::ask_service(http::connection& engine,
                                                                                       std::string id) {
  const auto body = co_await get(engine, "/services/" + id);
  if (!body) co_return unanswered(body.error());
  if (body->empty()) co_return std::optional<engine::container>();
  auto described = parse_service(*body);
  if (!described) co_return unanswered(described.error());
  co_return std::optional(std::move(*described));
}

}  // namespace docker
