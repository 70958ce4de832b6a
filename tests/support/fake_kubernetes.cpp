#include "tests/support/fake_kubernetes.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <signal.h>

#include <chrono>
#include <condition_variable>
#include <list>
#include <map>
#include <mutex>
#include <thread>

#include "base/text.hpp"
#include "tests/support/kubeconfig_text.hpp"
#include "tests/support/loopback_socket.hpp"
#include "tests/support/server_connection.hpp"

namespace support {
namespace {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;

std::string query_value(const std::string& target, const std::string& name) {
  const auto query = target.find('?');
  for (const auto part :
       base::split(query == std::string::npos ? std::string_view() : std::string_view(target).substr(query + 1), '&'))
    if (part.starts_with(name + "=")) return std::string(part.substr(name.size() + 1));
  return {};
}

std::string to_json(const fake_kubernetes::service& s, long version, const std::string& uid) {
  std::string ports;
  for (const auto& p : s.ports)
    ports += fmt::format(R"({}{{"name":"p","protocol":"{}","port":{},"targetPort":8080{}}})", ports.empty() ? "" : ",",
                         p.protocol, p.number, p.node_port == 0 ? "" : fmt::format(R"(,"nodePort":{})", p.node_port));
  return fmt::format(
      R"({{"kind":"Service","metadata":{{"name":"{}","namespace":"{}","uid":"{}","resourceVersion":"{}",)"
      R"("annotations":{{"note":"{}"}}}},"spec":{{"ports":[{}],"type":"{}","clusterIP":"10.43.0.1"}},"status":{{"loadBalancer":{{}}}}}})",
      s.name, s.name_space, uid, version, s.annotation, ports, s.type);
}

std::string status_json(int code, const std::string& message) {
  return fmt::format(R"({{"kind":"Status","apiVersion":"v1","status":"Failure","message":"{}","code":{}}})", message,
                     code);
}

// Of this thread: OpenSSL writes to a client that has gone as it writes to any other.
void block_sigpipe() {
  sigset_t pipe;
  sigemptyset(&pipe);
  sigaddset(&pipe, SIGPIPE);
  ::pthread_sigmask(SIG_BLOCK, &pipe, nullptr);
}

struct stored {
  std::string json, uid;
};
struct event {
  long version = 0;  // 0: raw bytes
  std::string line;
};

}  // namespace

struct fake_kubernetes::state {
  mutable std::mutex mutex;
  std::condition_variable changed;
  std::uint16_t port = 0;
  base::unique_fd listener;
  std::unique_ptr<server_tls> tls;
  std::string ca_pem, token;
  std::thread acceptor;
  struct client {
    std::shared_ptr<server_connection> connection;
    std::thread thread;
  };
  std::list<client> clients;
  bool stopping = false;

  std::map<std::string, stored> services;  // by namespace/name
  std::vector<event> history;
  std::map<std::string, std::vector<std::string>> snapshots;  // of lists under way, by continue token
  long version = 100, last_uid = 0;

  int status = 0, gone_status = 0;
  std::string status_body;
  bool hanging = false, frozen = false, cutting = false, expiring = false;
  fault ails = fault::none;
  unsigned lists = 0, pages = 0, watches = 0, watching = 0, connections = 0, ends = 0;
  std::string last_target;

  template <class T>
  [[nodiscard]] T read(T state::* member) const {
    const std::lock_guard lock(mutex);
    return this->*member;
  }
  void record(const char* type, const std::string& object) {
    history.push_back({version, fmt::format(R"({{"type":"{}","object":{}}})", type, object) + "\n"});
    changed.notify_all();
  }

