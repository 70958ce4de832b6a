#include "sinks/port_mapping/port_mapping_sink.hpp"

#include <algorithm>
#include <utility>

#include "base/log.hpp"
#include "io/timeout.hpp"
#include "portmapping/message_codec.hpp"

namespace port_mapping {
namespace {

constexpr std::size_t bindings_per_message = 4'096;  // half a megabyte at most
constexpr std::chrono::milliseconds poll{1'000};     // where no event is to be had

std::optional<io::file_watch> watch_for(const io::executor& where, const peer_address& peer) {
  const auto* path = std::get_if<std::filesystem::path>(&peer);
  if (path == nullptr) return std::nullopt;
  auto watch = io::file_watch::open(where, *path);
  if (watch) return std::move(*watch);
  base::log::warn("port-mapping", "no inotify, polling socket={} reason={}", path->string(), watch.error().message());
  return std::nullopt;
}

portmapping::binding binding_of(const ports::forward& f) {
  const auto container_port = f.container_port == 0 ? f.key.port : f.container_port;
  return {f.key.protocol, container_port, {f.key.address, f.key.port}};
}

}  // namespace

port_mapping_sink::port_mapping_sink(io::executor where, port_mapping_options options)
    : where_(std::move(where)), options_(std::move(options)), watch_(watch_for(where_, options_.peer)) {}

ports::sink_traits port_mapping_sink::traits() const {
  return {.workers = 1, .batch = bindings_per_message, .shared = false, .announces_return = is_unix()};
}

base::result<std::string> port_mapping_sink::identity() const {
  const auto* path = std::get_if<std::filesystem::path>(&options_.peer);
  if (path == nullptr) return "connection " + std::to_string(recoveries_);
  const auto file = io::identify(*path);
  if (!file) return base::fail(std::errc::no_such_file_or_directory, path->string());
  std::error_code ignored;
  if (!std::filesystem::is_socket(*path, ignored)) return base::fail(std::errc::not_a_socket, path->string());
  return std::to_string(file->device) + ":" + std::to_string(file->inode) + ":" + std::to_string(file->changed_ns);
}

io::task<base::result<ports::peer_state>> port_mapping_sink::list() {
  listed_.clear();
  auto now = identity();
  if (now && doubted_ == *now) {
    if (auto alive = co_await probe(options_.peer, options_.deadline); !alive) co_return std::unexpected(alive.error());
    ++recoveries_;
    now = identity();
  }
  if (!now) co_return std::unexpected(now.error());
  doubted_.clear();
  listed_ = *now;
  co_return ports::peer_state{.identity = *now, .complete = false, .held = {}};
}

// One message for each bindings_per_message operations of this kind. Outcomes are `done` until told otherwise here.
io::task<base::result<>> port_mapping_sink::send_all(const std::vector<ports::operation>& batch, ports::verb what,
                                                     std::vector<ports::outcome>& outcomes) {
  for (std::size_t at = 0; at < batch.size();) {
    portmapping::message m{
        .remove = what == ports::verb::remove, .bindings = {}, .connect_addresses = options_.connect_addresses};
    std::vector<std::size_t> carried;
    for (; at < batch.size() && carried.size() < bindings_per_message; ++at) {
      if (batch[at].what != what) continue;
      m.bindings.push_back(binding_of(batch[at].target));
      carried.push_back(at);
    }
    if (carried.empty()) break;
    auto sent = co_await send(options_.peer, portmapping::encode(m), options_.deadline);
    if (!sent) co_return sent;
    for (const auto index : carried) outcomes[index] = {ports::outcome_kind::done, {}};
  }
  co_return base::result<>{};
}

io::task<std::vector<ports::outcome>> port_mapping_sink::apply(std::vector<ports::operation> batch) {
  std::vector<ports::outcome> outcomes(batch.size(), {ports::outcome_kind::unknown, {}});
  auto sent = co_await send_all(batch, ports::verb::remove, outcomes);
  if (sent) sent = co_await send_all(batch, ports::verb::add, outcomes);
  if (sent) co_return outcomes;
  doubted_ = identity().value_or("");
  for (auto& o : outcomes)
    if (o.kind == ports::outcome_kind::unknown) o.reason = sent.error().message();
  co_return outcomes;
}

// Whatever wakes it, it is the identity that tells; so a doubled or a lost event does no harm. A peer that went on
// living but took no message gives no event when it takes them again.
io::task<> port_mapping_sink::changed() {
  while (true) {
    const std::chrono::milliseconds limit =
        watch_ && doubted_.empty() ? options_.resync : std::min(options_.resync, poll);
    if (watch_)
      static_cast<void>(co_await io::within(limit, watch_->changed()));
    else
      co_await io::sleep_for(limit);
    if (identity().value_or("") != listed_) co_return;
  }
}

io::task<> port_mapping_sink::close() { co_return; }

}  // namespace port_mapping
