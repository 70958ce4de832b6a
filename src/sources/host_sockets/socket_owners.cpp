#include "sources/host_sockets/socket_owners.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "kernel/netlink/sock_diag_codec.hpp"
#include "os/process_facts.hpp"
#include "sources/host_sockets/classify.hpp"
#include "sources/host_sockets/port_reservers.hpp"
#include "sources/host_sockets/process_table.hpp"

namespace host_sockets {
namespace {

using namespace std::chrono_literals;

// Between lookups of a socket with an uncertain owner: soon at first, because a process may be about to take it.
constexpr std::array<std::chrono::milliseconds, 4> pauses{20ms, 200ms, 2'000ms, 30'000ms};
constexpr std::array reserver_programs{"nerdctl"};  // hold a port while they start a container, and serve none
constexpr auto note_delay = 2s;  // nerdctl starts the process that reserves ports, then writes its file
constexpr auto note_slack = 5s;

bool is_in_doubt(owner o) {
  return o == owner::unknown || o == owner::kernel || o == owner::unresolved || o == owner::starting;
}

}  // namespace

socket_owners::socket_owners(owner_options options) : options_(std::move(options)) {
  for (auto& e : options_.engines) engines_.emplace_back(std::move(e));
}

std::vector<std::uint32_t> socket_owners::due(const std::vector<netlink::diag_socket>& sockets, time_point now) const {
  std::vector<std::uint32_t> inodes;
  for (const auto& s : sockets) {
    const auto doubt = doubts_.find(s.inode);
    if (!known_.contains(s.inode) || (doubt != doubts_.end() && doubt->second.again <= now)) inodes.push_back(s.inode);
  }
  return inodes;
}

void socket_owners::forget_all_but(const std::vector<netlink::diag_socket>& sockets) {
  inode_set listed;
  for (const auto& s : sockets) listed.insert(s.inode);
  std::erase_if(known_, [&](const auto& item) { return !listed.contains(item.first); });
  std::erase_if(doubts_, [&](const auto& item) { return !listed.contains(item.first); });
  processes_.forget_all_but(listed);
}

void socket_owners::note_trouble(const base::error& why) {
  if (!new_trouble_) new_trouble_ = why;
}

// A new server requires a second lookup of all sockets: its own, and its children's, may have been seen before.
bool socket_owners::identify_engines(const std::vector<netlink::diag_socket>& sockets) {
  bool changed = false;
  for (auto& e : engines_) changed = e.identify(processes_, sockets) || changed;
  if (changed) known_.clear();
  return changed;
}

const base::result<socket_owners::reserver_map>& socket_owners::reservers() {
  if (!reservers_) reservers_ = read_port_reservers(options_.run);
  return *reservers_;
}

// The file is newer than the process that it names, unless another process has got the number since.
owner socket_owners::classify_reserver(pid_t pid, const os::process_facts& process) {
  if (std::ranges::find(reserver_programs, process.name) != reserver_programs.end()) return owner::reserver;
  const auto& noted = reservers();
  const bool sleeps = process.name == "sleep";
  if (!noted) {
    if (!sleeps) return owner::other;
    note_trouble(noted.error());
    return owner::unknown;
  }
  const auto age = os::age_of(process.start);
  if (const auto at = noted->find(pid); at != noted->end()) {
    const auto started = std::chrono::system_clock::now() - age;
    if (sleeps || started <= at->second.written + note_slack) return owner::reserver;
  }
  return sleeps && age < note_delay ? owner::starting : owner::other;
}

owner socket_owners::classify_process(pid_t pid, const os::process_facts& process) {
  for (const auto& e : engines_)
    if (e.owns(pid, process)) return owner::engine;
  for (const auto& e : engines_) {
    const auto& trouble = e.trouble();
    if (trouble && e.has_name(process)) {
      note_trouble(*trouble);
      return owner::unknown;
    }
    if (e.may_become(process)) return owner::starting;
  }
  return classify_reserver(pid, process);
}

owner socket_owners::classify_holder(pid_t pid) {
  const auto facts = os::read_process_facts(pid);
  if (!facts) {
    note_trouble(facts.error());
    return owner::unknown;
  }
  const auto& process = *facts;
  return process ? classify_process(pid, *process) : owner::unresolved;
}

// Of several holders the most specific decides: a server that shares its socket with an engine is the engine's.
owner socket_owners::classify(std::uint32_t inode) {
  const auto& holders = processes_.holders(inode);
  if (holders.empty() && closed_.contains(inode)) return owner::unresolved;
  if (const auto& trouble = processes_.unreadable(); trouble && holders.empty()) {
    note_trouble(*trouble);
    return owner::unknown;
  }
  if (holders.empty()) return owner::kernel;
  auto found = owner::unresolved;
  for (const auto pid : holders) {
    if (pid == ::getpid()) return owner::agent;
    found = std::max(found, classify_holder(pid));
  }
  return found;
}

void socket_owners::look_up(const std::vector<std::uint32_t>& inodes, const list_again& list) {
  inode_set wanted;
  for (const auto inode : inodes)
    if (doubts_.contains(inode) || processes_.holders(inode).empty()) wanted.insert(inode);
  if (wanted.empty()) return;
  std::vector<pid_t> first{::getpid()};
  for (const auto& e : engines_)
    if (const auto pid = e.server_pid()) first.push_back(*pid);
  processes_.search(std::move(wanted), first, [&](inode_set& left) {
    const auto now = list();
    if (!now) return;
    for (const auto inode : left)
      if (!now->contains(inode)) closed_.insert(inode);
    std::erase_if(left, [this](std::uint32_t inode) { return closed_.contains(inode); });
  });
}

void socket_owners::settle(std::uint32_t inode, owner found, time_point now) {
  known_[inode] = found;
  if (!is_in_doubt(found)) {
    doubts_.erase(inode);
    return;
  }
  auto& d = doubts_[inode];
  d.again = now + pauses.at(std::min(d.attempts, pauses.size() - 1));
  ++d.attempts;
}

// An engine on TCP is identified by a socket that must be looked up first.
void socket_owners::ask(const std::vector<netlink::diag_socket>& sockets, time_point now, const list_again& list) {
  identify_engines(sockets);
  auto inodes = due(sockets, now);
  look_up(inodes, list);
  if (identify_engines(sockets)) {
    inodes = due(sockets, now);
    look_up(inodes, list);
  }
  for (const auto inode : inodes) settle(inode, classify(inode), now);
}

const owner_map& socket_owners::find(const std::vector<netlink::diag_socket>& sockets, time_point now,
                                     const list_again& list) {
  forget_all_but(sockets);
  const auto inodes = due(sockets, now);
  if (!inodes.empty()) {
    reservers_.reset();
    closed_.clear();
    new_trouble_.reset();
    if (const auto listed = processes_.refresh())
      ask(sockets, now, list);
    else
      for (const auto inode : inodes) give_up(inode, listed.error(), now);
  }
  const bool unknown = std::ranges::any_of(known_, [](const auto& item) { return item.second == owner::unknown; });
  if (!unknown)
    trouble_.reset();
  else if (new_trouble_)
    trouble_ = new_trouble_;
  return known_;
}

void socket_owners::give_up(std::uint32_t inode, const base::error& why, time_point now) {
  note_trouble(why);
  settle(inode, owner::unknown, now);
}

socket_owners::time_point socket_owners::next_question() const {
  auto next = time_point::max();
  for (const auto& [inode, d] : doubts_) next = std::min(next, d.again);
  return next;
}

}  // namespace host_sockets
