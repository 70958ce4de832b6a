#include "programs/guestagentctl/explanation.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "base/text.hpp"
#include "programs/guestagentctl/advice.hpp"
#include "programs/guestagentctl/port_text.hpp"
#include "protocols/status_document/document.hpp"

namespace guestagentctl {
namespace {

using status_document::claim;
using status_document::peer_port;
using status_document::port;

constexpr std::size_t longest_text = 1'000;
constexpr std::size_t most_unnamed = 8;  // rows

// Their protocols have no answers.
bool answers_nothing(std::string_view peer) { return peer == "wsl-proxy" || peer == "privileged-service"; }

bool is_leftover(const port& p) { return p.decision == status_document::leftover_decision; }

std::string verdict_of(const port& p) {
  if (is_leftover(p)) return "is " + (p.reason.empty() ? "no longer published, and may still be open" : p.reason);
  if (p.decision != "exposed") return p.decision.empty() ? "is not open" : "is not opened: it is " + p.decision;
  if (p.peers.empty()) return "is published; no peer has to open it";
  if (std::ranges::all_of(p.peers, is_open)) return "is open";
  return std::ranges::none_of(p.peers, is_open) ? "is not open" : "is open at some peers only";
}

std::string claim_text(const claim& c, std::size_t count) {
  const auto id = c.name.empty() || c.owner.empty() ? std::string() : fmt::format(" ({})", short_id(c.owner));
  const auto inside =
      c.container_port == 0 ? std::string() : fmt::format(", its port {}", numbers(c.container_port, count));
  return fmt::format("{}: {}{}, on {}{}", c.source, owner_text(c.owner, c.name), id, c.address, inside);
}

std::string peer_text(const peer_port& at) {
  const auto since = at.since.empty() ? std::string() : " since " + at.since;
  const auto reason = at.reason.empty() ? std::string() : ": " + at.reason;
  const auto* silent = at.state == "applied" && answers_nothing(at.name)
                           ? "; it sends no answers: its own log names a port that is busy there"
                           : "";
  return at.state + since + reason + retry_text(at.retry_in_ms) + silent;
}

}  // namespace

bool is_silent(const status_document::source& source) { return source.state != "ok"; }

std::string silent_sources(const status_document::document& shown) {
  std::string names;
  std::size_t count = 0;
  for (const auto& s : shown.sources) {
    if (!is_silent(s)) continue;
    names += (names.empty() ? "" : ", ") + s.name;
    ++count;
  }
  return count == 0 ? names : names + " cannot be read now";
}

void explanation::subject(std::string_view text) {
  if (!text_.empty()) text_ += '\n';
  text_ += base::printable(text, longest_text) + '\n';
}

void explanation::row(std::string_view label, std::string_view text) {
  text_ += fmt::format("  {:<18}  {}\n", base::printable(label), base::printable(text, longest_text));
}

void explanation::add_claims(const port& p, std::size_t count) {
  if (p.claims.empty()) {
    const auto owner = owner_text(p.owner, p.name);
    row("was claimed by", p.source + (owner.empty() ? "" : ": " + owner));
    return;
  }
  for (const auto& c : p.claims) row(&c == &p.claims.front() ? "claimed by" : "and by", claim_text(c, count));
}

// One advice for peers in the same state.
void explanation::add_peers(const port& p) {
  for (const auto& at : p.peers) row(at.name, peer_text(at));
  if (!is_for_peers(p)) {
    if (const auto advice = advice_on_state(p.decision, p); !advice.empty()) row("to change", advice);
    return;
  }
  const bool all_open = std::ranges::all_of(p.peers, is_open);
  for (auto at = p.peers.begin(); at != p.peers.end(); ++at) {
    if (is_open(*at) && !all_open) continue;
    if (std::ranges::find(p.peers.begin(), at, at->state, &peer_port::state) != at) continue;
    const auto advice = advice_on_state(at->state, p);
    if (!advice.empty()) row("to change", all_open ? std::string(advice) : fmt::format("{}: {}", at->name, advice));
  }
}

void explanation::add_ports(const port_range& range) {
  const auto& p = *range.first;
  subject(fmt::format("{} {} {}", p.protocol, host_of(range), verdict_of(p)));
  add_claims(p, range.count);
  if (p.guest_port) row("in the VM", "port " + numbers(*p.guest_port, range.count));
  if (!is_leftover(p)) {
    const auto* standard = is_for_peers(p) ? "no port rule" : "the policy, and no port rule";
    row("decided by", p.rule.empty() ? standard : p.rule);
    if (!p.reason.empty()) row("reason", p.reason);
  }
  add_peers(p);
}

void explanation::add_refusal(const status_document::source& source, const status_document::refusal& refusal) {
  const auto owner = refusal.owner.empty() || !refusal.kind.empty() ? std::string() : " of " + short_id(refusal.owner);
  subject(fmt::format("{}{} is not published by the source {}", refusal.what, owner, source.name));
  row("reason", refusal.why);
  if (const auto advice = advice_on_refusal(refusal); !advice.empty()) row("to change", advice);
}

void explanation::add_silent_sources(const status_document::document& shown) {
  for (const auto& s : shown.sources) {
    if (!is_silent(s)) continue;
    const auto reason = s.reason.empty() ? std::string() : ": " + s.reason;
    row(s.name, s.state == "waiting" ? "has not reported yet" + reason
                                     : fmt::format("cannot be read now{}; what it reported last is shown", reason));
  }
}

void explanation::add_doubt(const status_document::document& shown) {
  const auto silent = silent_sources(shown);
  if (silent.empty()) return;
  subject(silent + ": there may be more");
  add_silent_sources(shown);
}

void explanation::add_unnamed(const status_document::document& shown) {
  std::size_t rows = 0;
  for (const auto& s : shown.sources)
    for (const auto& r : s.refusals)
      if (r.what.find('/') == std::string::npos && rows++ < most_unnamed)
        row(s.name,
            fmt::format("not named here: {}{}: {}", r.what,
                        r.owner.empty() || s.name == r.owner || !r.kind.empty() ? "" : " " + short_id(r.owner), r.why));
}

}  // namespace guestagentctl
