#include "tests/soak/session.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>
#include <stdexcept>
#include <thread>

namespace soak {
namespace {

using namespace std::chrono_literals;

// How long after the last operation something may be wrong: the agent asks an API again after seconds, a busy port
// after fifteen, and writes its journal anew after a minute at most. A forward whose answer was lost with host-switch
// may still be made for a minute; only then the agent removes it for good.
constexpr std::chrono::seconds settle_limit{75};
constexpr auto between_looks = 100ms;
// A longer one counts no more: the machine stood still.
constexpr tally::duration longest_look = 5s;

bool is_terminal() { return ::isatty(STDOUT_FILENO) == 1; }

}  // namespace

session::session(const session_options& options, std::function<bool()> interrupted)
    : options_(options),
      interrupted_(std::move(interrupted)),
      arena_(options.debug),
      actor_(arena_),
      witness_(arena_),
      usage_(arena_, options.debug),
      plan_(options.seed, options.operations_between_pauses),
      tally_(options.seed) {}

tally::duration session::now() const { return std::chrono::duration_cast<tally::duration>(clock::now() - begin_); }

bool session::goes_on() const { return !interrupted_() && !was_stopped_; }

bool session::run() {
  arena_.start_all();
  show_progress(true);
  check();
  while (goes_on() && now() < options_.length) step();
  plan_.pause_next();
  while (goes_on() && step().what != kind::pause) {
  }
  if (goes_on()) check_nothing_is_left();
  if (goes_on()) stop_programs();
  return tally_.findings() == 0;
}

operation session::step() {
  auto o = plan_.next();
  const auto refusal = actor_.perform(o);
  if (interrupted_()) return o;
  tally_.note(o, now(), refusal);
  ++operations_since_check_;
  check_ended();
  if (o.what == kind::pause) check();
  show_progress();
  return o;
}

// A program that has ended by itself is started again, so that the rest can be seen.
void session::check_ended() {
  for (const auto which : {part::agent, part::host_switch, part::wsl_proxy, part::network_setup})
    if (const auto code = arena_.ended(which)) {
      if (interrupted_()) return;
      report({{"running", fmt::format("{} has ended with {}", to_string(which), *code)}});
      arena_.start(which);
    }
}

// What still differs at the deadline.
std::vector<difference> session::settle(exposures& wanted) {
  const auto begin = now();
  auto looked = begin;
  tally::duration waited{};
  std::vector<difference> found, last;
  do {
    try {
      wanted = actor_.expected();
      found = witness_.compare(wanted);
      const auto stopped = usage_.stopped();
      found.insert(found.end(), stopped.begin(), stopped.end());
    } catch (const std::runtime_error& failed) {
      found = {{"check", failed.what()}};
    }
    if (found.empty()) {
      tally_.note_settled(now() - begin, begin, last);
      break;
    }
    last = found;
    std::this_thread::sleep_for(between_looks);
    waited += std::min<tally::duration>(now() - looked, longest_look);
    looked = now();
  } while (waited < settle_limit && !interrupted_());
  return found;
}

void session::check() {
  exposures wanted;
  auto found = settle(wanted);
  if (interrupted_()) return;
  for (const auto& name : witness::invariants()) tally_.note_invariant(name);
  const auto since = std::chrono::duration_cast<std::chrono::milliseconds>(clock::now() - last_check_);
  const auto used = usage_.compare(wanted.size(), operations_since_check_, since, tally_);
  found.insert(found.end(), used.begin(), used.end());
  report(found);
  last_check_ = clock::now();
  operations_since_check_ = 0;
}

void session::check_nothing_is_left() {
  if (const auto refused = actor_.remove_everything(); !refused.empty()) report({{"removal", refused}});
  if (!interrupted_()) check();
}

// As systemd does: a leak that a sanitizer finds makes a program end with another code.
void session::stop_programs() {
  std::vector<difference> found;
  for (const auto which : {part::agent, part::wsl_proxy, part::network_setup, part::host_switch})
    if (const auto code = arena_.stop(which); code != 0)
      found.push_back({"end", fmt::format("{} ends with {}", to_string(which), code ? *code : -1)});
  for (const auto& rule : witness_.rules_left()) found.push_back({"rules", "left behind: " + rule});
  for (const auto* one : {"end", "rules"}) tally_.note_invariant(one);
  report(found);
}

void session::report(const std::vector<difference>& found) {
  if (found.empty()) return;
  std::fputs(fmt::format("{}{}", is_terminal() ? "\r\033[K" : "", tally_.note_findings(found, now())).c_str(), stdout);
  std::fflush(stdout);
  was_stopped_ = was_stopped_ || options_.stops_at_finding;
}

// On a terminal one line, written again and again; elsewhere a line a minute.
void session::show_progress(bool at_once) {
  const auto pace = is_terminal() ? 1'000ms : 60'000ms;
  if (!at_once && clock::now() - shown_ < pace) return;
  shown_ = clock::now();
  const auto text = tally_.progress(now(), options_.length);
  std::fputs(is_terminal() ? fmt::format("\r\033[K{}", text).c_str() : fmt::format("{}\n", text).c_str(), stdout);
  std::fflush(stdout);
}

void session::keep_logs(const std::string& directory) const {
  namespace fs = std::filesystem;
  fs::create_directories(directory);
  for (const auto which : {part::agent, part::host_switch, part::wsl_proxy, part::vm_switch, part::network_setup})
    if (fs::exists(arena_.log_of(which)))
      fs::copy_file(arena_.log_of(which), fs::path(directory) / arena_.log_of(which).filename(),
                    fs::copy_options::overwrite_existing);
}

}  // namespace soak