  void accept_all();
  void serve(server_connection& connection);
  bool answer(server_connection& connection, const server_request& request);
  std::pair<int, std::string> list(const std::string& target);
  bool watch(server_connection& connection, const std::string& target);
  bool send_events(server_connection& connection, std::size_t next, unsigned ends_before, clock::time_point deadline);
};

void fake_kubernetes::state::accept_all() {
  while (true) {
    pollfd waiting{.fd = listener.get(), .events = POLLIN, .revents = 0};
    ::poll(&waiting, 1, 20);
    const std::lock_guard lock(mutex);
    if (stopping) return;
    base::unique_fd fd(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!fd) continue;
    ++connections;
    auto connection = std::make_shared<server_connection>(std::move(fd));
    clients.push_back({connection, std::thread([this, connection] {
                         block_sigpipe();
                         if (!tls || connection->start_tls(*tls)) serve(*connection);
                         connection->cut();
                       })});
  }
}

void fake_kubernetes::state::serve(server_connection& connection) {
  while (const auto request = connection.read_request()) {
    {
      const std::lock_guard lock(mutex);
      connection.set_header_lines(ails == fault::closes_politely ? "Connection: close\r\n" : "");
    }
    if (!answer(connection, *request)) return;
    const std::lock_guard lock(mutex);
    if (ails == fault::closes_politely || ails == fault::closes_abruptly) return;
  }
}

// False: the connection ends.
bool fake_kubernetes::state::answer(server_connection& connection, const server_request& request) {
  std::unique_lock lock(mutex);
  last_target = request.target;
  while (hanging && !stopping && !connection.gone()) changed.wait_for(lock, 20ms);
  if (stopping || hanging || ails == fault::closes_at_once) return false;
  const auto authorization = request.headers.find("authorization");
  const bool known =
      token.empty() || (authorization != request.headers.end() && authorization->second == "Bearer " + token);
  const auto [code, body] = known ? std::pair(status, status_body) : std::pair(401, status_json(401, "Unauthorized"));
  if (code != 0) {
    lock.unlock();
    return connection.write_answer(code, body);
  }
  if (!request.target.starts_with("/api/v1/services?")) {
    lock.unlock();
    return connection.write_answer(404, status_json(404, "not found"));
  }
  if (query_value(request.target, "watch") == "true") {
    lock.unlock();
    return watch(connection, request.target);
  }
  const auto [list_code, text] = list(request.target);
  if (ails == fault::cuts_lists || ails == fault::stalls_in_lists) {
    const bool well = connection.write_half_of_answer(text);
    while (well && ails == fault::stalls_in_lists && !stopping && !connection.gone()) changed.wait_for(lock, 20ms);
    return false;
  }
  lock.unlock();
  return connection.write_answer(list_code, text);
}

std::pair<int, std::string> fake_kubernetes::state::list(const std::string& target) {
  ++pages;
  auto continued = query_value(target, "continue");
  std::vector<std::string> rest;
  if (continued.empty()) {
    ++lists;
    for (const auto& [name, one] : services) rest.push_back(one.json);
  } else if (!std::exchange(expiring, false) && snapshots.contains(continued)) {
    rest = std::exchange(snapshots[continued], {});
    snapshots.erase(continued);
  } else {
    return {410, status_json(410, "The provided continue parameter is too old")};
  }
  const auto limit = base::parse_number<std::size_t>(query_value(target, "limit")).value_or(SIZE_MAX);
  std::string items;
  for (std::size_t i = 0; i < std::min(limit, rest.size()); ++i) items += (i == 0 ? "" : ",") + rest[i];
  std::string token_text;
  if (rest.size() > limit) {
    rest.erase(rest.begin(), rest.begin() + static_cast<std::ptrdiff_t>(limit));
    token_text = fmt::format("token-{}", pages);
    snapshots[token_text] = std::move(rest);
  }
  return {
      200,
      fmt::format(
          R"({{"kind":"ServiceList","apiVersion":"v1","metadata":{{"resourceVersion":"{}","continue":"{}"}},"items":[{}]}})",
          version, token_text, items)};
}

bool fake_kubernetes::state::watch(server_connection& connection, const std::string& target) {
  std::unique_lock lock(mutex);
  ++watches;
  const auto from = base::parse_number<long>(query_value(target, "resourceVersion")).value_or(0);
  const auto seconds = base::parse_number<int>(query_value(target, "timeoutSeconds")).value_or(60);
  const bool lost = from > version;  // of another cluster
  if (gone_status == 410 || lost) {
    lock.unlock();
    return connection.write_answer(410, status_json(410, "too old resource version"));
  }
  const bool gone_event = gone_status == 200;
  std::size_t next = 0;
  while (next < history.size() && history[next].version <= from) ++next;
  ++watching;
  const auto ends_before = ends;
  lock.unlock();
  bool well = connection.write_stream_head();
  if (well && gone_event)
    well = connection.write_chunk(R"({"type":"ERROR","object":)" + status_json(410, "too old") + "}\n") &&
           connection.write_chunk("");
  else if (well)
    well = send_events(connection, next, ends_before, clock::now() + std::chrono::seconds(seconds));
  lock.lock();
  --watching;
  return well;
}

bool fake_kubernetes::state::send_events(server_connection& connection, std::size_t next, unsigned ends_before,
                                         clock::time_point deadline) {
  std::unique_lock lock(mutex);
  while (!stopping && !connection.gone() && ails != fault::cuts_watches) {
    if (!frozen && (ends != ends_before || clock::now() >= deadline)) {
      lock.unlock();
      return connection.write_chunk("");
    }
    if (frozen || next >= history.size()) {
      changed.wait_for(lock, 5ms);
      continue;
    }
    std::string lines;
    bool cut = false;
    for (; next < history.size() && lines.size() < (1 << 20) && !cut; ++next) {
      cut = std::exchange(cutting, false);
      const auto& line = history[next].line;
      lines += cut ? line.substr(0, line.size() / 2) : line;
    }
    lock.unlock();
    if (!connection.write_chunk(lines) || cut) return false;
    lock.lock();
  }
  return false;
}

fake_kubernetes::fake_kubernetes(const test_authority* authority) : state_(std::make_unique<state>()) {
  if (authority != nullptr) use(*authority, false);
}

fake_kubernetes::~fake_kubernetes() { stop(); }

void fake_kubernetes::use(const test_authority& authority, bool client_certificates) {
  state_->ca_pem = authority.ca_pem();
  state_->tls = std::make_unique<server_tls>(authority.make_server(), client_certificates ? state_->ca_pem : "",
                                             client_certificates);
}

void fake_kubernetes::start() {
  auto bound = listen_on_loopback(state_->port);
  state_->listener = std::move(bound.fd);
  state_->port = bound.port;
  state_->stopping = false;
  state_->acceptor = std::thread([this] { state_->accept_all(); });
}

void fake_kubernetes::stop() {
  if (!state_->acceptor.joinable()) return;
  {
    const std::lock_guard lock(state_->mutex);
    state_->stopping = true;
    for (const auto& client : state_->clients) client.connection->cut();
    state_->changed.notify_all();
  }
  state_->acceptor.join();
  for (auto& client : state_->clients) client.thread.join();
  state_->clients.clear();
  state_->listener.reset();
}

void fake_kubernetes::put(const service& s) {
  const std::lock_guard lock(state_->mutex);
  auto& place = state_->services[s.name_space + "/" + s.name];
  const bool known = !place.uid.empty();
  if (!known) place.uid = fmt::format("uid-{}", ++state_->last_uid);
  place.json = to_json(s, ++state_->version, place.uid);
  state_->record(known ? "MODIFIED" : "ADDED", place.json);
}

void fake_kubernetes::remove(const std::string& name, const std::string& name_space) {
  const std::lock_guard lock(state_->mutex);
  const auto found = state_->services.find(name_space + "/" + name);
  if (found == state_->services.end()) return;
  const auto last = found->second.json;
  state_->services.erase(found);
  ++state_->version;
  state_->record("DELETED", last);
}

void fake_kubernetes::bookmark() {
  const std::lock_guard lock(state_->mutex);
  ++state_->version;
  state_->record("BOOKMARK", fmt::format(R"({{"kind":"Service","metadata":{{"resourceVersion":"{}"}},"spec":{{}}}})",
                                         state_->version));
}

void fake_kubernetes::lose_history() {
  const std::lock_guard lock(state_->mutex);
  state_->services.clear();
  state_->history.clear();
  state_->version = 1;
}

void fake_kubernetes::answer_with(int status, std::string body) {
  const std::lock_guard lock(state_->mutex);
  state_->status = status;
  state_->status_body = std::move(body);
}

void fake_kubernetes::hang(bool never_answers) {
  const std::lock_guard lock(state_->mutex);
  state_->hanging = never_answers;
}

void fake_kubernetes::freeze_watches(bool silent) {
  const std::lock_guard lock(state_->mutex);
  state_->frozen = silent;
}

void fake_kubernetes::gone_for_watches(int status) {
  const std::lock_guard lock(state_->mutex);
  state_->gone_status = status;
}

void fake_kubernetes::expire_next_continue_token() {
  const std::lock_guard lock(state_->mutex);
  state_->expiring = true;
}

void fake_kubernetes::send_raw(std::string bytes) {
  const std::lock_guard lock(state_->mutex);
  state_->history.push_back({++state_->version, std::move(bytes)});
  state_->changed.notify_all();
}

void fake_kubernetes::cut_next_event() {
  const std::lock_guard lock(state_->mutex);
  state_->cutting = true;
}

void fake_kubernetes::end_watches() {
  const std::lock_guard lock(state_->mutex);
  ++state_->ends;
  state_->changed.notify_all();
}

void fake_kubernetes::suffer(fault what) {
  const std::lock_guard lock(state_->mutex);
  state_->ails = what;
  state_->changed.notify_all();
}

void fake_kubernetes::require_token(std::string token) {
  const std::lock_guard lock(state_->mutex);
  state_->token = std::move(token);
}

unsigned fake_kubernetes::lists() const { return state_->read(&state::lists); }
unsigned fake_kubernetes::pages() const { return state_->read(&state::pages); }
unsigned fake_kubernetes::watches() const { return state_->read(&state::watches); }
unsigned fake_kubernetes::watching() const { return state_->read(&state::watching); }
unsigned fake_kubernetes::connections() const { return state_->read(&state::connections); }
std::string fake_kubernetes::last_target() const { return state_->read(&state::last_target); }

std::string fake_kubernetes::url() const {
  return fmt::format("{}://127.0.0.1:{}", state_->tls ? "https" : "http", state_->port);
}

std::string fake_kubernetes::kubeconfig(const certificate* client, const std::string& token) const {
  return make_kubeconfig(url(), state_->tls ? state_->ca_pem : "", client, token);
}

}  // namespace support
