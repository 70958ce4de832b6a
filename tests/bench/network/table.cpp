#include "tests/bench/network/table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <utility>

#include "tests/bench/network/rivals.hpp"

namespace bench {
namespace {

constexpr int name_width = 44, column_width = 13, ratio_width = 12;

const std::vector<std::pair<const char*, const char*>>& compared() {
  using namespace names;
  static const std::vector<std::pair<const char*, const char*>> pairs{
      {plain, veth},   {plain, wire},   {plain, passt},   {plain, slirp},   {plain, gvproxy},
      {offload, veth}, {offload, wire}, {offload, passt}, {offload, slirp}, {offload, gvproxy}};
  return pairs;
}

}  // namespace

bool table::has(std::string_view subject) const { return std::ranges::find(subjects_, subject) != subjects_.end(); }

void table::add(const line& l, const std::string& subject, double value) {
  auto at = std::ranges::find(lines_, l.name, [](const figures& f) { return f.about.name; });
  if (at == lines_.end()) at = lines_.insert(at, {l, {}});
  if (!std::isnan(value)) at->runs[subject].push_back(value);
}

std::optional<double> table::median(const std::string& line_name, const std::string& subject) const {
  const auto at = std::ranges::find(lines_, line_name, [](const figures& f) { return f.about.name; });
  if (at == lines_.end()) return std::nullopt;
  const auto runs = at->runs.find(subject);
  if (runs == at->runs.end()) return std::nullopt;
  auto values = runs->second;
  std::ranges::sort(values);
  return values[values.size() / 2];
}

void table::print_head() const {
  fmt::print("{:{}}", "", name_width);
  for (const auto& s : subjects_) fmt::print("{:>{}}", s, column_width);
  fmt::print("\n");
  std::fflush(stdout);
}

void table::print(const line& l) const {
  fmt::print("{:{}}", l.name, name_width);
  for (const auto& s : subjects_) fmt::print("{:>{}}", text(l, s), column_width);
  fmt::print("\n");
  std::fflush(stdout);
}

std::string table::text(const line& l, const std::string& subject) const {
  const auto value = median(l.name, subject);
  return value ? fmt::format("{:.{}f}", *value, l.decimals) : "-";
}

void table::print_markdown() const {
  fmt::print("\n| |");
  for (const auto& s : subjects_) fmt::print(" {} |", s);
  fmt::print("\n|---|");
  for (std::size_t i = 0; i < subjects_.size(); ++i) fmt::print("--:|");
  fmt::print("\n");
  for (const auto& l : lines_) {
    fmt::print("| {} |", l.about.name);
    for (const auto& s : subjects_) fmt::print(" {} |", text(l.about, s));
    fmt::print("\n");
  }
}

std::string table::ratio(const line& l, const std::string& ours, const std::string& other) const {
  const auto mine = median(l.name, ours), theirs = median(l.name, other);
  if (!mine || !theirs) return "-";
  const double numerator = l.more_is_better ? *mine : *theirs, denominator = l.more_is_better ? *theirs : *mine;
  return denominator > 0 && numerator > 0 ? fmt::format("{:.2f}", numerator / denominator) : "-";
}

void table::print_ratios() const {
  std::vector<std::pair<std::string, std::string>> pairs;
  for (const auto& [ours, other] : compared())
    if (has(ours) && has(other)) pairs.emplace_back(ours, other);
  if (pairs.empty()) return;
  fmt::print("\n{:{}}", "how many times as good ours is", name_width);
  for (const auto& [ours, other] : pairs) fmt::print("{:>{}}", ours == names::plain ? "plain" : "offload", ratio_width);
  fmt::print("\n{:{}}", "beside", name_width);
  for (const auto& [ours, other] : pairs) fmt::print("{:>{}}", other, ratio_width);
  fmt::print("\n");
  for (const auto& l : lines_) {
    fmt::print("{:{}}", l.about.name, name_width);
    for (const auto& [ours, other] : pairs) fmt::print("{:>{}}", ratio(l.about, ours, other), ratio_width);
    fmt::print("\n");
  }
}

}  // namespace bench
