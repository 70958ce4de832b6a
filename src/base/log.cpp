#include "base/log.hpp"

#include <fcntl.h>
#include <linux/magic.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <cerrno>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "base/unique_fd.hpp"

namespace base::log {
namespace {

// Makes sure that lines can be appended to the file without waiting for another process. A FIFO blocks its opener until
// it has a reader. A pipe that is open already, such as /dev/fd/3, does not.
result<> check_writable_at_once(const std::string& path) {
  const unique_fd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0600));
  struct stat about{};
  if (fd ? ::fstat(fd.get(), &about) != 0 : errno != ENXIO) return fail_errno(path);
  if (fd && (S_ISREG(about.st_mode) || S_ISCHR(about.st_mode))) return {};
  struct statfs where{};
  const bool open_pipe =
      fd && S_ISFIFO(about.st_mode) && ::fstatfs(fd.get(), &where) == 0 && where.f_type == PIPEFS_MAGIC;
  return open_pipe ? result<>{} : fail(path + ": is neither a file nor an open pipe");
}

std::shared_ptr<spdlog::logger> make_logger(const spdlog::sink_ptr& sink) {
  auto logger = std::make_shared<spdlog::logger>("guestagent", sink);
  logger->set_formatter(
      std::make_unique<spdlog::pattern_formatter>("%Y-%m-%dT%H:%M:%S.%eZ %v", spdlog::pattern_time_type::utc));
  logger->set_level(spdlog::level::info);
  logger->flush_on(spdlog::level::debug);
  return logger;
}

std::shared_ptr<spdlog::logger>& logger() {
  static auto instance = make_logger(std::make_shared<spdlog::sinks::stderr_sink_mt>());
  return instance;
}

spdlog::level::level_enum translate(level at) {
  switch (at) {
    case level::debug: return spdlog::level::debug;
    case level::info: return spdlog::level::info;
    case level::warn: return spdlog::level::warn;
    case level::error: break;
  }
  return spdlog::level::err;
}

std::string_view name(level at) {
  switch (at) {
    case level::debug: return "DEBUG";
    case level::info: return "INFO";
    case level::warn: return "WARN";
    case level::error: break;
  }
  return "ERROR";
}

}  // namespace

void set_level(level least) { logger()->set_level(translate(least)); }

result<> set_file(const std::string& path) try {
  const auto least = logger()->level();
  // The open descriptors: under systemd they are sockets, which cannot be opened by their names.
  if (path == "/dev/stdout") {
    logger() = make_logger(std::make_shared<spdlog::sinks::stdout_sink_mt>());
  } else if (path == "/dev/stderr") {
    logger() = make_logger(std::make_shared<spdlog::sinks::stderr_sink_mt>());
  } else {
    if (auto writable = check_writable_at_once(path); !writable) return writable;
    logger() = make_logger(std::make_shared<spdlog::sinks::basic_file_sink_mt>(path));
  }
  logger()->set_level(least);
  return {};
} catch (const spdlog::spdlog_ex& e) {
  return fail(e.what());
}

bool enabled(level at) { return logger()->should_log(translate(at)); }

void write(level at, std::string_view component, std::string_view text) {
  logger()->log(translate(at), "{} {}: {}", name(at), component, text);
}

}  // namespace base::log
