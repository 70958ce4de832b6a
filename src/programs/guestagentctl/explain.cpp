#include "programs/guestagentctl/explain.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "base/text.hpp"
#include "programs/guestagentctl/explain_name.hpp"
#include "programs/guestagentctl/explanation.hpp"
#include "programs/guestagentctl/port_text.hpp"
#include "protocols/status_document/document.hpp"

namespace guestagentctl {
namespace {

using status_document::document;
using status_document::port;

constexpr std::size_t longest_port = 5;  // digits
constexpr int most_hints = 5;

bool is_number(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

// Ids may begin with a zero, ports do not.
bool is_id(std::string_view digits) {
  return digits.size() > longest_port || (digits.size() > 1 && digits.front() == '0');
}

bool is_protocol(std::string_view text) { return text == "tcp" || text == "udp" || text == "sctp"; }

bool fits(const question& asked, std::string_view protocol) {
  return asked.protocol.empty() || asked.protocol == protocol;
}

// Ports are asked for as the host has them, and as the VM has them.
bool is_asked(const port& p, const question& asked) {
  return fits(asked, p.protocol) && (p.number == asked.port || p.guest_port == asked.port);
}

// "53/udp", "0.0.0.0:53/udp"
bool is_asked(const status_document::refusal& r, const question& asked) {
  const auto slash = r.what.rfind('/');
  if (slash == std::string::npos || !fits(asked, std::string_view(r.what).substr(slash + 1))) return false;
  const auto address = std::string_view(r.what).substr(0, slash);
  const auto colon = address.rfind(':');
  return base::parse_port(address.substr(colon == std::string_view::npos ? 0 : colon + 1)) == asked.port;
}

std::string to_text(const question& asked) {
  return fmt::format("{}{}{}", asked.port.value_or(0), asked.protocol.empty() ? "" : "/", asked.protocol);
}

// The number may be that of a container's port.
void add_container_ports(explanation& to, const document& shown, const question& asked) {
  int hints = 0;
  for (const auto& p : shown.ports) {
    if (p.container_port != asked.port || !fits(asked, p.protocol) || hints++ >= most_hints) continue;
    to.row("see", fmt::format("{} {}, which leads to port {} of {}", p.protocol, host_of({&p}), asked.port.value_or(0),
                              owner_text(p.owner, p.name)));
  }
}

void add_unknown_port(explanation& to, const document& shown, const question& asked) {
  const auto silent = silent_sources(shown);
  to.subject(silent.empty()
                 ? fmt::format("{} is not published, and no server is seen that listens on it", to_text(asked))
                 : fmt::format("{}: not known, {}; no other source publishes it", to_text(asked), silent));
  to.add_silent_sources(shown);
  to.add_unnamed(shown);
  if (std::ranges::find(shown.sources, "listeners", &status_document::source::name) == shown.sources.end())
    to.row("listeners", "off: servers that listen without an engine are not looked for (-listeners)");
  add_container_ports(to, shown, asked);
  to.row("to change", silent.empty() ? "publish the port of a container, or start the server that is to listen on it"
                                     : "make the source readable: its reason says what is missing");
}

std::string explain_port(const document& shown, const question& asked) {
  explanation e;
  for (const auto& p : shown.ports)
    if (is_asked(p, asked)) e.add_ports({&p});
  for (const auto& s : shown.sources)
    for (const auto& r : s.refusals)
      if (is_asked(r, asked)) e.add_refusal(s, r);
  if (e.empty())
    add_unknown_port(e, shown, asked);
  else
    e.add_doubt(shown);
  return e.take();
}

}  // namespace

base::result<question> parse_question(std::string_view text) {
  const auto slash = text.find('/');
  const auto number = text.substr(0, slash);
  const bool whole = slash == std::string_view::npos;
  if (text.empty()) return base::fail("expected a port or a name");
  if (!is_number(number) || (whole && is_id(number))) return question{.name{text}};
  const auto port = base::parse_port(number);
  if (!port) return base::fail("not a port: " + base::printable(number));
  const auto protocol = whole ? std::string_view() : text.substr(slash + 1);
  if (!whole && !is_protocol(protocol)) return base::fail("not tcp, udp or sctp: " + base::printable(protocol));
  return question{.port = port, .protocol{protocol}};
}

std::string explain(const document& shown, const question& asked) {
  return asked.port ? explain_port(shown, asked) : explain_name(shown, asked.name);
}

}  // namespace guestagentctl
