#include "tests/soak/tally.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

namespace soak {
namespace {

constexpr std::size_t remembered_operations = 40, longest_refusal = 200, shown_of_a_refusal = 60,
                      reasons_of_refusals = 20;

std::string to_text(tally::duration d) {
  const auto seconds = d.count() / 1000;
  return fmt::format("{}:{:02}", seconds / 60, seconds % 60);
}

double mebibytes(std::size_t bytes) { return static_cast<double>(bytes) / (1U << 20U); }

std::string to_string(const std::string& name) { return name; }

template <class Key>
std::string counts(const std::map<Key, std::size_t>& all) {
  std::string text;
  for (const auto& [key, count] : all) text += fmt::format("{}{} {}", text.empty() ? "" : ", ", count, to_string(key));
  return text;
}

}  // namespace

void tally::note(const operation& o, duration at, std::string_view refusal) {
  ++done_[o.what];
  if (o.what == kind::kill) ++killed_[o.of];
  if (o.what == kind::stall) ++stalled_[o.of];
  if (!refusal.empty()) note_refusal(std::string(refusal.substr(0, shown_of_a_refusal)));
  history_.push_back(fmt::format("{:>7}  {}{}{}", to_text(at), soak::to_text(o), refusal.empty() ? "" : " -- ",
                                 refusal.substr(0, longest_refusal)));
  if (history_.size() > remembered_operations) history_.pop_front();
}

void tally::note_refusal(const std::string& why) {
  const bool has_place = refused_.contains(why) || refused_.size() < reasons_of_refusals;
  ++refused_[has_place ? why : "for other reasons"];
}

void tally::note_settled(duration after, duration at, const std::vector<difference>& last) {
  if (after <= slowest_) return;
  slowest_ = after;
  slowest_text_ =
      last.empty() ? "" : fmt::format(", at {}; the last: {}: {}", to_text(at), last[0].invariant, last[0].what);
}

void tally::note_memory(std::string_view program, std::size_t bytes) {
  auto& peak = peak_[std::string(program)];
  peak = std::max(peak, bytes);
}

std::string tally::note_findings(const std::vector<difference>& found, duration at) {
  findings_ += found.size();
  auto text = fmt::format("FINDING at {}, seed {}\n", to_text(at), seed_);
  for (const auto& one : found) text += fmt::format("  {}: {}\n", one.invariant, one.what);
  text += "  the last operations:\n";
  for (const auto& line : history_) text += fmt::format("  {}\n", line);
  return text;
}

std::size_t tally::checks() const {
  return std::accumulate(invariants_.begin(), invariants_.end(), std::size_t{0},
                         [](std::size_t sum, const auto& one) { return sum + one.second; });
}

std::size_t tally::count(bool (*of)(kind)) const {
  return std::accumulate(done_.begin(), done_.end(), std::size_t{0},
                         [of](std::size_t sum, const auto& one) { return sum + (of(one.first) ? one.second : 0); });
}

std::string tally::counts_of(bool (*of)(kind)) const {
  auto some = done_;
  std::erase_if(some, [of](const auto& one) { return !of(one.first); });
  return counts(some);
}

std::string tally::progress(duration at, duration whole) const {
  return fmt::format("{} of {}: {} operations, {} faults, {} checks, {} findings", to_text(at), to_text(whole),
                     count(is_load), count(is_fault), checks(), findings_);
}

std::string tally::summary(duration at) const {
  auto text = fmt::format("soak: {} with seed {}\n", to_text(at), seed_);
  text += fmt::format("  {} operations: {}\n", count(is_load), counts_of(is_load));
  text += fmt::format("  {} faults: {}\n", count(is_fault), counts_of(is_fault));
  if (!killed_.empty()) text += fmt::format("  killed: {}\n", counts(killed_));
  if (!stalled_.empty()) text += fmt::format("  stalled: {}\n", counts(stalled_));
  if (!refused_.empty()) text += fmt::format("  not done: {}\n", counts(refused_));
  text += fmt::format("  {} checks: {}\n", checks(), counts(invariants_));
  text += fmt::format("  all was right after a pause began: at the latest {:.1f} s{}\n",
                      static_cast<double>(slowest_.count()) / 1000, slowest_text_);
  text += "  peak memory:";
  for (const auto& [program, bytes] : peak_) text += fmt::format(" {} {:.1f} MiB", program, mebibytes(bytes));
  return text + fmt::format("\n  {} findings\n", findings_);
}

}  // namespace soak
