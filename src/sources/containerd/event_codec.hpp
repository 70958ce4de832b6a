// event_codec: containerd's event payloads as values. Pure and total.
#pragma once

#include <optional>
#include <string_view>

#include "base/result.hpp"
#include "sources/containerd/records.hpp"

namespace containerd {

// The topics that matter, as filters of Events.Subscribe. A shim that ends soon after its task may lose /tasks/exit or
// /tasks/delete or both; /containers/delete comes from containerd itself. A removal may come late, when the container
// runs again: it is a reason to ask, not an end.
inline constexpr std::string_view event_filters[] = {R"(topic=="/tasks/start")", R"(topic=="/tasks/exit")",
                                                     R"(topic=="/tasks/delete")", R"(topic=="/containers/update")",
                                                     R"(topic=="/containers/delete")"};

// One event: its envelope's namespace and topic, and its payload's bytes. Nothing for another topic, and for the end of
// a process other than a container's first one. Fails on damaged bytes, and on names that containerd does not allow.
[[nodiscard]] base::result<std::optional<engine_event>> parse_event(std::string_view name_space, std::string_view topic,
                                                                    std::string_view payload);

// containerd's rule for namespaces and ids: 1 to 76 of [A-Za-z0-9_.-].
[[nodiscard]] bool is_identifier(std::string_view text);

}  // namespace containerd
