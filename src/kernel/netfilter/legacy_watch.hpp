// legacy_watch: says when to read iptables-legacy's nat tables again. The kernel announces no change of them, and a
// large table takes tens of milliseconds to read. Most changes alter a table's size, which costs nothing to ask for, so
// it is compared whenever a program of iptables-legacy has exited (lock_watch). A change that keeps the size is found
// by a reading some time after such a program.
//
// If those exits cannot be seen (no inotify, another lock), the sizes are polled, less and less often while nothing
// changes. The log says so once.
#pragma once

#include <array>
#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "async/task.hpp"
#include "kernel/netfilter/legacy_table.hpp"
#include "kernel/netfilter/lock_watch.hpp"

namespace netfilter {

struct legacy_watch_options {
  std::filesystem::path lock = "/run/xtables.lock";
  // Between polls while the lock is not seen: right after a change, and at most.
  std::chrono::milliseconds poll_first{250};
  std::chrono::milliseconds poll_last{2'000};
  // Between comparisons while the lock is seen, in case it is the wrong one.
  std::chrono::milliseconds recheck{20'000};
};

class legacy_watch {
 public:
  // Watches the network namespace of the calling thread, in which changed() must run too. `component` begins its log
  // lines.
  legacy_watch(const async::executor& where, legacy_watch_options options, std::string component);

  // Around each reading of the tables. The longer one takes, the rarer are readings without a change of size.
  void begin_reading();
  void end_reading() { took_ = async::clock::now() - read_at_; }

  // True if a table exists, existed at the last reading, or may exist.
  [[nodiscard]] bool has_tables() const { return !seen_ || (*seen_)[0] || (*seen_)[1]; }

  // Returns when the tables have changed since begin_reading() and the last return, or may have. It returns once for
  // each change, whether or not a reading follows. Cancelled: throws operation_aborted.
  async::task<> changed();

 private:
  using sizes = std::array<std::optional<legacy_size>, 2>;
  static std::optional<sizes> read_sizes();
  [[nodiscard]] bool lock_works() const { return lock_ != nullptr && !lock_missed_; }
  [[nodiscard]] async::clock::time_point suspicion_ends() const;
  [[nodiscard]] bool compare();
  async::task<bool> wait_for_sign();
  async::task<> check_lock();
  void log_polling();

  legacy_watch_options options_;
  std::string component_;
  std::unique_ptr<lock_watch> lock_;  // null: it cannot be watched
  std::optional<sizes> seen_;         // at the last reading or comparison; nothing: unknown
  async::clock::time_point read_at_{};
  async::clock::duration took_{};
  std::chrono::milliseconds pause_;
  bool suspected_ = false;    // the tables may have changed since, and kept their sizes
  bool lock_missed_ = false;  // a table changed, and the lock was not released
  bool logged_polling_ = false;
};

}  // namespace netfilter
