#include "programs/guest_agent/controller.hpp"

#include <algorithm>
#include <chrono>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>

#include "async/clock.hpp"
#include "async/task.hpp"
#include "async/task_group.hpp"
#include "base/episode.hpp"
#include "base/log.hpp"
#include "base/result.hpp"
#include "base/text.hpp"
#include "ports/binding.hpp"
#include "ports/exposure_policy.hpp"
#include "ports/reconcile_fsm.hpp"
#include "ports/reconciler.hpp"
#include "ports/snapshot.hpp"
#include "ports/source_id.hpp"
#include "programs/guest_agent/status.hpp"
#include "programs/guest_agent/version.hpp"
#include "rules/rule_set.hpp"

namespace guest_agent {
namespace {

using base::log::level;
using ports::peer_role;

constexpr unsigned lines_of_a_source = 10;  // a minute

base::log::throttle& lines_of(std::map<ports::source_id, base::log::throttle>& all, ports::source_id id) {
  return all.try_emplace(id, std::chrono::minutes(1), lines_of_a_source).first->second;
}

std::string owner_of(const ports::binding& b) {
  return base::printable(b.owner_name.empty() ? b.owner.str() : b.owner_name.str());
}

}  // namespace

controller::controller(const async::executor& where, ports::exposure_options policy)
    : policy_(std::move(policy)), started_(async::clock::now()), changed_(where) {}

void controller::add_peer(ports::peer_role role, std::unique_ptr<ports::reconciler> reconciler) {
  if (trace_) reconciler->trace_to(trace_);
  peers_.push_back({role, std::move(reconciler)});
}

void controller::use_rules(std::shared_ptr<const rules::rule_set> by, std::string trouble) {
  rules_trouble_ = std::move(trouble);
  if (policy_.rules == by) return announce();
  policy_.rules = std::move(by);
  distribute();
}

void controller::announce() {
  ++changes_;
  changed_.notify_all();
}

std::uint64_t controller::work() const {
  std::uint64_t done = plans_;
  for (const auto& p : peers_)
    for (const auto what : {ports::verb::add, ports::verb::remove})
      done += p.reconciler->machine().counters().count(what, ports::outcome_kind::done);
  return done;
}

void controller::publish(ports::source_id id, ports::snapshot now) {
  const auto& before = table_.source(id);
  const bool was_well = before.reported && !before.trouble;
  const auto count = now.bindings.size();
  const auto revision = table_.revision();
  if (trace_) trace_->published(id, before.last.bindings, now.bindings, async::clock::now());
  if (!table_.publish(id, std::move(now))) return;
  if (!was_well)
    base::log::throttled(lines_of(connected_lines_, id), level::info, to_string(id), "connected bindings={}", count);
  else
    base::log::debug(to_string(id), "published bindings={}", count);
  if (table_.revision() == revision) return announce();
  distribute();
}

void controller::degraded(ports::source_id id, base::error why) {
  const auto& before = table_.source(id);
  if (before.trouble == why) return;
  const bool new_text = !before.trouble || before.trouble->message() != why.message();
  if (new_text)
    base::log::throttled(lines_of(trouble_lines_, id), level::warn, to_string(id),
                         "not available, its ports stay as they are reason=\"{}\"", base::printable(why.message()));
  table_.degraded(id, std::move(why));
  announce();
}

void controller::send_part(const peer& to) {
  to.reconciler->want(part_of(plan_, to.role), table_.settled(), table_.epoch());
}

const ports::reconcile_fsm* controller::loopback() const {
  const auto at = std::ranges::find(peers_, peer_role::loopback, &peer::role);
  return at == peers_.end() ? nullptr : &at->reconciler->machine();
}

// True if a port that waited for the loopback sink is released.
bool controller::hold_back() {
  const auto now = async::clock::now();
  const auto* inside = loopback();
  const bool released = inside != nullptr && gate_.hold_back(plan_, *inside, now);
  owners_.hold_back(plan_, table_, now);
  return released;
}

// The loopback sink first: the other peers wait for its rules.
void controller::distribute() {
  plan_ = plan_exposure(table_, policy_);
  ++plans_;
  if (trace_) trace_->planned(async::clock::now());
  for (const auto& p : peers_)
    if (p.role == peer_role::loopback) send_part(p);
  hold_back();
  for (const auto& p : peers_)
    if (p.role != peer_role::loopback) send_part(p);
  log_verdicts();
  announce();
}

// The loopback sink has answered.
void controller::release() {
  if (!gate_.waits() || !hold_back()) return;
  for (const auto& p : peers_)
    if (p.role != peer_role::loopback) send_part(p);
}

// Logs once for each port that it is not exposed, or not at the published address.
void controller::log_verdicts() {
  std::set<ports::port_key> now;
  for (const auto& port : plan_.ports) {
    const auto& asked = port.claims.front().what;
    if (port.decision == ports::verdict::ignored) continue;  // an administrator wants it so
    const bool narrowed =
        port.rule.empty() && !asked.host_address.is_loopback() && !asked.host_address.is_unspecified();
    const bool withheld = port.decision != ports::verdict::exposed && port.decision != ports::verdict::covered;
    if (!narrowed && !withheld) continue;
    now.insert(port.key);
    if (warned_.contains(port.key)) continue;
    if (withheld)
      base::log::throttled(verdict_lines_, level::warn, "policy", "{} of {} is not exposed: {}", to_string(port.key),
                           owner_of(asked), port.reason);
    else
      base::log::throttled(verdict_lines_, level::info, "policy",
                           "{} of {} was asked for on {}, which is not the host's: bound to loopback",
                           to_string(port.key), owner_of(asked), asked.host_address.to_string());
  }
  warned_ = std::move(now);
}

async::task<> controller::follow(const peer& followed) {
  while (true) {
    co_await followed.reconciler->changed().wait();
    if (followed.role == peer_role::loopback) release();
    announce();
  }
}

async::task<> controller::run() {
  async::task_group tasks(co_await async::asio::this_coro::executor);
  for (const auto& p : peers_) {
    const std::string name(p.reconciler->peer().name());
    tasks.spawn(name, p.reconciler->run());
    tasks.spawn(name + " status", follow(p));
  }
  distribute();
  co_await tasks.join_or_stop();
}

async::task<> controller::drain(async::clock::time_point deadline) {
  async::task_group tasks(co_await async::asio::this_coro::executor);
  for (const auto& p : peers_) tasks.spawn("drain", p.reconciler->drain(deadline));
  co_await tasks.join_or_stop();
}

status_view controller::view() const {
  status_view v{program_version,
                policy_.mode,
                &table_,
                &plan_,
                {},
                started_,
                async::clock::now(),
                std::chrono::system_clock::now(),
                rules_trouble_};
  for (const auto& p : peers_)
    v.peers.push_back({p.reconciler->peer().name(), p.role, &p.reconciler->machine(), p.reconciler->journal_trouble(),
                       p.reconciler->peer().limitation()});
  return v;
}

}  // namespace guest_agent
