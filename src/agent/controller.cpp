#include "agent/controller.hpp"

#include "agent/composition.hpp"
#include "agent/version.hpp"
#include "base/log.hpp"
#include "base/text.hpp"

namespace agent {
namespace {

std::string owner_of(const ports::binding& b) { return base::printable(b.owner_name.empty() ? b.owner : b.owner_name); }

}  // namespace

controller::controller(const io::executor& where, ports::exposure_options policy)
    : policy_(policy), started_(io::clock::now()), changed_(where) {}

void controller::add_peer(peer_role role, std::unique_ptr<ports::reconciler> reconciler) {
  peers_.push_back({role, std::move(reconciler)});
}

void controller::announce() {
  ++changes_;
  changed_.notify_all();
}

void controller::publish(ports::source_id id, ports::snapshot now) {
  const auto& before = table_.source(id);
  const bool was_well = before.reported && !before.trouble;
  const auto count = now.bindings.size();
  if (!table_.publish(id, std::move(now))) return;
  if (!was_well)
    base::log::info(to_string(id), "connected bindings={}", count);
  else
    base::log::debug(to_string(id), "published bindings={}", count);
  distribute();
}

void controller::degraded(ports::source_id id, base::error why) {
  const auto& before = table_.source(id);
  if (before.trouble == why) return;
  const bool new_text = !before.trouble || before.trouble->message() != why.message();
  if (new_text)
    base::log::warn(to_string(id), "not available, its ports stay as they are reason=\"{}\"",
                    base::printable(why.message()));
  table_.degraded(id, std::move(why));
  announce();
}

void controller::distribute() {
  plan_ = plan_exposure(table_, policy_);
  const auto settled = table_.settled();
  const auto epoch = table_.epoch();
  for (const auto& p : peers_) p.reconciler->want(part_of(plan_, p.role), settled, epoch);
  log_verdicts();
  announce();
}

// Says once of each port that it is not exposed, or not at the address that was asked for.
void controller::log_verdicts() {
  std::set<ports::port_key> now;
  for (const auto& port : plan_.ports) {
    const auto& asked = port.claims.front().what;
    const bool narrowed = !asked.host_address.is_loopback() && !asked.host_address.is_unspecified();
    const bool told = port.decision == ports::verdict::restricted || port.decision == ports::verdict::unsupported;
    if (!narrowed && !told) continue;
    now.insert(port.key);
    if (warned_.contains(port.key)) continue;
    if (told)
      base::log::warn("policy", "{} of {} is not exposed: {}", to_string(port.key), owner_of(asked), port.reason);
    else
      base::log::info("policy", "{} of {} was asked for on {}, which is not the host's: bound to loopback",
                      to_string(port.key), owner_of(asked), asked.host_address.to_string());
  }
  warned_ = std::move(now);
}

io::task<> controller::follow(ports::reconciler& reconciler) {
  while (true) {
    co_await reconciler.changed().wait();
    announce();
  }
}

io::task<> controller::run() {
  io::task_group tasks(co_await io::asio::this_coro::executor);
  for (const auto& p : peers_) {
    const std::string name(p.reconciler->peer().name());
    tasks.spawn(name, p.reconciler->run());
    tasks.spawn(name + " status", follow(*p.reconciler));
  }
  distribute();
  co_await tasks.join_or_stop();
}

io::task<> controller::drain(io::clock::time_point deadline) {
  io::task_group tasks(co_await io::asio::this_coro::executor);
  for (const auto& p : peers_) tasks.spawn("drain", p.reconciler->drain(deadline));
  co_await tasks.join_or_stop();
}

status_view controller::view() const {
  status_view v{
      program_version, policy_.mode, &table_, &plan_, {}, started_, io::clock::now(), std::chrono::system_clock::now()};
  for (const auto& p : peers_) v.peers.push_back({p.reconciler->peer().name(), p.role, &p.reconciler->machine()});
  return v;
}

}  // namespace agent
