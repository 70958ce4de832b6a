#include "programs/guestagentctl/listing.hpp"

#include <fmt/format.h>

#include "base/text.hpp"
#include "programs/guestagentctl/text_table.hpp"

namespace guestagentctl {
namespace {

const json::array& array_of(const json::value& v, std::string_view name) {
  static const json::array none;
  const auto* found = json::find_array(v, name);
  return found == nullptr ? none : *found;
}

std::string text_of(const json::value& v, std::string_view name) {
  return std::string(json::find_string(v, name).value_or(""));
}

std::string number_of(const json::value& v, std::string_view name) {
  const auto number = json::find_integer(v, name);
  return number ? std::to_string(*number) : "-";
}

// 64 hex digits are a container's id, which people know by its first twelve.
std::string owner_of(const json::value& port) {
  auto name = text_of(port, "name");
  if (!name.empty()) return name;
  auto id = text_of(port, "owner");
  return id.size() == 64 ? id.substr(0, 12) : id;
}

std::string host_of(const json::value& port) {
  const auto address = text_of(port, "address");
  const bool v6 = address.find(':') != std::string::npos;
  return (v6 ? "[" + address + "]" : address) + ":" + number_of(port, "port");
}

std::string retry_of(const json::value& v) {
  const auto milliseconds = json::find_integer(v, "retry_in_ms");
  return milliseconds ? fmt::format(", retrying in {:.1f} s", static_cast<double>(*milliseconds) / 1000.0)
                      : std::string();
}

void append_note(std::string& notes, const std::string& note) {
  if (!notes.empty()) notes += "; ";
  notes += note;
}

std::vector<std::string> port_row(const json::value& port, const std::vector<std::string>& peer_names) {
  std::vector<std::string> row{text_of(port, "protocol"), host_of(port), number_of(port, "container_port"),
                               text_of(port, "source"), owner_of(port)};
  const auto decision = text_of(port, "decision");
  std::string since, notes = text_of(port, "reason");
  for (const auto& name : peer_names) {
    std::string state = decision == "exposed" || decision == "leftover" ? "-" : decision;
    for (const auto& peer : array_of(port, "peers")) {
      if (text_of(peer, "name") != name) continue;
      state = text_of(peer, "state");
      since = std::max(since, text_of(peer, "since"));
      const auto reason = text_of(peer, "reason");
      if (!reason.empty()) append_note(notes, fmt::format("{}: {}{}", name, reason, retry_of(peer)));
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

std::string list_ports(const json::value& document) {
  std::vector<std::string> header{"PROTOCOL", "HOST", "CONTAINER", "SOURCE", "OWNER"}, peer_names;
  for (const auto& peer : array_of(document, "peers")) {
    peer_names.push_back(text_of(peer, "name"));
    header.push_back(upper(peer_names.back()));
  }
  header.insert(header.end(), {"SINCE", "NOTE"});
  text_table table(header);
  for (const auto& port : array_of(document, "ports")) table.add(port_row(port, peer_names));
  return table.render();
}

std::string list_status(const json::value& document) {
  std::string text =
      fmt::format("agent {} in {} mode, up since {}\n\n", base::printable(text_of(document, "version")),
                  base::printable(text_of(document, "mode")), base::printable(text_of(document, "started")));
  text_table sources({"SOURCE", "STATE", "BINDINGS", "NOTE"});
  text_table refusals({"SOURCE", "OWNER", "REFUSED", "WHY"});
  bool refused = false;
  for (const auto& source : array_of(document, "sources")) {
    sources.add(
        {text_of(source, "name"), text_of(source, "state"), number_of(source, "bindings"), text_of(source, "reason")});
    for (const auto& r : array_of(source, "refusals")) {
      refused = true;
      refusals.add({text_of(source, "name"), text_of(r, "owner"), text_of(r, "what"), text_of(r, "why")});
    }
  }
  text_table peers({"PEER", "STATE", "APPLIED", "NOTE"});
  for (const auto& peer : array_of(document, "peers"))
    peers.add({text_of(peer, "name"), text_of(peer, "state"), number_of(peer, "applied"),
               text_of(peer, "reason") + retry_of(peer)});
  text += sources.render() + "\n" + peers.render();
  if (refused) text += "\n" + refusals.render();
  return text;
}

}  // namespace guestagentctl
