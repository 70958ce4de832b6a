// descriptor_budget: shares out the descriptors of the process (RLIMIT_NOFILE), so that no use takes all of them. An
// eighth, at most 2,048, is reserved for control (the API's connections, accept, files). Each use has a guaranteed part
// of the rest, and may exceed it while the guarantees of the others stay untouched:
//
//   listener     1/4   a listening or bound socket; refused beyond it
//   connection   1/4   two sockets; refused beyond it, see port_share for how ports and clients share it
//   flow         1/8   a UDP client; the oldest flow of the largest client makes room, see flow_table
//   pipe         1/16  for bulk data on its way, at most 64; without a pipe the relay copies
//
// A fixed cap for each use would leave most descriptors unused: a program has either many listeners or many
// connections. Only pipes have a cap: all processes of a user share the kernel's memory for them (64 MiB), and the 32
// that 64 descriptors make take 16 MiB. Any thread may call.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <utility>

namespace relay {

class descriptor_budget;

enum class descriptor_use : std::uint8_t { listener, connection, flow, pipe };

// Granted descriptors; returns them when it is destroyed. Empty: none were granted.
class descriptor_lease {
 public:
  descriptor_lease() = default;
  descriptor_lease(descriptor_lease&& other) noexcept
      : budget_(std::exchange(other.budget_, nullptr)), use_(other.use_), count_(other.count_) {}
  descriptor_lease& operator=(descriptor_lease&& other) noexcept {
    std::swap(budget_, other.budget_);
    std::swap(use_, other.use_);
    std::swap(count_, other.count_);
    return *this;
  }
  ~descriptor_lease();

  [[nodiscard]] explicit operator bool() const { return budget_ != nullptr; }

 private:
  friend class descriptor_budget;
  descriptor_lease(descriptor_budget& budget, descriptor_use use, std::size_t count)
      : budget_(&budget), use_(use), count_(count) {}

  descriptor_budget* budget_ = nullptr;
  descriptor_use use_{};
  std::size_t count_ = 0;
};

class descriptor_budget {
 public:
  explicit descriptor_budget(std::size_t limit);
  // The budget of this process, from its limit at the first call.
  static descriptor_budget& of_process();

  [[nodiscard]] descriptor_lease take(descriptor_use use, std::size_t count = 1);
  // How many more descriptors this use could take now.
  [[nodiscard]] std::size_t available(descriptor_use use) const;
  // How many it could take if no other use held any.
  [[nodiscard]] std::size_t capacity(descriptor_use use) const;
  [[nodiscard]] std::size_t guaranteed(descriptor_use use) const;
  [[nodiscard]] std::size_t reserve() const { return reserve_; }

 private:
  friend class descriptor_lease;
  static constexpr std::size_t uses = 4;
  void give_back(descriptor_use use, std::size_t count);
  [[nodiscard]] std::size_t available_locked(descriptor_use use) const;

  std::size_t reserve_;
  std::size_t total_;
  std::array<std::size_t, uses> guaranteed_;
  std::array<std::size_t, uses> used_{};
  mutable std::mutex lock_;
};

}  // namespace relay
