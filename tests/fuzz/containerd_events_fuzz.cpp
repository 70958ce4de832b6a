// Event payloads, of a topic that the first byte chooses: what is understood names a container that can be.
#include <cstdint>
#include <cstdlib>
#include <iterator>

#include "sources/containerd/event_codec.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::string_view topics[] = {"/tasks/start", "/tasks/exit",   "/containers/update",
                                         "/tasks/oom",   "/tasks/delete", "/containers/delete"};
  if (size == 0) return 0;
  const std::string_view payload(reinterpret_cast<const char*>(data) + 1, size - 1);
  const auto event = containerd::parse_event("default", topics[data[0] % std::size(topics)], payload);
  if (event && *event && !containerd::is_identifier((*event)->container_id)) std::abort();
  return 0;
}
