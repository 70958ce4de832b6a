// ports_codec: the ports of nerdctl's containers, as nerdctl notes them on the container. Pure and total. An invalid
// port is refused alone, with the reason; its neighbours are published.
//
//   label nerdctl/ports         [{"HostPort":8080,"ContainerPort":80,"Protocol":"tcp","HostIP":"127.0.0.1"}]
//   label nerdctl/state-dir     the directory with network-config.json (nerdctl 2): {"portMappings":[… the same …]}
//   label nerdctl/name          the display name
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "sources/containerd/records.hpp"
#include "sources/engine/container.hpp"

namespace containerd {

inline constexpr std::string_view ports_label = "nerdctl/ports";
inline constexpr std::string_view state_directory_label = "nerdctl/state-dir";
inline constexpr std::string_view name_label = "nerdctl/name";

// Filters of List: the containers that may have ports.
inline constexpr std::string_view container_filters[] = {R"(labels."nerdctl/ports")", R"(labels."nerdctl/state-dir")"};

// "default/0123…": the id of a container across all namespaces.
[[nodiscard]] std::string global_id(std::string_view name_space, std::string_view id);
struct local_id {
  std::string name_space, id;
};
// The reverse; the namespace is empty if the id has none.
[[nodiscard]] local_id split_global_id(std::string_view global);

// The directory of network-config.json, for a container without a label of ports.
[[nodiscard]] std::optional<std::string_view> state_directory(const container_record& c);

// Whether the text of the file is complete; while nerdctl writes it, it is not.
[[nodiscard]] bool is_network_config(std::string_view text);

// The container with the ports of its label, or else of `network_config`, the text of the file. An error in place of
// the text becomes a refusal.
[[nodiscard]] engine::container describe_container(std::string_view name_space, const container_record& c,
                                                   const base::result<std::optional<std::string>>& network_config);

}  // namespace containerd
