#include "tests/bench/agent/bare_client.hpp"

#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <string_view>

#include "base/unique_fd.hpp"
#include "net/endpoint.hpp"
#include "net/stream_address.hpp"
#include "sources/containerd/api_codec.hpp"
#include "sources/containerd/event_codec.hpp"
#include "sources/containerd/grpc_codec.hpp"
#include "sources/containerd/http2_session.hpp"

namespace bench {
namespace {

class stream {
 public:
  explicit stream(const net::stream_address& peer) {
    const auto at = net::to_sockaddr(peer);
    fd_ = base::unique_fd(::socket(at.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const int one = 1;
    ::setsockopt(fd_.get(), IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (::connect(fd_.get(), at.get(), at.size) != 0) throw std::runtime_error("connect");
  }
  void send(std::string_view text) const {
    if (::send(fd_.get(), text.data(), text.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(text.size()))
      throw std::runtime_error("send");
  }
  std::string_view receive() {
    const auto size = ::recv(fd_.get(), buffer_.data(), buffer_.size(), 0);
    if (size <= 0) throw std::runtime_error("the end of a stream");
    return {buffer_.data(), static_cast<std::size_t>(size)};
  }

 private:
  base::unique_fd fd_;
  std::array<char, 65'536> buffer_{};
};

std::string_view between(std::string_view text, std::string_view begin, std::string_view end) {
  const auto from = text.find(begin);
  if (from == std::string_view::npos) return {};
  text.remove_prefix(from + begin.size());
  return text.substr(0, text.find(end));
}

// A whole answer with a Content-Length.
std::string answer_to(stream& with, std::string_view request) {
  with.send(request);
  std::string answer;
  while (true) {
    answer += with.receive();
    const auto body = answer.find("\r\n\r\n");
    if (body == std::string::npos) continue;
    const auto size = between(answer, "Content-Length: ", "\r\n");
    if (answer.size() >= body + 4 + std::strtoul(std::string(size).c_str(), nullptr, 10)) return answer;
  }
}

void expose(stream& host_switch, std::string_view port) {
  const auto body = fmt::format(R"({{"local":"0.0.0.0:{0}","remote":"192.168.127.2:{0}","protocol":"tcp"}})", port);
  answer_to(host_switch, fmt::format("POST /services/forwarder/expose HTTP/1.1\r\nHost: 127.0.0.1\r\n"
                                     "Content-Length: {}\r\n\r\n{}",
                                     body.size(), body));
}

[[noreturn]] void follow_docker(const net::stream_address& engine, stream& host_switch) {
  stream events(engine), questions(engine);
  events.send("GET /v1.41/events HTTP/1.1\r\nHost: localhost\r\n\r\n");
  while (true) {
    const auto event = events.receive();
    if (between(event, R"("Action":")", "\"") != "start") continue;
    const auto answer =
        answer_to(questions, fmt::format("GET /v1.41/containers/{}/json HTTP/1.1\r\nHost: localhost\r\n\r\n",
                                         between(event, R"("ID":")", "\"")));
    expose(host_switch, between(answer, R"("HostPort":")", "\""));
  }
}

// containerd's API over the agent's own codecs, which are pure.
class containerd_stream {
 public:
  explicit containerd_stream(const net::stream_address& engine) : socket_(engine) {}

  std::int32_t request(std::string_view path, const std::string& name_space, std::string_view message) {
    std::vector<std::pair<std::string, std::string>> fields = {
        {":method", "POST"},         {":scheme", "http"}, {":path", "/containerd.services." + std::string(path)},
        {":authority", "localhost"}, {"te", "trailers"},  {"content-type", "application/grpc"}};
    if (!name_space.empty()) fields.emplace_back("containerd-namespace", name_space);
    return session_.request(fields, containerd::frame_message(message)).value();
  }
  // Sends what is to be sent, and returns what comes then.
  std::vector<containerd::http2_event> next() {
    send();
    if (!session_.receive(socket_.receive())) throw std::runtime_error("HTTP/2");
    auto events = session_.take_events();
    for (const auto& e : events) session_.consumed(e.stream, e.text.size());
    send();
    return events;
  }

 private:
  void send() {
    if (const auto output = session_.take_output().value(); !output.empty()) socket_.send(output);
  }
  stream socket_;
  containerd::http2_session session_;
};

// Both questions at once, as the agent asks them. The answer about the container.
std::string ask(containerd_stream& engine, const std::string& name_space, const std::string& id) {
  const auto container = engine.request("containers.v1.Containers/Get", name_space, containerd::make_id(id));
  const auto task = engine.request("tasks.v1.Tasks/Get", name_space, containerd::make_id(id));
  std::string answer;
  for (int open = 2; open > 0;)
    for (const auto& e : engine.next()) {
      const bool closed = e.what == containerd::http2_event::kind::closed;
      if (closed && (e.stream == container || e.stream == task)) --open;
      if (e.stream == container) answer += e.text;
    }
  return answer;
}

[[noreturn]] void follow_containerd(const net::stream_address& at, stream& host_switch) {
  containerd_stream engine(at);
  const auto subscription =
      engine.request("events.v1.Events/Subscribe", "", containerd::make_filters(containerd::event_filters));
  containerd::message_splitter splitter;
  while (true) {
    for (const auto& e : engine.next())
      if (e.stream == subscription) splitter.feed(e.text);
    while (const auto message = splitter.next().value()) {
      const auto parts = containerd::parse_envelope(*message).value();
      const auto event = containerd::parse_event(parts.name_space, parts.topic, parts.payload).value();
      if (!event || event->what != containerd::happening::started) continue;
      const auto answer = ask(engine, event->name_space, event->container_id);
      expose(host_switch, between(answer, R"("HostPort":)", ","));
    }
  }
}

constexpr std::string_view marker = "--bare-client";

}  // namespace

support::child_process start_bare_client(bare_engine engine, const std::filesystem::path& socket,
                                         std::uint16_t host_switch, const std::filesystem::path& log) {
  return support::child_process(
      {.argv = {"/proc/self/exe", std::string(marker), engine == bare_engine::docker ? "docker" : "containerd",
                socket.string(), std::to_string(host_switch)},
       .log = log});
}

bool is_bare_client(std::span<char* const> arguments) { return arguments.size() == 5 && arguments[1] == marker; }

void run_bare_client(std::span<char* const> arguments) try {
  const net::unix_path engine{arguments[3]};
  stream host_switch(net::endpoint{net::address::loopback_v4(), static_cast<std::uint16_t>(std::atoi(arguments[4]))});
  if (arguments[2] == std::string_view("docker")) follow_docker(engine, host_switch);
  follow_containerd(engine, host_switch);
} catch (const std::exception& e) {
  std::fprintf(stderr, "bare client: %s\n", e.what());
  std::exit(1);
}

}  // namespace bench
