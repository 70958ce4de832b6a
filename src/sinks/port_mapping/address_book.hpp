// address_book: under which addresses the VM has been known to a receiver that outlives it, on disk. What was told with
// addresses that the VM no longer has (it was started again, it got another lease) stays open on the host until it is
// taken back with just these addresses.
//
// The file holds one PortMapping document without ports for each set of addresses, the newest first.
#pragma once

#include <filesystem>
#include <vector>

#include "sinks/port_mapping/peer_monitor.hpp"

namespace port_mapping_peer {

class address_book {
 public:
  // Reads what earlier runs left; a file that is not there, or damaged, is an empty one.
  explicit address_book(std::filesystem::path file);

  // From now on the VM has these. On disk before it returns; where that fails, the book goes on in memory (logged).
  void move_to(const connect_addresses& now);
  // The sets before that, of which the first address of a family differs from now: those a receiver has connected to.
  [[nodiscard]] std::vector<connect_addresses> former() const;
  // Nothing is left under them. Somebody else may have got one by now, and it is his.
  void forget_former();

 private:
  void write() const;

  std::filesystem::path file_;
  std::vector<connect_addresses> known_;  // the current one first; a few
};

}  // namespace port_mapping_peer
