#include "ports/change_trace.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <iterator>
#include <optional>
#include <ratio>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/text.hpp"
#include "ports/binding.hpp"
#include "ports/retry_state.hpp"
#include "ports/sink.hpp"
#include "ports/source_id.hpp"

namespace ports {
namespace {

constexpr std::size_t longest_owner = 80;

double microseconds(time_point::duration d) { return std::chrono::duration<double, std::micro>(d).count(); }

}  // namespace

void change_trace::event(source_id source, const std::string& owner, time_point read, time_point parsed) {
  if (events_.size() >= max_events) events_.clear();
  events_[{source, owner}] = {{step::read, read}, {step::parse, parsed}};
}

void change_trace::asked(source_id source, const std::string& owner, time_point now) {
  if (const auto at = events_.find({source, owner}); at != events_.end()) at->second[step::queue] = now;
}

void change_trace::answered(source_id source, const std::string& owner, time_point now) {
  if (const auto at = events_.find({source, owner}); at != events_.end()) at->second[step::engine] = now;
}

void change_trace::begin(source_id source, const binding& changed, time_point now) {
  if (changes_.size() >= max_changes) changes_.clear();
  const port at{changed.protocol, changed.host_port};
  const auto event = events_.find({source, changed.owner.str()});
  change made{.owner = changed.owner.str(), .before_peers = {}, .journaled = {}, .done = {}};
  if (event != events_.end()) made.before_peers = event->second;
  made.before_peers[step::publish] = now;
  changes_[at] = std::move(made);
  unplanned_.push_back(at);
}

// An event counts for one snapshot. One whose question is under way counts for the next.
void change_trace::published(source_id source, std::vector<binding> before, std::vector<binding> after,
                             time_point now) {
  std::ranges::sort(before);
  std::ranges::sort(after);
  std::vector<binding> changed;
  std::ranges::set_symmetric_difference(before, after, std::back_inserter(changed));
  unplanned_.clear();
  for (const auto& one : changed) begin(source, one, now);
  std::erase_if(events_, [source](const auto& item) {
    const bool under_way = item.second.contains(step::queue) && !item.second.contains(step::engine);
    return item.first.first == source && !under_way;
  });
}

void change_trace::planned(time_point now) {
  for (const auto& at : std::exchange(unplanned_, {}))
    if (const auto found = changes_.find(at); found != changes_.end()) found->second.before_peers[step::plan] = now;
}

void change_trace::journaled(std::string_view peer, const forward& f, time_point now) {
  const auto found = changes_.find({f.key.protocol, f.port_inside()});
  if (found != changes_.end()) found->second.journaled.insert_or_assign(std::string(peer), now);
}

// A peer that has done what was wanted may be asked again much later, when it has restarted: that is another story.
std::optional<std::string> change_trace::finished(std::string_view peer, const operation& done, const outcome& result,
                                                  time_point now) {
  const auto& key = done.target.key;
  const auto found = changes_.find({key.protocol, done.target.port_inside()});
  if (found == changes_.end() || found->second.done.contains({std::string(peer), done.what})) return std::nullopt;
  auto& traced = found->second;
  auto all = traced.before_peers;
  if (const auto written = traced.journaled.find(peer); written != traced.journaled.end())
    all[step::journal] = written->second;
  if (result.sent != time_point{}) all[step::send] = result.sent;
  all[step::answer] = now;
  if (result.kind == outcome_kind::done) traced.done.emplace(peer, done.what);
  return fmt::format("{} {} peer={} owner={} outcome={}{}", done.what == verb::add ? "expose" : "unexpose",
                     to_string(key), peer, base::printable(traced.owner, longest_owner), to_string(result.kind),
                     describe(all));
}

std::string change_trace::describe(const steps& all) {
  static constexpr std::array names{"read", "parse", "queue", "engine", "publish", "plan", "journal", "send", "answer"};
  std::string text;
  auto last = all.begin();
  for (auto at = std::next(last); at != all.end(); last = at++)
    text += fmt::format(" {}_us={:.1f}", names.at(static_cast<std::size_t>(at->first)),
                        microseconds(at->second - last->second));
  return text + fmt::format(" total_us={:.1f}", microseconds(last->second - all.begin()->second));
}

}  // namespace ports
