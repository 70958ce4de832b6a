// portmap_comment: the container that a rule of CNI's portmap plugin belongs to, by its comment. Pure.
//
//   dnat name: "bridge" id: "default-web"
//
// The plugin cuts a long comment: the id is then incomplete.
#pragma once

#include <optional>
#include <string_view>

namespace netfilter {

struct portmap_comment {
  std::string_view id;    // of the container, part of the text that was read
  bool complete = false;  // the id has its closing quote
};

// Nothing if the comment is not of that kind.
[[nodiscard]] std::optional<portmap_comment> read_portmap_comment(std::string_view comment);

}  // namespace netfilter
