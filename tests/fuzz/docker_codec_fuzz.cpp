// Answers and events of the Docker engine. For any bytes: ports are ports, ids are ids, and lists are bounded.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "json/stream_splitter.hpp"
#include "sources/docker/docker_codec.hpp"
#include "sources/docker/swarm_codec.hpp"

namespace {

void check(const engine::container& c) {
  if (!docker::is_id(docker::parse_service_id(c.id.str()).value_or(c.id.str())) || c.refusals.size() > 16) std::abort();
  for (const auto& b : c.bindings)
    if (b.host_port == 0 || b.container_port == 0 || b.owner != c.id) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (const auto list = docker::parse_list(bytes))
    for (const auto& c : list->running) check(c);
  static_cast<void>(docker::parse_swarm_role(bytes));
  if (const auto services = docker::parse_services(bytes))
    for (const auto& c : services->running) check(c);
  if (const auto service = docker::parse_service(bytes)) check(*service);
  if (const auto inspected = docker::parse_inspect(bytes); inspected && *inspected) check(**inspected);
  static_cast<void>(docker::choose_version(bytes));
  json::stream_splitter splitter({.bytes = 4096});
  static_cast<void>(splitter.feed(bytes));
  while (const auto object = splitter.next()) {
    const auto e = docker::parse_event(*object);
    const bool named = e && e->what != docker::action::other && e->what != docker::action::networks_changed;
    if (named && !docker::is_id(e->id)) std::abort();
  }
  return 0;
}
