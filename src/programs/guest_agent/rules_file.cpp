#include "programs/guest_agent/rules_file.hpp"

#include <fmt/format.h>

#include <chrono>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "async/blocking_calls.hpp"
#include "async/clock.hpp"
#include "async/task.hpp"
#include "async/timeout.hpp"
#include "base/log.hpp"
#include "base/read_file.hpp"
#include "base/result.hpp"
#include "base/text.hpp"
#include "os/file_watch.hpp"
#include "rules/problem.hpp"
#include "rules/rules_codec.hpp"

namespace guest_agent {
namespace {

using namespace std::chrono_literals;
using content = base::result<std::optional<std::string>>;

constexpr auto read_limit = 2s;
constexpr int most_changes = 50;           // one after the other, before the file is refused
constexpr std::size_t shown_problems = 3;  // in a line of the log; `guestagentctl rules check` shows all

content read_rules(const std::string& path) {
  auto text = base::read_file(path);
  if (text) return std::optional(std::move(*text));
  const auto code = text.error().code;
  if (code == std::errc::no_such_file_or_directory || code == std::errc::not_a_directory) return std::nullopt;
  return std::unexpected(text.error());
}

bool is_same(const content& a, const content& b) {
  if (a.has_value() != b.has_value()) return false;
  return a ? *a == *b : a.error() == b.error();
}

std::string describe(const std::vector<rules::problem>& all) {
  std::string text;
  for (std::size_t i = 0; i < all.size() && i < shown_problems; ++i)
    text += (i == 0 ? "" : "; ") + base::printable(to_string(all[i]));
  if (all.size() > shown_problems) text += fmt::format("; {} more", all.size() - shown_problems);
  return text;
}

}  // namespace

rules_file::rules_file(const async::executor& where, std::string path, const rules::known_names& known, pace speed)
    : where_(where),
      path_(std::move(path)),
      known_(known),
      speed_(speed),
      state_{.active = std::make_shared<const rules::rule_set>(), .warnings = {}, .trouble = {}},
      seen_(std::nullopt),
      trouble_("rules", "the file is refused, the rules stay as they are file=" + base::printable(path_)) {}

base::result<std::unique_ptr<rules_file>> rules_file::open(const async::executor& where, std::string path,
                                                           const rules::known_names& known, pace speed) {
  std::unique_ptr<rules_file> made(new rules_file(where, std::move(path), known, speed));
  // Watched before it is read: no change is missed.
  if (auto watch = os::file_watch::open(where, made->path_)) made->watch_ = std::move(*watch);
  made->take(async::call_within(read_limit, [path = made->path_] { return read_rules(path); }));
  const auto& [active, warnings, trouble] = made->state_;
  if (!trouble.empty()) return base::fail(trouble);
  if (!active->rules().empty())
    base::log::info("rules", "read file={} rules={}", base::printable(made->path_), active->rules().size());
  return made;
}

bool rules_file::refuse(std::string why) {
  why = base::printable(path_) + ": " + why;
  trouble_.note(base::fail(why));
  return std::exchange(state_.trouble, why) != why;
}

bool rules_file::take(const content& now) {
  seen_ = now;
  if (!now) return refuse(now.error().message());
  auto parsed = rules::parse_rules(*now ? std::string_view(**now) : std::string_view(), known_);
  if (!parsed) return refuse(describe(parsed.error()));
  trouble_.note({});
  state_ = {.active = std::move(parsed->rules), .warnings = std::move(parsed->warnings), .trouble = {}};
  for (const auto& w : state_.warnings) base::log::warn("rules", "{}", base::printable(to_string(w)));
  return true;
}

async::task<content> rules_file::read() {
  std::function<content()> work = [path = path_] { return read_rules(path); };
  co_return co_await calls_.run(std::move(work), read_limit, path_);
}

// A content that stayed the same for a while.
async::task<content> rules_file::read_settled() {
  auto before = co_await read();
  for (int i = 0; i < most_changes; ++i) {
    co_await async::sleep_for(speed_.settle);
    auto now = co_await read();
    if (is_same(before, now)) co_return now;
    before = std::move(now);
  }
  co_return base::fail("the file keeps changing");
}

async::task<> rules_file::wait_for_change() {
  if (!watch_) co_return co_await async::sleep_for(speed_.poll);
  // A file that cannot be read may become readable without a change of its own.
  if (seen_) co_return co_await watch_->changed();
  static_cast<void>(co_await async::within(speed_.poll, watch_->changed()));
}

async::task<> rules_file::follow(std::function<void()> changed) {
  if (!watch_) base::log::warn("rules", "no inotify, polling file={}", base::printable(path_));
  while (true) {
    co_await wait_for_change();
    const auto now = co_await read_settled();
    if (is_same(seen_, now)) continue;
    const auto before = state_.active;
    if (!take(now)) continue;
    if (state_.active != before) base::log::info("rules", "changed rules={}", state_.active->rules().size());
    changed();
  }
}

}  // namespace guest_agent
