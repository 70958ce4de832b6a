#include "programs/guestagentctl/port_filter.hpp"

#include <fnmatch.h>

#include <algorithm>
#include <string>

#include "protocols/status_document/document.hpp"

namespace guestagentctl {
namespace {

constexpr auto left_out = "ignored";

bool has_source(const status_document::port& port, const std::string& source) {
  return port.source == source || std::ranges::any_of(port.claims, [&](const auto& c) { return c.source == source; });
}

bool has_state(const status_document::port& port, const std::string& state) {
  return port.decision == state || std::ranges::any_of(port.peers, [&](const auto& at) { return at.state == state; });
}

bool fits(const std::string& pattern, const std::string& owner, const std::string& name) {
  if (pattern.find_first_of("*?[") == std::string::npos)
    return name.find(pattern) != std::string::npos || owner.find(pattern) != std::string::npos;
  return ::fnmatch(pattern.c_str(), name.c_str(), 0) == 0 || ::fnmatch(pattern.c_str(), owner.c_str(), 0) == 0;
}

bool has_name(const status_document::port& port, const std::string& pattern) {
  return fits(pattern, port.owner, port.name) ||
         std::ranges::any_of(port.claims, [&](const auto& c) { return fits(pattern, c.owner, c.name); });
}

}  // namespace

bool passes(const port_filter& filter, const status_document::port& port) {
  return (filter.source.empty() || has_source(port, filter.source)) &&
         (filter.state.empty() || has_state(port, filter.state)) &&
         (filter.name.empty() || has_name(port, filter.name));
}

bool is_hidden(const port_filter& filter, const status_document::port& port) {
  return port.decision == left_out && !filter.all && filter.state != left_out;
}

}  // namespace guestagentctl
