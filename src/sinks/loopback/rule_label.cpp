#include "sinks/loopback/rule_label.hpp"

#include <cstddef>
#include <string_view>

#include "base/plain_name.hpp"

namespace loopback {
namespace {

constexpr std::size_t longest_id = 200;

}  // namespace

bool is_plain_id(std::string_view text) { return base::is_plain_name(text, longest_id, "/"); }

std::string_view label_of(std::string_view owner) {
  if (owner.empty()) return listener_label;
  return is_plain_id(owner) ? owner : unnamed_label;
}

}  // namespace loopback
