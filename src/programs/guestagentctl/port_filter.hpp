// port_filter: which ports `ports` lists. Pure.
#pragma once

#include <string>

#include "protocols/status_document/document.hpp"

namespace guestagentctl {

struct port_filter {
  std::string source{};  // one that claims the port; empty: any
  std::string state{};   // at a peer, or the decision; empty: any
  std::string name{};    // of an owner: a pattern with * ? [ ] for the whole name, or a part of the name or id
  bool all = false;      // also those that a port rule leaves out; each port in a line of its own
  bool operator==(const port_filter&) const = default;
};

[[nodiscard]] bool passes(const port_filter& filter, const status_document::port& port);
// A port rule leaves it out, and the filter asks neither for all ports nor for this state.
[[nodiscard]] bool is_hidden(const port_filter& filter, const status_document::port& port);

}  // namespace guestagentctl
