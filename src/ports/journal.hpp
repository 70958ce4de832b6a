// journal: what this agent has exposed on one peer, on disk, so that an agent that comes after a crash or a reboot of
// the VM knows what it may remove. One file a peer, "<directory>/<peer>.journal"; the format is in journal_codec.hpp.
//
// record() is called before the peer is asked: write(2) has returned, so a kill -9 loses nothing. sync() brings the
// disk up to date behind the caller's back, by a thread of the journal's own (fdatasync, coalesced): only a power
// failure within those milliseconds can lose a line. When the file has grown to several times what is live it is
// written anew and renamed into place. A write or a sync that fails is reported, and the journal keeps working: the
// whole file is written anew, by retry() or by the next change. On a disk that fails this is tried less and less often,
// and meanwhile the old file gets the lines, so that a kill -9 still loses nothing.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "ports/sink.hpp"

namespace ports {

class journal {
 public:
  // Reads what an earlier run left (a damaged line is skipped and logged) and writes the file anew; on a disk that is
  // full or read-only that is reported by rewritten(), and tried again at each change. Fails where the directory or the
  // lock beside the file cannot be made, or another agent holds it (flock). `sources`: those whose names it may hold.
  static base::result<journal> open(const std::filesystem::path& directory, const std::string& peer,
                                    const std::string& boot_id,
                                    std::span<const source_id> sources = registered_sources);
  journal(journal&&) noexcept;
  journal& operator=(journal&&) noexcept;
  ~journal();

  // What was live when it was opened, and whether the VM has been up without a break since then.
  [[nodiscard]] const std::vector<forward>& remembered() const;
  [[nodiscard]] bool same_boot() const;

  base::result<> record(std::span<const forward> about_to_be_added);
  base::result<> erase(std::span<const port_key> no_longer_ours);
  // Whether the file has all lines, and the disk will have them after sync().
  [[nodiscard]] bool sound() const;
  // The error of the last attempt to write the file anew.
  [[nodiscard]] const base::result<>& rewritten() const;
  // Writes the file anew where it is not sound(). On a disk that fails it is time for that at retry_at().
  base::result<> retry();
  [[nodiscard]] std::chrono::steady_clock::time_point retry_at() const;
  // `to` receives the first failed sync after each success. It runs in the journal's thread and calls no function of
  // the journal.
  void report_failed_syncs(std::function<void(base::error)> to);
  // Whether lines were written since the last sync().
  [[nodiscard]] bool unsynced() const;
  // Has the disk brought up to date, and does not wait for it. The destructor does the same.
  void sync();
  // Waits for the disk.
  void flush();

 private:
  struct state;
  explicit journal(std::unique_ptr<state> opened);
  std::unique_ptr<state> state_;
};

// /proc/sys/kernel/random/boot_id; empty where it cannot be read.
[[nodiscard]] std::string read_boot_id();

}  // namespace ports
