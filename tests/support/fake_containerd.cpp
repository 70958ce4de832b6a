#include "tests/support/fake_containerd.hpp"

#include <fmt/format.h>

#include <functional>
#include <mutex>
#include <protozero/pbf_reader.hpp>
#include <protozero/pbf_writer.hpp>
#include <set>
#include <vector>

#include "tests/support/http2_server.hpp"

namespace support {
namespace {

enum class task_status : std::uint8_t { unknown = 0, running = 2, stopped = 3, paused = 4 };

struct stored_container {
  fake_containerd::label_map labels;
  task_status task = task_status::unknown;
  bool has_task = false;
};

struct event {
  std::string name_space, topic, payload;
};

// A message with these texts as its fields.
std::string message_of(const std::vector<std::pair<unsigned, std::string>>& texts) {
  std::string made;
  protozero::pbf_writer writer(made);
  for (const auto& [number, text] : texts) writer.add_string(number, text);
  return made;
}

std::string with_prefix(const std::string& message, char compressed = '\0') {
  std::string made(1, compressed);
  for (const int shift : {24, 16, 8, 0}) made += static_cast<char>(message.size() >> shift & 0xff);
  return made + message;
}

// The texts of field 1: of each request that has fields.
std::set<std::string> first_texts(const std::string& framed) {
  std::set<std::string> texts;
  protozero::pbf_reader reader(framed.data() + 5, framed.size() - 5);
  while (reader.next(1)) texts.insert(reader.get_string());
  return texts;
}

std::string envelope_of(const event& e) {
  return message_of({{2, e.name_space}, {3, e.topic}, {4, message_of({{2, e.payload}})}});
}

std::string describe(const std::string& id, const stored_container& c) {
  std::string made = message_of({{1, id}});
  protozero::pbf_writer writer(made);
  for (const auto& [name, value] : c.labels) writer.add_message(2, message_of({{1, name}, {2, value}}));
  return made;
}

// No container_id, as containerd has it.
std::string describe_task(const std::string& id, const stored_container& c) {
  std::string made = message_of({{2, id}});
  protozero::pbf_writer(made).add_enum(4, static_cast<int>(c.task));
  return made;
}

const header_fields good_header = {{":status", "200"}, {"content-type", "application/grpc"}};
const header_fields good_end = {{"grpc-status", "0"}, {"grpc-message", ""}};
const header_fields not_found = {{"grpc-status", "5"}, {"grpc-message", "not found"}};

// An answer that goes wrong; `message` is what it should have been.
void fail(http2_exchange& e, answer_fault fault, const std::string& message) {
  constexpr std::uint32_t refused_stream = 7, cancel = 8;
  const auto answer = [&](const std::string& bytes, const header_fields& end,
                          const header_fields& header = good_header) {
    e.begin(header);
    e.send(bytes);
    e.end(end);
  };
  const auto framed = with_prefix(message);
  switch (fault) {
    case answer_fault::none: return answer(framed, good_end);
    case answer_fault::refused: return answer("", {{"grpc-status", "14"}, {"grpc-message", "50%25 full%0Alevel=x"}});
    case answer_fault::no_status: return answer(framed, {});
    case answer_fault::no_message: return answer("", good_end);
    case answer_fault::two_messages: return answer(framed + framed, good_end);
    case answer_fault::half_a_message: return answer(with_prefix(message + "more").substr(0, framed.size()), good_end);
    case answer_fault::compressed: return answer(with_prefix(message, 1), good_end);
    case answer_fault::endless: return answer(std::string("\0\xff\xff\xff\xff", 5), good_end);
    case answer_fault::damaged: return answer(with_prefix("\xff\xff\xff"), good_end);
    case answer_fault::http_error: return answer("", {}, {{":status", "503"}});
    case answer_fault::web_page: return answer("<p>", {}, {{":status", "200"}, {"content-type", "text/html"}});
    case answer_fault::large_header:
      return answer(framed, good_end, {{":status", "200"}, {"large", std::string(40'000, 'x')}});
    case answer_fault::reset: return e.reset(refused_stream);
    case answer_fault::cancelled: return e.reset(cancel);
    case answer_fault::goes_away: return e.go_away();
    case answer_fault::cut: e.begin(good_header); return e.cut();
    case answer_fault::other_protocol: return e.send_raw("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");
  }
}

}  // namespace

struct fake_containerd::state {
  std::filesystem::path socket;
  mutable std::mutex mutex{};
  std::map<std::string, std::map<std::string, stored_container>> namespaces{};
  std::vector<event> log{};  // all events ever
  bool silent = false, hanging = false;
  answer_fault fault = answer_fault::none;
  unsigned subscribers = 0, lists = 0, questions = 0;
  std::unique_ptr<http2_server> server{};

  void change(const std::function<void()>& what) {
    const std::lock_guard lock(mutex);
    what();
    if (server) server->wake();
  }
  void emit(const std::string& name_space, const std::string& topic, const std::string& payload) {
    if (!silent) log.push_back({name_space, topic, payload});
  }
  auto& containers(http2_exchange& e) { return namespaces[e.fields["containerd-namespace"]]; }

  void serve(http2_exchange& e);
  void gone(http2_exchange& e);
  void follow(http2_exchange& e);
  void answer(http2_exchange& e, const std::string& message) { fail(e, fault, message); }
  void answer_about(http2_exchange& e, bool about_task);
  std::string list_namespaces();
  std::string list_containers(http2_exchange& e);
  std::string list_tasks(http2_exchange& e);
};

void fake_containerd::state::serve(http2_exchange& e) {
  const std::lock_guard lock(mutex);
  if (hanging) return;
  const auto& path = e.fields[":path"];
  if (path == "/containerd.services.events.v1.Events/Subscribe") return follow(e);
  if (path == "/containerd.services.namespaces.v1.Namespaces/List") return answer(e, list_namespaces());
  if (path == "/containerd.services.containers.v1.Containers/List") return answer(e, list_containers(e));
  if (path == "/containerd.services.tasks.v1.Tasks/List") return answer(e, list_tasks(e));
  if (path == "/containerd.services.containers.v1.Containers/Get") return answer_about(e, false);
  if (path == "/containerd.services.tasks.v1.Tasks/Get") return answer_about(e, true);
  e.begin({{":status", "200"}, {"content-type", "application/grpc"}, {"grpc-status", "12"}});
  e.end({});
}

void fake_containerd::state::gone(http2_exchange& e) {
  const std::lock_guard lock(mutex);
  if (e.followed) --subscribers;
  e.followed = false;
}

void fake_containerd::state::follow(http2_exchange& e) {
  if (!e.followed) {
    if (fault != answer_fault::none) return fail(e, fault, envelope_of({"default", "/tasks/oom", ""}));
    e.followed = true;
    e.position = log.size();
    ++subscribers;
    e.begin(good_header);
    e.ping();  // as containerd does when it measures the way
  }
  const auto filters = first_texts(e.body);
  for (; e.position < log.size(); ++e.position)
    if (filters.contains(fmt::format("topic==\"{}\"", log[e.position].topic)))
      e.send(with_prefix(envelope_of(log[e.position])));
}

std::string fake_containerd::state::list_namespaces() {
  std::string made;
  protozero::pbf_writer writer(made);
  for (const auto& [name, all] : namespaces) writer.add_message(1, message_of({{1, name}}));
  return made;
}

// Of the filter language, it supports only the presence of a label.
std::string fake_containerd::state::list_containers(http2_exchange& e) {
  ++lists;
  const auto filters = first_texts(e.body);
  std::string made;
  protozero::pbf_writer writer(made);
  for (const auto& [id, container] : containers(e)) {
    bool matches = filters.empty();
    for (const auto& [name, value] : container.labels) matches |= filters.contains(fmt::format("labels.\"{}\"", name));
    if (matches) writer.add_message(1, describe(id, container));
  }
  return made;
}

std::string fake_containerd::state::list_tasks(http2_exchange& e) {
  std::string made;
  protozero::pbf_writer writer(made);
  for (const auto& [id, container] : containers(e))
    if (container.has_task) writer.add_message(1, describe_task(id, container));
  return made;
}

void fake_containerd::state::answer_about(http2_exchange& e, bool about_task) {
  if (!about_task) ++questions;
  const auto& all = containers(e);
  const auto found = all.find(*first_texts(e.body).begin());
  if (found == all.end() || (about_task && !found->second.has_task)) {
    e.begin(good_header);
    return e.end(not_found);
  }
  const auto& [id, container] = *found;
  answer(e, message_of({{1, about_task ? describe_task(id, container) : describe(id, container)}}));
}

fake_containerd::fake_containerd(const std::filesystem::path& socket) : state_(new state{socket}) {
  state_->namespaces["default"];
}

fake_containerd::~fake_containerd() { stop(); }

void fake_containerd::start() {
  auto made = std::make_unique<http2_server>(
      state_->socket, http2_handler{.serve = [s = state_.get()](http2_exchange& e) { s->serve(e); },
                                    .gone = [s = state_.get()](http2_exchange& e) { s->gone(e); }});
  const std::lock_guard lock(state_->mutex);
  state_->server = std::move(made);
}

void fake_containerd::stop() {
  std::unique_ptr<http2_server> old;  // ends its thread, which needs the lock, after the lock has gone
  const std::lock_guard lock(state_->mutex);
  old = std::move(state_->server);
}

void fake_containerd::run(const std::string& name_space, const std::string& id, const label_map& labels) {
  state_->change([&] {
    state_->namespaces[name_space][id] = {labels, task_status::running, true};
    state_->emit(name_space, "/tasks/start", message_of({{1, id}}));
  });
}

void fake_containerd::run(const std::string& id, std::uint16_t host_port) {
  run("default", id,
      {{"nerdctl/ports",
        fmt::format(R"([{{"HostPort":{},"ContainerPort":80,"Protocol":"tcp","HostIP":"0.0.0.0"}}])", host_port)}});
}

void fake_containerd::end(const std::string& name_space, const std::string& id) {
  state_->change([&] {
    state_->namespaces[name_space][id].task = task_status::stopped;
    state_->emit(name_space, "/tasks/exit", message_of({{1, id}, {2, id}}));
  });
}

void fake_containerd::update(const std::string& name_space, const std::string& id, const label_map& labels) {
  state_->change([&] {
    state_->namespaces[name_space][id].labels = labels;
    state_->emit(name_space, "/containers/update", message_of({{1, id}}));
  });
}

void fake_containerd::pause(const std::string& name_space, const std::string& id) {
  state_->change([&] { state_->namespaces[name_space][id].task = task_status::paused; });
}

void fake_containerd::hang_shim(const std::string& name_space, const std::string& id, bool hangs) {
  state_->change(
      [&] { state_->namespaces[name_space][id].task = hangs ? task_status::unknown : task_status::running; });
}

void fake_containerd::forget(const std::string& name_space, const std::string& id) {
  state_->change([&] { state_->namespaces[name_space].erase(id); });
}

void fake_containerd::end_other_process(const std::string& name_space, const std::string& id) {
  state_->change([&] { state_->emit(name_space, "/tasks/exit", message_of({{1, id}, {2, "another"}})); });
}

void fake_containerd::emit(const std::string& name_space, const std::string& topic, const std::string& payload) {
  state_->change([&] { state_->log.push_back({name_space, topic, payload}); });
}

void fake_containerd::set_silent(bool loses_events) {
  state_->change([&] { state_->silent = loses_events; });
}

void fake_containerd::set_fault(answer_fault fault) {
  state_->change([&] { state_->fault = fault; });
}

void fake_containerd::set_hanging(bool never_answers) {
  state_->change([&] { state_->hanging = never_answers; });
}

unsigned fake_containerd::subscribers() const {
  const std::lock_guard lock(state_->mutex);
  return state_->subscribers;
}

unsigned fake_containerd::lists() const {
  const std::lock_guard lock(state_->mutex);
  return state_->lists;
}

unsigned fake_containerd::questions() const {
  const std::lock_guard lock(state_->mutex);
  return state_->questions;
}

}  // namespace support
