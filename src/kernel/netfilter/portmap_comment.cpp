#include "kernel/netfilter/portmap_comment.hpp"

#include <optional>
#include <string_view>

namespace netfilter {

std::optional<portmap_comment> read_portmap_comment(std::string_view comment) {
  constexpr std::string_view mark = "id: \"";
  const auto at = comment.rfind(mark);  // the network's name before it may contain the mark
  if (at == std::string_view::npos) return std::nullopt;
  const auto id = comment.substr(at + mark.size());
  const auto quote = id.find('"');
  return portmap_comment{id.substr(0, quote), quote != std::string_view::npos};
}

}  // namespace netfilter
