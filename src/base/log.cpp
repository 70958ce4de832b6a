#include "base/log.hpp"

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <memory>
#include <string>
#include <string_view>

namespace base::log {
namespace {

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

bool set_file(const std::string& path) try {
  const auto least = logger()->level();
  // The open descriptor: under systemd it is a socket, which cannot be opened by its name.
  if (path == "/dev/stdout")
    logger() = make_logger(std::make_shared<spdlog::sinks::stdout_sink_mt>());
  else
    logger() = make_logger(std::make_shared<spdlog::sinks::basic_file_sink_mt>(path));
  logger()->set_level(least);
  return true;
} catch (const spdlog::spdlog_ex&) {
  return false;
}

bool enabled(level at) { return logger()->should_log(translate(at)); }

void write(level at, std::string_view component, std::string_view text) {
  logger()->log(translate(at), "{} {}: {}", name(at), component, text);
}

}  // namespace base::log
