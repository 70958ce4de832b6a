#include "programs/guestagentctl/explain_name.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "programs/guestagentctl/explanation.hpp"
#include "programs/guestagentctl/port_text.hpp"
#include "protocols/status_document/document.hpp"

namespace guestagentctl {
namespace {

using status_document::document;
using status_document::port;

constexpr std::size_t most_candidates = 10;  // that are listed

// How a name fits, best first.
enum class fit { exact, last_part, beginning, none };

std::string_view last_part(std::string_view text) {
  const auto slash = text.rfind('/');
  return slash == std::string_view::npos ? text : text.substr(slash + 1);
}

fit fit_of(std::string_view asked, std::string_view owner, std::string_view name) {
  if (asked == owner || asked == name) return fit::exact;
  if (asked == last_part(owner) || asked == last_part(name)) return fit::last_part;
  const bool begins = owner.starts_with(asked) || last_part(owner).starts_with(asked);
  return begins && !asked.empty() ? fit::beginning : fit::none;
}

// By source and owner: the owner's name.
using owners = std::map<std::pair<std::string, std::string>, std::string>;

// Those that the name fits best.
class candidates {
 public:
  explicit candidates(std::string_view asked) : asked_(asked) {}
  void add(const std::string& source, const std::string& owner, const std::string& name) {
    const auto how = fit_of(asked_, owner, name);
    if (how == fit::none || how > best_) return;
    if (how < best_) found_.clear();
    best_ = how;
    found_.insert_or_assign({source, owner}, name);
  }
  [[nodiscard]] const owners& found() const { return found_; }
  // The beginning of several ids.
  [[nodiscard]] bool ambiguous() const { return best_ == fit::beginning && found_.size() > 1; }

 private:
  std::string_view asked_;
  fit best_ = fit::none;
  owners found_;
};

candidates find(const document& shown, std::string_view asked) {
  candidates all(asked);
  for (const auto& p : shown.ports) {
    for (const auto& c : p.claims) all.add(c.source, c.owner, c.name);
    if (p.claims.empty()) all.add(p.source, p.owner, p.name);
  }
  for (const auto& s : shown.sources)
    for (const auto& c : s.without_ports) all.add(s.name, c.owner, c.name);
  return all;
}

// CNI knows a container of containerd as namespace-id.
std::string cni_name(std::string owner) {
  std::ranges::replace(owner, '/', '-');
  return owner;
}

bool is_of(const port& p, const std::string& source, const std::string& owner) {
  if (p.claims.empty()) return p.source == source && p.owner == owner;
  return std::ranges::any_of(p.claims, [&](const auto& c) {
    return (c.source == source && c.owner == owner) || (!owner.empty() && c.name == cni_name(owner));
  });
}

void add_owner(explanation& to, const document& shown, const std::string& source, const std::string& owner,
               const std::string& name) {
  std::vector<const port*> ports;
  for (const auto& p : shown.ports)
    if (is_of(p, source, owner)) ports.push_back(&p);
  const auto who = owner_text(owner, name) + (name.empty() || owner.empty() ? "" : " (" + short_id(owner) + ")");
  if (ports.empty()) {
    to.subject(fmt::format("{} of {} runs and publishes no port", who, source));
    to.row("to change", "start it with a published port (-p); if its network is the host's, ask about the port itself");
  } else {
    to.subject(fmt::format("{} of {} publishes {} port{}", who, source, ports.size(), ports.size() == 1 ? "" : "s"));
  }
  for (const auto& range : fold(ports)) to.add_ports(range);
}

// A source names a container whose port it refuses by its name or by its id.
bool is_of(const status_document::refusal& r, std::string_view source, std::string_view asked, const owners& found) {
  if (!r.kind.empty() || r.owner.empty()) return false;
  if (fit_of(asked, r.owner, "") <= (found.empty() ? fit::beginning : fit::last_part)) return true;
  return std::ranges::any_of(found, [&](const auto& one) {
    return one.first.first == source && (r.owner == one.first.second || r.owner == one.second);
  });
}

void add_refusals(explanation& to, const document& shown, std::string_view asked, const owners& found) {
  for (const auto& s : shown.sources)
    for (const auto& r : s.refusals)
      if (is_of(r, s.name, asked, found)) to.add_refusal(s, r);
}

void add_choice(explanation& to, std::string_view asked, const owners& found) {
  to.subject(fmt::format("{} is the beginning of {} ids; name one of them", asked, found.size()));
  std::size_t listed = 0;
  for (const auto& [of, name] : found) {
    if (listed++ == most_candidates) break;
    to.row(of.first, short_id(of.second) + (name.empty() ? "" : " " + name));
  }
}

void add_unknown_name(explanation& to, const document& shown, std::string_view asked) {
  const auto silent = silent_sources(shown);
  to.subject(silent.empty() ? fmt::format("no running container, Service or rule is named {}", asked)
                            : fmt::format("{}: not known, {}; no other source names it", asked, silent));
  to.add_silent_sources(shown);
  to.add_unnamed(shown);
  for (const auto& s : shown.sources)
    if (s.more_without_ports > 0)
      to.row(s.name, fmt::format("{} more containers publish no port and are not named here", s.more_without_ports));
  to.row("to change", silent.empty() ? "correct the name, or start the container; one that is stopped has no ports"
                                     : "make the source readable: its reason says what is missing");
}

}  // namespace

std::string explain_name(const document& shown, std::string_view asked) {
  const auto all = find(shown, asked);
  explanation e;
  if (all.ambiguous()) {
    add_choice(e, asked, all.found());
    return e.take();
  }
  for (const auto& [of, name] : all.found()) add_owner(e, shown, of.first, of.second, name);
  add_refusals(e, shown, asked, all.found());
  if (e.empty())
    add_unknown_name(e, shown, asked);
  else
    e.add_doubt(shown);
  return e.take();
}

}  // namespace guestagentctl
