#include "programs/guestagentctl/listing.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/text.hpp"
#include "programs/guestagentctl/text_table.hpp"
#include "protocols/status_document/document.hpp"

namespace guestagentctl {
namespace {

// 64 hex digits are a container's id; its first twelve identify it.
std::string owner_of(const status_document::port& port) {
  if (!port.name.empty()) return port.name;
  return port.owner.size() == 64 ? port.owner.substr(0, 12) : port.owner;
}

std::string host_of(const status_document::port& port) {
  const bool v6 = port.address.find(':') != std::string::npos;
  return fmt::format("{}{}{}:{}", v6 ? "[" : "", port.address, v6 ? "]" : "", port.number);
}

std::string retry_of(std::optional<std::int64_t> milliseconds) {
  return milliseconds ? fmt::format(", retrying in {:.1f} s", static_cast<double>(*milliseconds) / 1000.0)
                      : std::string();
}

void append_note(std::string& notes, const std::string& note) {
  if (!notes.empty()) notes += "; ";
  notes += note;
}

std::vector<std::string> port_row(const status_document::port& port, const std::vector<status_document::peer>& peers) {
  const bool open = port.decision == "exposed" || port.decision == status_document::leftover_decision;
  std::vector<std::string> row{port.protocol, host_of(port),
                               port.container_port ? std::to_string(*port.container_port) : "-", port.source,
                               owner_of(port)};
  std::string since, notes = port.reason;
  for (const auto& peer : peers) {
    std::string state = open ? "-" : port.decision;
    for (const auto& at : port.peers) {
      if (at.name != peer.name) continue;
      state = at.state;
      since = std::max(since, at.since);
      if (!at.reason.empty()) append_note(notes, fmt::format("{}: {}{}", at.name, at.reason, retry_of(at.retry_in_ms)));
    }
    row.push_back(state);
  }
  row.push_back(since.empty() ? "-" : since);
  row.push_back(notes);
  return row;
}

std::string upper(std::string text) {
  for (char& c : text)
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  return text;
}

}  // namespace

std::string list_ports(const status_document::document& shown) {
  std::vector<std::string> header{"PROTOCOL", "HOST", "CONTAINER", "SOURCE", "OWNER"};
  for (const auto& peer : shown.peers) header.push_back(upper(peer.name));
  header.insert(header.end(), {"SINCE", "NOTE"});
  text_table table(header);
  for (const auto& port : shown.ports) table.add(port_row(port, shown.peers));
  return table.render();
}

std::string list_status(const status_document::document& shown) {
  text_table sources({"SOURCE", "STATE", "BINDINGS", "NOTE"});
  text_table refusals({"SOURCE", "OWNER", "REFUSED", "WHY"});
  bool refused = false;
  for (const auto& source : shown.sources) {
    sources.add({source.name, source.state, std::to_string(source.bindings), source.reason});
    for (const auto& r : source.refusals) refusals.add({source.name, r.owner, r.what, r.why});
    refused = refused || !source.refusals.empty();
  }
  text_table peers({"PEER", "STATE", "APPLIED", "NOTE"});
  for (const auto& peer : shown.peers)
    peers.add({peer.name, peer.state, std::to_string(peer.applied), peer.reason + retry_of(peer.retry_in_ms)});
  auto text = fmt::format("agent {} in {} mode, up since {}\n\n", base::printable(shown.version),
                          base::printable(shown.mode), base::printable(shown.started));
  text += sources.render() + "\n" + peers.render();
  if (refused) text += "\n" + refusals.render();
  return text;
}

}  // namespace guestagentctl
