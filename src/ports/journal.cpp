#include "ports/journal.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdio>
#include <expected>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "base/backoff.hpp"
#include "base/log.hpp"
#include "base/read_file.hpp"
#include "base/result.hpp"
#include "base/text.hpp"
#include "base/unique_fd.hpp"
#include "os/lock_file.hpp"
#include "ports/binding.hpp"
#include "ports/journal_codec.hpp"
#include "ports/sink.hpp"
#include "ports/source_id.hpp"

namespace ports {
namespace {

constexpr std::size_t max_file_bytes = 64 << 20;
constexpr std::size_t lines_before_rewrite = 4096;

// Between two attempts to write the file anew on a disk that fails: each waits for the disk, and holds everyone up.
constexpr base::backoff rewrite_pace{
    .first = std::chrono::milliseconds(100), .cap = std::chrono::minutes(1), .jitter = 0};

// A program that a killed run was about to start holds its lock until it has been executed.
constexpr std::chrono::milliseconds lock_limit{200};

// A file that is not there has no lines; one that cannot be read is not "no lines".
base::result<std::string> read_lines(const std::filesystem::path& path) {
  auto text = base::read_file(path.string(), {.bytes = max_file_bytes, .follow_links = false});
  if (!text && text.error().code == std::errc::no_such_file_or_directory) return std::string();
  return text;
}

base::result<> write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const auto written = ::write(fd, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return base::fail_errno("write the journal");
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

base::result<> sync_file(const base::unique_fd& file) {
  return ::fdatasync(file.get()) == 0 ? base::result<>{} : base::fail_errno("sync the journal");
}

// Calls fdatasync whenever asked to, coalescing what piles up meanwhile. The file is the one that was set last.
class disk_syncer {
 public:
  using report = std::function<void(base::error)>;

  disk_syncer() : thread_([this] { run(); }) {}
  disk_syncer(const disk_syncer&) = delete;
  disk_syncer& operator=(const disk_syncer&) = delete;
  ~disk_syncer() {
    change([this] { stopping_ = true; });
    thread_.join();
  }

  void set(std::shared_ptr<const base::unique_fd> file) {
    change([&] {
      file_ = std::move(file);
      failed_ = false;
    });
  }
  void report_to(report to) {
    change([&] { report_ = std::move(to); });
  }
  // Whether the file's lines may be missing on the disk. The kernel reports that once: the next fdatasync may succeed.
  [[nodiscard]] bool failed() const {
    const std::lock_guard lock(mutex_);
    return failed_;
  }
  void request() {
    change([this] { wanted_ = true; });
  }
  void wait() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return !wanted_ && !busy_; });
  }

 private:
  // The notification follows the lock: the thread that wakes up would only wait for it.
  template <class Change>
  void change(Change what) {
    {
      const std::lock_guard lock(mutex_);
      what();
    }
    changed_.notify_all();
  }

  void run() {
    std::unique_lock lock(mutex_);
    while (true) {
      changed_.wait(lock, [this] { return wanted_ || stopping_; });
      if (!wanted_) return;
      const auto file = file_;
      wanted_ = false;
      busy_ = true;
      lock.unlock();
      const auto synced = file ? sync_file(*file) : base::result<>{};
      lock.lock();
      busy_ = false;
      if (!synced && file == file_ && !std::exchange(failed_, true) && report_) report_(synced.error());
      changed_.notify_all();
    }
  }

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::shared_ptr<const base::unique_fd> file_;
  report report_;
  bool wanted_ = false, busy_ = false, stopping_ = false, failed_ = false;
  std::thread thread_;
};

}  // namespace

struct journal::state {
  state() = default;
  state(const state&) = delete;
  state& operator=(const state&) = delete;
  ~state() { sync(); }

  std::filesystem::path path;
  std::string boot_id;
  std::optional<os::lock_file> lock;  // held as long as the journal is: the journal file itself is replaced by rewrites
  std::shared_ptr<const base::unique_fd> file;  // the syncer may still use the one before
  std::map<port_key, forward> live;
  std::vector<forward> remembered;
  bool same_boot = false;
  std::size_t lines = 0;
  bool unsynced = false;
  bool torn = false;  // the file is not what it should be: the last line may be half there, or all is an earlier run's
  base::result<> rewritten;                        // the last attempt
  unsigned failed_rewrites = 0;                    // since the last one that succeeded
  std::chrono::steady_clock::time_point retry_at;  // not before, for a rewrite that only the disk's state asks for
  disk_syncer syncer;

  base::result<> rewrite();
  base::result<> append(const std::string& text, std::size_t count);
  [[nodiscard]] bool sound() const { return !torn && !syncer.failed(); }
  [[nodiscard]] bool may_rewrite() const { return std::chrono::steady_clock::now() >= retry_at; }
  void sync() {
    if (std::exchange(unsynced, false)) syncer.request();
  }

 private:
  base::result<> put(const std::string& fresh, int fd) const;
  base::result<> replace_file();
};

