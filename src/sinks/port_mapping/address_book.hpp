// address_book: the VM's addresses that a receiver has been sent, on disk, as the receiver outlives the VM. Ports sent
// with former addresses (the VM restarted, or got another lease) stay open on the host until a removal names the same
// addresses.
//
// The file holds one PortMapping document without ports for each set of addresses, the newest first.
#pragma once

#include <filesystem>
#include <vector>

#include "base/episode.hpp"
#include "sinks/port_mapping/peer_monitor.hpp"

namespace port_mapping_peer {

class address_book {
 public:
  // Reads the book of earlier runs; a missing or damaged file is an empty book.
  explicit address_book(std::filesystem::path file);

  // Sets the VM's current addresses. On disk when it returns; if that fails, the book stays in memory. Logged when that
  // begins and when it ends.
  void move_to(const connect_addresses& now);
  // Former sets whose first address of a family differs from the current one: a receiver has connected to that one.
  [[nodiscard]] std::vector<connect_addresses> former() const;
  // Nothing is left under them. Another machine may have such an address by now.
  void forget_former();

 private:
  void write();

  std::filesystem::path file_;
  std::vector<connect_addresses> known_;  // the current one first; a few
  base::log::episode unwritten_{"port-mapping", "cannot remember the VM's addresses"};
};

}  // namespace port_mapping_peer
