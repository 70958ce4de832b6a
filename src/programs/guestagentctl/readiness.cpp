#include "programs/guestagentctl/readiness.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <vector>

#include "net/address.hpp"
#include "net/endpoint.hpp"
#include "programs/guestagentctl/explain.hpp"
#include "programs/guestagentctl/explanation.hpp"
#include "programs/guestagentctl/port_text.hpp"
#include "protocols/status_document/document.hpp"

namespace guestagentctl {
namespace {

using status_document::document;
using status_document::port;

std::string subject(const port& p) {
  return fmt::format("{} {} of {}", p.protocol, host_of({&p}), owner_text(p.owner, p.name));
}

bool is_open_everywhere(const port* p) { return !p->peers.empty() && std::ranges::all_of(p->peers, is_open); }

// UDP has no connection that would show it.
std::vector<net::endpoint> places_inside(const std::vector<const port*>& exposed) {
  std::vector<net::endpoint> places;
  for (const auto* p : exposed)
    if (const auto ip = net::address::parse(p->guest_address); ip && p->protocol == "tcp")
      places.push_back({*ip, p->guest_port.value_or(p->number)});
  return places;
}

judgement judge_exposed(const std::vector<const port*>& exposed) {
  judgement opening;
  for (const auto* p : exposed) {
    for (const auto& at : p->peers) {
      if (is_open(at)) continue;
      const auto reason = at.reason.empty() ? "" : ": " + at.reason;
      opening.text = fmt::format("{}: {} at {}{}", subject(*p), at.state, at.name, reason);
      if (at.state == "conflict") return {readiness::conflict, opening.text};
    }
    if (p->peers.empty()) opening.text = subject(*p) + ": no peer has to open it";
  }
  if (!std::ranges::all_of(exposed, is_open_everywhere)) return opening;
  return {readiness::open, subject(*exposed.front()), places_inside(exposed)};
}

// The number may be the one inside the VM, of a port that has another one on the host.
judgement judge_absent(const document& shown, const question& asked) {
  for (const auto& p : shown.ports)
    if (p.guest_port && p.guest_port == asked.port && p.protocol == asked.protocol && p.decision == "exposed")
      return {readiness::left_out,
              fmt::format("{} has the port {} inside the VM: a port rule gives it the port {} on the host", subject(p),
                          *p.guest_port, p.number)};
  const auto silent = silent_sources(shown);
  return {readiness::opening,
          silent.empty() ? "no source publishes it" : "not published, as far as is known; " + silent};
}

}  // namespace

// A port that is covered is as open as the wildcard, which has the same number.
judgement judge(const document& shown, const question& asked) {
  std::vector<const port*> exposed;
  const port* kept_out = nullptr;
  for (const auto& p : shown.ports) {
    if (p.number != asked.port || p.protocol != asked.protocol) continue;
    if (p.decision == "exposed")
      exposed.push_back(&p);
    else if (p.decision != status_document::leftover_decision && p.decision != "covered")
      kept_out = &p;
  }
  if (!exposed.empty()) return judge_exposed(exposed);
  if (kept_out == nullptr) return judge_absent(shown, asked);
  return {readiness::left_out, fmt::format("{} is not opened: it is {}{}", subject(*kept_out), kept_out->decision,
                                           kept_out->reason.empty() ? "" : ": " + kept_out->reason)};
}

}  // namespace guestagentctl
