#include "tests/support/fake_docker.hpp"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstring>
#include <stdexcept>

namespace support {

void fake_docker::start() {
  base::unique_fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  sockaddr_un at{};
  at.sun_family = AF_UNIX;
  std::strncpy(at.sun_path, socket_.c_str(), sizeof at.sun_path - 1);
  std::filesystem::remove(socket_);
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&at), sizeof at) != 0 || ::listen(fd.get(), 64) != 0)
    throw std::runtime_error("fake docker socket");
  tasks_ = std::make_unique<async::task_group>(where_);
  const http::handler handler = [this](http::incoming in) { return handle(this, std::move(in)); };
  tasks_->spawn("fake docker", http::serve(std::move(fd), handler));
}

void fake_docker::stop() {
  tasks_.reset();
  std::filesystem::remove(socket_);
}

void fake_docker::run(const std::string& id, std::uint16_t host_port, const std::string& host_ip) {
  container c;
  c.name = "name-" + id;
  c.ports_json = fmt::format(R"({{"80/tcp":[{{"HostIp":"{}","HostPort":"{}"}}],"81/tcp":null}})", host_ip, host_port);
  c.list_json =
      fmt::format(R"([{{"IP":"{}","PrivatePort":80,"PublicPort":{},"Type":"tcp"}},{{"PrivatePort":81,"Type":"tcp"}}])",
                  host_ip, host_port);
  containers[id] = c;
  emit("start", id);
}

void fake_docker::end(const std::string& id) {
  containers[id].running = false;
  emit("die", id);
  emit("stop", id);
}

void fake_docker::emit(const std::string& action, const std::string& id) {
  if (silent) return;
  emit_text(fmt::format(
      R"({{"Type":"container","Action":"{}","Actor":{{"ID":"{}","Attributes":{{"label":"{}"}}}},"timeNano":1}})",
      action, id, label));
}

void fake_docker::emit_text(std::string event) {
  log_.push_back(std::move(event));
  changed_.notify_all();
}

void fake_docker::emit_of_network(const std::string& action, const std::string& id) {
  if (silent) return;
  emit_text(fmt::format(
      R"({{"Type":"network","Action":"{}","Actor":{{"ID":"net","Attributes":{{"container":"{}","name":"n","type":"bridge"}}}}}})",
      action, id));
}

void fake_docker::end_streams() {
  ++streams_ended_;
  changed_.notify_all();
}

std::string fake_docker::list(bool with_paused) const {
  std::string text;
  for (const auto& [id, c] : containers)
    if ((c.running && (with_paused || !c.paused)) || list_is_stale)
      text += fmt::format(R"({}{{"Id":"{}","Names":["/{}"],"Ports":{},"State":"running"}})", text.empty() ? "" : ",",
                          id, c.name, is_podman ? "null" : c.list_json);
  return "[" + text + "]";
}

http::answer fake_docker::inspect(const std::string& id) const {
  if (const auto other = instead.find(id); other != instead.end()) return {other->second, {}};
  const auto at = containers.find(id);
  if (at == containers.end()) return {{404, {}, R"({"message":"No such container"})"}, {}};
  return {{200,
           {},
           fmt::format(R"({{"Id":"{}","Name":"/{}","State":{{"Running":{}}},"NetworkSettings":{{"Ports":{}}}}})", id,
                       at->second.name, at->second.running, at->second.running ? at->second.ports_json : "{}")},
          {}};
}

// Only what is new since the subscription.
async::task<> fake_docker::stream(fake_docker* self, std::size_t sent, http::stream_writer write) {
  ++self->subscribers;
  const auto ended = self->streams_ended_;
  while (true) {
    while (sent < self->log_.size()) {
      auto piece = self->log_[sent++] + self->separator;
      if (!co_await write(std::move(piece))) co_return;
    }
    if (self->streams_ended_ != ended) co_return;
    co_await self->changed_.wait();
  }
}

async::task<http::answer> fake_docker::handle(fake_docker* self, http::incoming in) {
  while (self->hangs) co_await self->changed_.wait();
  const auto& target = in.head.target;
  self->targets.push_back(target);
  http::answer a;
  if (self->is_podman) a.head.headers["Libpod-Api-Version"] = "4.3.1";
  if (target == "/_ping") {
    ++self->pings;
    a.head.headers["Api-Version"] = self->api_version;
    a.head.body = "OK";
    co_return a;
  }
  const auto path = target.substr(0, target.find('?'));
  const auto versioned = "/v" + self->api_version;
  if (path == versioned + "/events" && self->refused_events.status > 200) {
    a.head = self->refused_events;
    co_return a;
  }
  if (path == versioned + "/events") {
    const auto sent = self->log_.size();
    while (self->holds_header && self->log_.size() == sent) co_await self->changed_.wait();
    a.stream = [self, sent](http::stream_writer write) { return stream(self, sent, std::move(write)); };
    co_return a;
  }
  if (path == versioned + "/containers/json") {
    ++self->lists;
    a.head.body = self->list(target.find("paused") != std::string::npos);
    co_return a;
  }
  if (path == versioned + "/info") {
    a.head.body = fmt::format(R"({{"Swarm":{}}})", self->swarm);
    co_return a;
  }
  if (path == versioned + "/services") {
    for (const auto& [id, json] : self->services) a.head.body += (a.head.body.empty() ? "" : ",") + json;
    a.head.body = "[" + a.head.body + "]";
    co_return a;
  }
  if (path.starts_with(versioned + "/services/")) {
    const auto at = self->services.find(path.substr(versioned.size() + 10));
    a.head =
        at == self->services.end() ? http::text_response(404, "no such service") : http::response{200, {}, at->second};
    co_return a;
  }
  const auto prefix = versioned + "/containers/";
  if (path.starts_with(prefix) && path.ends_with("/json")) {
    ++self->inspects;
    const auto id = path.substr(prefix.size(), path.size() - prefix.size() - 5);
    while (self->hung.contains(id)) co_await self->changed_.wait();
    co_return self->inspect(id);
  }
  a.head = http::text_response(404, "page not found");
  co_return a;
}

}  // namespace support