// Writes the live entries to `fd`, the file `fresh`, and renames it into place.
base::result<> journal::state::put(const std::string& fresh, int fd) const {
  std::string text = encode_journal_header(boot_id);
  for (const auto& [key, f] : live) text += encode_journal_add(f);
  if (auto written = write_all(fd, text); !written) return written;
  if (::fdatasync(fd) != 0) return base::fail_errno("sync " + fresh);
  if (::rename(fresh.c_str(), path.c_str()) != 0) return base::fail_errno("rename " + fresh);
  return {};
}

base::result<> journal::state::rewrite() {
  rewritten = replace_file();
  failed_rewrites = rewritten ? 0 : failed_rewrites + 1;
  retry_at = rewritten ? std::chrono::steady_clock::time_point()
                       : std::chrono::steady_clock::now() + rewrite_pace.delay(failed_rewrites, 0);
  return rewritten;
}

base::result<> journal::state::replace_file() {
  const auto fresh = path.string() + ".new";
  ::unlink(fresh.c_str());  // whatever a killed run, or another program, has left there
  base::unique_fd fd(::open(fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0600));
  if (!fd) return base::fail_errno("open " + fresh);
  if (auto done = put(fresh, fd.get()); !done) {
    ::unlink(fresh.c_str());
    return done;
  }
  file = std::make_shared<const base::unique_fd>(std::move(fd));
  syncer.set(file);
  lines = live.size();
  torn = false;
  unsynced = false;
  return {};
}

// What is to be said is in `live` already, so a rewrite says it, too. Where the disk refuses that, the old file gets
// the
// lines: the kernel has them then, whatever becomes of the disk.
base::result<> journal::state::append(const std::string& text, std::size_t count) {
  if (text.empty()) return {};
  base::result<> anew;
  if (torn || (syncer.failed() && may_rewrite())) {
    anew = rewrite();
    if (anew || torn) return anew;
  }
  if (auto written = write_all(file->get(), text); !written) {
    torn = true;
    return written;
  }
  lines += count;
  unsynced = true;
  if (lines > lines_before_rewrite + 4 * live.size() && may_rewrite()) return rewrite();
  return anew;
}

journal::journal(std::unique_ptr<state> opened) : state_(std::move(opened)) {}
journal::journal(journal&&) noexcept = default;
journal& journal::operator=(journal&&) noexcept = default;
journal::~journal() = default;

base::result<journal> journal::open(const std::filesystem::path& directory, const std::string& peer,
                                    const std::string& boot_id, std::span<const source_id> sources) {
  std::error_code made;
  std::filesystem::create_directories(directory, made);
  if (made) return base::fail(made, "create " + directory.string());
  auto s = std::make_unique<state>();
  s->path = directory / (peer + ".journal");
  s->boot_id = boot_id;
  auto lock = os::lock_file::claim(directory / (peer + ".lock"), os::lock_file::at_end::keep, lock_limit);
  if (!lock && lock.error().code == std::errc::operation_would_block)
    return base::fail(lock.error().code, lock.error().context + " (is another agent running?)");
  if (!lock) return std::unexpected(lock.error());
  s->lock.emplace(std::move(*lock));
  const auto lines = read_lines(s->path);
  if (!lines) return std::unexpected(lines.error());
  auto content = parse_journal(*lines, sources);
  if (content.damaged_lines > 0)
    base::log::warn("journal", "skipped damaged lines path={} lines={}", s->path.string(), content.damaged_lines);
  s->same_boot = !boot_id.empty() && content.boot_id == boot_id;
  s->live = std::move(content.live);
  for (const auto& [key, f] : s->live) s->remembered.push_back(f);
  s->torn = true;
  static_cast<void>(s->rewrite());
  return journal(std::move(s));
}

const std::vector<forward>& journal::remembered() const { return state_->remembered; }
bool journal::same_boot() const { return state_->same_boot; }

base::result<> journal::record(std::span<const forward> about_to_be_added) {
  std::string text;
  for (const auto& f : about_to_be_added) {
    state_->live[f.key] = f;
    text += encode_journal_add(f);
  }
  return state_->append(text, about_to_be_added.size());
}

base::result<> journal::erase(std::span<const port_key> no_longer_ours) {
  std::string text;
  for (const auto& key : no_longer_ours)
    if (state_->live.erase(key) > 0) text += encode_journal_erase(key);
  return state_->append(text, no_longer_ours.size());
}

bool journal::sound() const { return state_->sound(); }
const base::result<>& journal::rewritten() const { return state_->rewritten; }
std::chrono::steady_clock::time_point journal::retry_at() const { return state_->retry_at; }
base::result<> journal::retry() { return sound() ? base::result<>() : state_->rewrite(); }

void journal::report_failed_syncs(std::function<void(base::error)> to) { state_->syncer.report_to(std::move(to)); }

bool journal::unsynced() const { return state_->unsynced; }

void journal::sync() { state_->sync(); }

void journal::flush() {
  sync();
  state_->syncer.wait();
}

std::string read_boot_id() {
  const auto text = base::read_file("/proc/sys/kernel/random/boot_id");
  return text ? std::string(base::trim(*text)) : std::string();
}

}  // namespace ports
