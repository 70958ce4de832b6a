#include "sources/containerd/containerd_client.hpp"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <expected>
#include <filesystem>
#include <iterator>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "async/task.hpp"
#include "base/result.hpp"
#include "sources/containerd/api_codec.hpp"
#include "sources/containerd/event_stream.hpp"
#include "sources/containerd/grpc_connection.hpp"
#include "sources/containerd/ports_codec.hpp"
#include "sources/containerd/records.hpp"

namespace containerd {
namespace {

// What `parse` makes of an answer.
template <class T>
base::result<T> parsed(const base::result<std::string>& answer, base::result<T> (*parse)(std::string_view),
                       const char* what) {
  if (!answer) return std::unexpected(answer.error());
  auto made = parse(*answer);
  if (!made) return base::fail(std::string(what) + ": " + made.error().message());
  return made;
}

constexpr std::size_t slice_bytes = 256 << 10;  // parsed without a break: a millisecond or two

void append(std::vector<container_record> some, std::vector<container_record>& all) {
  std::ranges::move(some, std::back_inserter(all));
}
void append(std::map<std::string, task_state> some, std::map<std::string, task_state>& all) {
  for (auto& [id, state] : some) all.insert_or_assign(id, state);
}

// What `parse` makes of an answer of up to 64 MiB, part by part. Other tasks run in between.
template <class T>
async::task<base::result<T>> parsed_in_slices(async::task<base::result<std::string>> answer,
                                              base::result<T> (*parse)(std::string_view), const char* what) {
  const auto got = co_await std::move(answer);
  if (!got) co_return std::unexpected(got.error());
  T all;
  for (std::string_view rest = *got; !rest.empty(); co_await async::yield()) {
    const auto slice = take_fields(rest, slice_bytes);
    auto some = slice ? parse(*slice) : base::result<T>(std::unexpected(slice.error()));
    if (!some) co_return base::fail(std::string(what) + ": " + some.error().message());
    append(std::move(*some), all);
  }
  co_return all;
}

// An answer whose error names the call.
async::task<base::result<std::string>> named(async::task<base::result<std::string>> answer, const char* what) {
  auto got = co_await std::move(answer);
  if (got) co_return got;
  const auto& why = got.error();
  co_return base::fail(why.code, why.context.empty() ? what : std::string(what) + ": " + why.context);
}

async::task<base::result<container_record>> to_container(async::task<base::result<std::string>> answer, std::string id,
                                                         const char* what) {
  auto record = parsed(co_await std::move(answer), parse_container, what);
  if (record && record->id != id) co_return base::fail("containerd: the answer is not about container " + id);
  co_return record;
}

async::task<base::result<task_state>> to_task(async::task<base::result<std::string>> answer, const char* what) {
  const auto got = co_await std::move(answer);
  if (!got && got.error().code == std::errc::no_such_file_or_directory) co_return task_state::ended;
  co_return parsed(got, parse_task, what);
}

}  // namespace

containerd_client::containerd_client(const async::executor& where, std::filesystem::path socket,
                                     std::chrono::milliseconds deadline)
    : deadline_(deadline), engine_(where, std::move(socket), deadline) {}

void containerd_client::subscribe() { events_ = std::make_unique<event_stream>(engine_); }

async::task<base::result<event_batch>> containerd_client::next_events() { return events_->next(); }

grpc_question containerd_client::send(const char* method, std::string name_space, std::string request, int patience) {
  grpc_request asked{std::string("/containerd.services.") + method, std::move(name_space), std::move(request)};
  return engine_.send(std::move(asked), patience * deadline_);
}

async::task<base::result<std::string>> containerd_client::ask(const char* method, std::string name_space,
                                                              std::string request, const char* what, int patience) {
  return named(grpc_connection::answer(send(method, std::move(name_space), std::move(request), patience)), what);
}

async::task<base::result<std::vector<std::string>>> containerd_client::list_namespaces() {
  constexpr const char* what = "list of namespaces";
  const auto answer = co_await ask("namespaces.v1.Namespaces/List", "", "", what);
  co_return parsed(answer, parse_namespaces, what);
}

async::task<base::result<std::vector<container_record>>> containerd_client::list_containers(std::string name_space) {
  constexpr const char* what = "list of containers";
  auto answer = ask("containers.v1.Containers/List", std::move(name_space), make_filters(container_filters), what);
  co_return co_await parsed_in_slices(std::move(answer), parse_containers, what);
}

async::task<base::result<std::map<std::string, task_state>>> containerd_client::list_tasks(std::string name_space) {
  constexpr const char* what = "list of tasks";
  auto answer = ask("tasks.v1.Tasks/List", std::move(name_space), "", what, 6);
  co_return co_await parsed_in_slices(std::move(answer), parse_tasks, what);
}

async::task<base::result<container_record>> containerd_client::get_container(std::string name_space, std::string id) {
  constexpr const char* what = "container";
  auto answer = ask("containers.v1.Containers/Get", std::move(name_space), make_id(id), what);
  return to_container(std::move(answer), std::move(id), what);
}

async::task<base::result<task_state>> containerd_client::get_task(std::string name_space, std::string id) {
  constexpr const char* what = "task";
  return to_task(ask("tasks.v1.Tasks/Get", std::move(name_space), make_id(id), what), what);
}

}  // namespace containerd
