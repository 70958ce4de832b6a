#include "programs/guestagentctl/listing.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <string>
#include <vector>

#include "base/text.hpp"
#include "programs/guestagentctl/port_filter.hpp"
#include "programs/guestagentctl/port_text.hpp"
#include "programs/guestagentctl/text_table.hpp"
#include "protocols/status_document/document.hpp"

namespace guestagentctl {
namespace {

constexpr std::size_t longest_trouble = 1'000;

void append_note(std::string& notes, const std::string& note) {
  if (!notes.empty()) notes += "; ";
  notes += note;
}

// Why it is as it is, beside what the peers say.
std::string note_on(const status_document::port& port, std::size_t count) {
  std::string notes = port.reason;
  if (port.guest_port) append_note(notes, "port " + numbers(*port.guest_port, count) + " in the VM");
  if (!port.rule.empty() && port.rule != port.reason) append_note(notes, port.rule);  // "rule 3 (line 12): why"
  return notes;
}

std::vector<std::string> port_row(const port_range& range, const std::vector<status_document::peer>& peers) {
  const auto& port = *range.first;
  std::vector<std::string> row{port.protocol, host_of(range),
                               port.container_port ? numbers(*port.container_port, range.count) : "-", port.source,
                               owner_text(port.owner, port.name)};
  std::string since, notes = note_on(port, range.count);
  for (const auto& peer : peers) {
    std::string state = is_for_peers(port) ? "-" : port.decision;
    for (const auto& at : port.peers) {
      if (at.name != peer.name) continue;
      state = at.state;
      since = std::max(since, at.since);
      if (!at.reason.empty())
        append_note(notes, fmt::format("{}: {}{}", at.name, at.reason, retry_text(at.retry_in_ms)));
    }
    row.push_back(state);
  }
  row.push_back(since.empty() ? "-" : since);
  row.push_back(notes);
  return row;
}

std::string note_on_hidden(std::size_t count) {
  if (count == 0) return "";
  return fmt::format("{} port{} left out by rules; --all shows {}\n", count, count == 1 ? " is" : "s are",
                     count == 1 ? "it" : "them");
}

std::string upper(std::string text) {
  for (char& c : text)
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  return text;
}

}  // namespace

std::string list_ports(const status_document::document& shown, const port_filter& filter) {
  std::vector<std::string> header{"PROTOCOL", "HOST", "CONTAINER", "SOURCE", "OWNER"};
  for (const auto& peer : shown.peers) header.push_back(upper(peer.name));
  header.insert(header.end(), {"SINCE", "NOTE"});
  text_table table(header);
  std::vector<const status_document::port*> listed;
  std::size_t hidden = 0;
  for (const auto& port : shown.ports) {
    if (!passes(filter, port)) continue;
    if (is_hidden(filter, port))
      ++hidden;
    else
      listed.push_back(&port);
  }
  for (const auto& range : filter.all ? unfolded(listed) : fold(listed)) table.add(port_row(range, shown.peers));
  return table.render() + note_on_hidden(hidden);
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
    peers.add({peer.name, peer.state, std::to_string(peer.applied), peer.reason + retry_text(peer.retry_in_ms)});
  auto text = fmt::format("agent {} in {} mode, up since {}\n\n", base::printable(shown.version),
                          base::printable(shown.mode), base::printable(shown.started));
  if (!shown.rules_trouble.empty())
    text += fmt::format("the port rules are older than their file, which is refused: {}\n\n",
                        base::printable(shown.rules_trouble, longest_trouble));
  text += sources.render() + "\n" + peers.render();
  if (refused) text += "\n" + refusals.render();
  return text;
}

}  // namespace guestagentctl
