#include "tests/bench/network/goals.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <iterator>
#include <string_view>

#include "tests/bench/network/measures.hpp"
#include "tests/bench/network/rivals.hpp"

namespace bench {
namespace {

using figure = std::optional<double>;

constexpr way in{direction::in}, out{direction::out}, container_in{direction::in, inner_end::container},
    container_out{direction::out, inner_end::container};

// What a goal is about: the worst of all figures that were measured, and the bound that it must keep.
struct goal {
  std::string text;
  bool at_least = true;
  double bound = 0;
  std::string unit;
  std::function<figure(const table&)> measured;
};

figure ratio(figure a, figure b) { return a && b && *b > 0 ? figure(*a / *b) : std::nullopt; }

figure worst(std::initializer_list<figure> all, bool at_least) {
  figure found;
  for (const auto& one : all) {
    if (!one) return std::nullopt;
    found = !found ? one : at_least ? std::min(found, one) : std::max(found, one);
  }
  return found;
}

// The least ratio of the two subjects over these lines.
std::function<figure(const table&)> times(std::string ours, std::string other, std::vector<std::string> of) {
  return [=](const table& t) {
    figure least;
    for (const auto& l : of) {
      const auto one = ratio(t.median(l, ours), t.median(l, other));
      if (!one) return one;
      least = least ? std::min(least, one) : one;
    }
    return least;
  };
}

// The larger ratio of plain and offload to the other one, where less is better.
std::function<figure(const table&)> share_of(std::string other, std::vector<std::string> of) {
  return [=](const table& t) {
    figure most;
    for (const auto& l : of)
      for (const auto* ours : {names::plain, names::offload}) {
        const auto one = ratio(t.median(l, ours), t.median(l, other));
        if (!one) return one;
        most = most ? std::max(most, one) : one;
      }
    return most;
  };
}

// The larger one of plain and offload over these lines.
std::function<figure(const table&)> most(std::vector<std::string> of) {
  return [=](const table& t) {
    figure found;
    for (const auto& l : of) {
      const auto both = worst({t.median(l, names::plain), t.median(l, names::offload)}, false);
      if (!both) return both;
      found = found ? std::max(found, both) : both;
    }
    return found;
  };
}

// The smaller ratio of plain and offload to the other one, where more is better.
std::function<figure(const table&)> both_times(const std::string& other, const std::vector<std::string>& of) {
  return [=](const table& t) {
    return worst({times(names::plain, other, of)(t), times(names::offload, other, of)(t)}, true);
  };
}

figure many_to_one(const table& t) {
  const auto share = [&](const char* ours, way w) {
    return ratio(t.median(lines::tcp(w, 64), ours), t.median(lines::tcp(w, 1), ours));
  };
  return worst({share(names::offload, in), share(names::offload, out)}, true);
}

std::vector<goal> bulk_goals() {
  using namespace names;
  const std::vector<std::string> inward{lines::tcp(in, 1), lines::tcp(in, 4)},
      outward{lines::tcp(out, 1), lines::tcp(out, 4)};
  std::vector<std::string> both = inward;
  both.insert(both.end(), outward.begin(), outward.end());
  std::vector<std::string> container;
  for (const auto w : {container_in, container_out})
    for (const unsigned flows : {1U, 4U}) container.push_back(lines::tcp(w, flows));
  return {{"plain: TCP beside the kernel on the same wire", true, 1, "x", times(plain, wire, both)},
          {"plain: TCP in beside gvproxy", true, 4, "x", times(plain, gvproxy, inward)},
          {"plain: TCP out beside gvproxy", true, 3, "x", times(plain, gvproxy, outward)},
          {"offload: TCP in beside gvproxy", true, 15, "x", times(offload, gvproxy, inward)},
          {"offload: TCP out beside gvproxy", true, 10, "x", times(offload, gvproxy, outward)},
          {"offload: TCP beside veth", true, 0.45, "x", times(offload, veth, both)},
          {"offload: TCP of a container beside veth", true, 0.45, "x", times(offload, veth, container)},
          {"offload: 64 flows beside one", true, 1, "x", many_to_one},
          {"64 flows out, retransmitted", false, 1, "%", most({lines::retransmitted})},
          {"CPU a GB beside gvproxy", false, 0.1, "x",
           share_of(gvproxy, {lines::cpu(direction::in), lines::cpu(direction::out)})}};
}

std::vector<goal> other_goals() {
  using namespace names;
  const std::vector<std::string> trips{lines::round_trip(direction::in), lines::round_trip(direction::out)},
      connections{lines::connections(direction::in), lines::connections(direction::out)};
  return {{"round trip beside passt", false, 1, "x", share_of(passt, trips)},
          {"round trip beside slirp4netns", false, 1, "x", share_of(slirp, trips)},
          {"connections/s beside passt", true, 1, "x", both_times(passt, connections)},
          {"connections/s beside gvproxy", true, 3, "x", both_times(gvproxy, connections)},
          {"UDP at 1 Gbit/s, lost", false, 0.005, "%",
           most({lines::udp_lost(direction::in), lines::udp_lost(direction::out)})},
          {"memory under load", false, 70, "MB", most({lines::peak_memory})},
          {"memory of an idle connection", false, 6, "KB", most({lines::idle_memory})},
          {"growth by 30,000 short connections", false, 1, "MB", most({lines::growth})},
          {"wake-ups with 2,000 idle connections", false, 0.2, "/s", most({lines::idle_wakeups})},
          {"wake-ups with 300 flows stuck", false, 0.2, "/s", most({lines::stuck_wakeups})}};
}

// One line, of a table for eyes or for a document.
void print(std::string_view goal, std::string_view bound, std::string_view measured, std::string_view outcome,
           bool markdown) {
  if (markdown)
    fmt::print("| {} | {} | {} | {} |\n", goal, bound, measured, outcome);
  else
    fmt::print("{:48}{:>16}{:>16}{:>16}\n", goal, bound, measured, outcome);
}

bool is_met(const goal& g, double measured) { return g.at_least ? measured >= g.bound : measured <= g.bound; }

void print(const goal& g, const figure& measured, bool markdown) {
  print(g.text, fmt::format("{} {:g} {}", g.at_least ? "≥" : "≤", g.bound, g.unit),
        measured ? fmt::format("{:.3g} {}", *measured, g.unit) : "-",
        !measured              ? "not measured"
        : is_met(g, *measured) ? "met"
                               : "MISSED",
        markdown);
}

std::vector<goal> all_goals() {
  auto all = bulk_goals();
  std::ranges::move(other_goals(), std::back_inserter(all));
  return all;
}

}  // namespace

void print_goals(const table& t, const goals_options& how) {
  fmt::print("\n");
  print("goal", "bound", "measured", "", how.markdown);
  if (how.markdown) fmt::print("|---|--:|--:|---|\n");
  std::size_t met = 0, missed = 0;
  for (const auto& g : all_goals()) {
    const auto measured = g.measured(t);
    if (!measured && !how.with_unmeasured) continue;
    print(g, measured, how.markdown);
    if (measured) ++(is_met(g, *measured) ? met : missed);
  }
  fmt::print("\n{} goals met, {} missed. Measured is the worst of all figures that the goal is about.\n", met, missed);
}

}  // namespace bench
