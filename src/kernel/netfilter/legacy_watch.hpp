// legacy_watch: tells when it is worth reading iptables-legacy's nat tables again. The kernel announces none of their
// changes, and a large table costs tens of milliseconds to read. Most changes change a table's size, which is had for
// nothing: it is looked at whenever a program of iptables-legacy has ended (lock_watch). A change that leaves the size
// is found by reading, some time after such a program.
//
// Where the end of those programs is not seen (no inotify, another lock), the sizes are polled, the more rarely the
// longer nothing changes, and the log says so once.
#pragma once

#include <array>
#include <chrono>
#include <filesystem>
#include <optional>

#include "async/task.hpp"
#include "kernel/netfilter/legacy_table.hpp"
#include "kernel/netfilter/lock_watch.hpp"

namespace netfilter {

struct legacy_watch_options {
  std::filesystem::path lock = "/run/xtables.lock";
  std::chrono::milliseconds poll_first{250};   // between looks where the lock is not seen, right after a change …
  std::chrono::milliseconds poll_last{2'000};  // … and in quietness
  std::chrono::milliseconds look{20'000};      // between looks where it is seen, in case it is another one
};

class legacy_watch {
 public:
  // Watches the network namespace of the calling thread, which must be the one that changed() is run in.
  explicit legacy_watch(const async::executor& where, legacy_watch_options options = {});

  // Around each reading of the tables; the longer it takes, the rarer is the reading without a change of size.
  void begin_reading();
  void end_reading() { took_ = async::clock::now() - read_at_; }

  // True if there is a table, was when they were read last, or may be.
  [[nodiscard]] bool has_tables() const { return !seen_ || (*seen_)[0] || (*seen_)[1]; }

  // Returns when the tables have changed since begin_reading() and the last return, or may have: once for each change,
  // whether they are read or not. Cancelled: throws operation_aborted.
  async::task<> changed();

 private:
  using sizes = std::array<std::optional<legacy_size>, 2>;
  static std::optional<sizes> look();
  [[nodiscard]] bool lock_tells() const { return lock_ && !lock_missed_; }
  [[nodiscard]] async::clock::time_point doubt_ends() const;
  [[nodiscard]] bool is_news();
  async::task<bool> wait_for_sign();
  async::task<> check_lock();
  void log_polling();

  legacy_watch_options options_;
  std::optional<lock_watch> lock_;
  std::optional<sizes> seen_;  // when the tables were read last; nothing: the kernel does not say
  async::clock::time_point read_at_{};
  async::clock::duration took_{};
  std::chrono::milliseconds pause_;
  bool in_doubt_ = false;     // the tables may have changed since, and kept their sizes
  bool lock_missed_ = false;  // a table changed, and the lock told nothing
  bool told_of_polling_ = false;
};

}  // namespace netfilter
