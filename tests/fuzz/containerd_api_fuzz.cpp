// Answers of containerd's API: names that come out are names that containerd allows, and an envelope's parts lie within
// its message.
#include <cstdint>
#include <cstdlib>

#include "sources/containerd/api_codec.hpp"
#include "sources/containerd/event_codec.hpp"

namespace {

void check(bool holds) {
  if (!holds) std::abort();
}

void check_within(std::string_view part, std::string_view whole) {
  check(part.empty() || (part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size()));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view message(reinterpret_cast<const char*>(data), size);
  if (const auto names = containerd::parse_namespaces(message))
    for (const auto& name : *names) check(containerd::is_identifier(name));
  if (const auto records = containerd::parse_containers(message))
    for (const auto& record : *records) check(containerd::is_identifier(record.id));
  // Each of them reads the same field.
  check(containerd::parse_container(message).has_value() || !containerd::parse_containers(message));
  std::string_view rest = message;
  while (!rest.empty()) {
    const auto before = rest.size();
    const auto part = containerd::take_fields(rest, 3);
    if (!part) break;
    check_within(*part, message);
    check(!part->empty() && part->size() + rest.size() == before);
  }
  if (const auto tasks = containerd::parse_tasks(message)) check(containerd::parse_task(message).has_value());
  if (const auto parts = containerd::parse_envelope(message))
    for (const auto part : {parts->name_space, parts->topic, parts->payload}) check_within(part, message);
  return 0;
}
