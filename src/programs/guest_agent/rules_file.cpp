#include "programs/guest_agent/rules_file.hpp"

#include <fmt/format.h>

#include <chrono>
#include <cstddef>
#include <expected>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
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
#include "rules/rule_set.hpp"
#include "rules/rules_codec.hpp"

namespace guest_agent {
namespace {

constexpr int most_changes = 50;           // one after the other, before the file is refused
constexpr std::size_t shown_problems = 3;  // in a line of the log; `guestagentctl rules check` shows all

bool says_absent(const base::error& e) {
  return e.code == std::errc::no_such_file_or_directory || e.code == std::errc::not_a_directory;
}

template <class Content>
bool is_absent(const Content& c) {
  return c ? !*c : says_absent(c.error());
}

template <class Content>
bool is_same(const Content& a, const Content& b) {
  if (a.has_value() != b.has_value()) return false;
  return a ? *a == *b : a.error() == b.error();
}

// Where its directory is not there either, no one is about to write the file.
bool has_directory(const std::string& path) {
  std::error_code ignored;
  return std::filesystem::exists(std::filesystem::path(path).parent_path(), ignored);
}

std::string describe(const std::vector<rules::problem>& all) {
  std::string text;
  for (std::size_t i = 0; i < all.size() && i < shown_problems; ++i)
    text += (i == 0 ? "" : "; ") + base::printable(to_string(all[i]));
  if (all.size() > shown_problems) text += fmt::format("; {} more", all.size() - shown_problems);
  return text;
}

}  // namespace

rules_file::rules_file(const async::executor& where, place at, const rules::known_names& known, pace speed)
    : where_(where),
      at_(std::move(at)),
      known_(known),
      speed_(speed),
      state_{.active = std::make_shared<const rules::rule_set>(), .warnings = {}, .trouble = {}},
      seen_(std::nullopt),
      watch_(where, at_.path),
      trouble_("rules", "the file is refused, the rules stay as they are file=" + base::printable(at_.path)) {}

base::result<std::unique_ptr<rules_file>> rules_file::open(const async::executor& where, place at,
                                                           const rules::known_names& known, pace speed) {
  // Watched before it is read: no change is missed.
  std::unique_ptr<rules_file> made(new rules_file(where, std::move(at), known, speed));
  made->seen_ = async::call_within(speed.limit, [at = made->at_, speed] { return read_first(at, speed); });
  made->take(check(made->seen_, known));
  const auto& [active, warnings, trouble] = made->state_;
  if (!trouble.empty()) return base::fail(trouble);
  if (!active->rules().empty())
    base::log::info("rules", "read file={} rules={}", base::printable(made->path()), active->rules().size());
  return made;
}

rules_file::content rules_file::read_place(const place& at) {
  auto text = base::read_file(at.path);
  if (text) return std::optional(std::move(*text));
  if (!at.required && says_absent(text.error())) return std::nullopt;
  return std::unexpected(text.error());
}

// What has been the same for a while, on a thread that may wait.
rules_file::content rules_file::read_first(const place& at, const pace& speed) {
  const auto deadline = async::clock::now() + speed.limit;
  auto before = read_place(at);
  if (is_absent(before) && !has_directory(at.path)) return before;
  while (async::clock::now() + speed.settle < deadline) {
    std::this_thread::sleep_for(speed.settle);
    auto now = read_place(at);
    if (is_same(before, now)) return now;
    before = std::move(now);
  }
  return base::fail("the file keeps changing");
}

base::result<rules_file::checked> rules_file::check(const content& text, const rules::known_names& known) {
  if (!text) return std::unexpected(text.error());
  const auto& present = *text;
  return checked{rules::parse_rules(present ? std::string_view(*present) : std::string_view(), known)};
}

bool rules_file::refuse(std::string why) {
  why = base::printable(path()) + why;
  trouble_.note(base::fail(why));
  return std::exchange(state_.trouble, why) != why;
}

bool rules_file::take(base::result<checked> now) {
  if (!now) {
    const auto why = now.error().message();  // of reading: it begins with the path
    return refuse(base::printable(why.starts_with(path()) ? why.substr(path().size()) : ": " + why));
  }
  auto& parsed = now->outcome;
  if (!parsed) return refuse(": " + describe(parsed.error()));
  trouble_.note({});
  state_ = {.active = std::move(parsed->rules), .warnings = std::move(parsed->warnings), .trouble = {}};
  for (const auto& w : state_.warnings) base::log::warn("rules", "{}", base::printable(to_string(w)));
  return true;
}

async::task<rules_file::content> rules_file::read() {
  std::function<content()> work = [at = at_] { return read_place(at); };
  co_return co_await calls_.run(std::move(work), speed_.limit, path());
}

// A content that stayed the same for a while.
async::task<rules_file::content> rules_file::read_settled() {
  auto before = co_await read();
  auto since = async::clock::now();
  for (int changes = 0; changes < most_changes;) {
    co_await async::sleep_for(speed_.settle);
    auto now = co_await read();
    if (!is_same(before, now)) {
      ++changes;
      before = std::move(now);
      since = async::clock::now();
    } else if (!is_absent(now) || async::clock::now() - since >= speed_.gone) {
      co_return now;
    }
  }
  co_return base::fail("the file keeps changing");
}

// A large file takes a while: not on the thread that answers everyone.
async::task<base::result<rules_file::checked>> rules_file::check_aside(content text) {
  std::function<base::result<checked>()> work = [text = std::move(text), known = known_] { return check(text, known); };
  co_return co_await calls_.run(std::move(work), speed_.limit, "check");
}

// True: the file may have changed. False: it is time to look.
async::task<bool> rules_file::wait_for_change() {
  if (is_absent(seen_)) {
    co_await watch_.changed();
    co_return true;
  }
  // A file that cannot be read may become readable without a change of its own. Another may change through a second
  // name, a mapping into memory, or on a host whose file system is mounted here: inotify does not see that.
  const auto changed = co_await async::within(seen_ ? speed_.look : speed_.poll, watch_.changed());
  co_return changed.has_value();
}

async::task<> rules_file::follow(std::function<void()> changed) {
  while (true) {
    const bool noticed = co_await wait_for_change();
    if (!noticed && is_same(seen_, co_await read())) continue;
    const auto now = co_await read_settled();
    if (is_same(seen_, now)) continue;
    auto parsed = co_await check_aside(now);
    seen_ = parsed ? now : std::unexpected(parsed.error());  // a check that did not end is tried again
    const auto before = state_.active;
    if (!take(std::move(parsed))) continue;
    if (is_absent(now) && !before->rules().empty() && state_.active != before)
      base::log::warn("rules", "the file is gone, and with it its rules file={} rules={}", base::printable(path()),
                      before->rules().size());
    else if (state_.active != before)
      base::log::info("rules", "changed rules={}", state_.active->rules().size());
    changed();
  }
}

}  // namespace guest_agent
