// port_text: what the listing, the explanation and the events say about a port in the same words. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "protocols/status_document/document.hpp"

namespace guestagentctl {

// Ports that follow each other and differ in nothing but their numbers: one line, 30000-30009.
struct port_range {
  const status_document::port* first = nullptr;
  std::size_t count = 1;
};
// Ports of the document's order. Their numbers on the host, inside the VM and in the container go up together. Times
// are not compared.
[[nodiscard]] std::vector<port_range> fold(const std::vector<const status_document::port*>& ports);
[[nodiscard]] std::vector<port_range> unfolded(const std::vector<const status_document::port*>& ports);

[[nodiscard]] std::string numbers(std::uint16_t first, std::size_t count);  // "80", "80-89"
[[nodiscard]] std::string host_of(const port_range& range);                 // "0.0.0.0:80-89", "[::1]:80"

// The decision lets peers open it, or did so before.
[[nodiscard]] bool is_for_peers(const status_document::port& port);
// The peer holds it: its state is applied or foreign.
[[nodiscard]] bool is_open(const status_document::peer_port& at);

// 64 hex digits are a container's id; its first twelve identify it.
[[nodiscard]] std::string short_id(const std::string& owner);
// The name, or the id where there is none.
[[nodiscard]] std::string owner_text(const std::string& owner, const std::string& name);
// ", retrying in 1.5 s"; empty without a time.
[[nodiscard]] std::string retry_text(std::optional<std::int64_t> milliseconds);

}  // namespace guestagentctl
