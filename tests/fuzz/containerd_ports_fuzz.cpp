// Labels of ports and texts of network-config.json: whatever they say, every binding is one that can be.
#include <cstdint>
#include <cstdlib>

#include "sources/containerd/ports_codec.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const containerd::container_record by_label{"abc", {{"nerdctl/ports", text}, {"nerdctl/name", text}}};
  const containerd::container_record by_file{"abc", {{"nerdctl/state-dir", text}}};
  for (const auto& c : {containerd::describe_container("default", by_label, std::nullopt),
                        containerd::describe_container("k8s.io", by_file, std::optional(text))}) {
    if (c.refusals.size() > 16) std::abort();
    for (const auto& b : c.bindings)
      if (b.host_port == 0 || b.container_port == 0 || b.owner != c.id) std::abort();
  }
  return 0;
}
