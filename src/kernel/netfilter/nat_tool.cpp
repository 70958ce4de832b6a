#include "kernel/netfilter/nat_tool.hpp"

#include <unistd.h>

#include <cstdlib>
#include <expected>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "async/task.hpp"
#include "base/result.hpp"
#include "base/text.hpp"
#include "kernel/netfilter/iptables_save.hpp"
#include "os/process.hpp"

namespace netfilter {
namespace {

constexpr std::size_t table_limit = 64 << 20;
constexpr int exit_lock_held = 4;

std::string find_program(std::string_view name) {
  const char* path = std::getenv("PATH");
  const std::string places =
      std::string(path == nullptr ? "" : path) + ":/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin";
  for (const auto place : base::split(places, ':')) {
    const auto candidate = std::filesystem::path(place) / name;
    if (!place.empty() && ::access(candidate.c_str(), X_OK) == 0) return candidate.string();
  }
  return {};
}

std::optional<nat_programs> find_variant(nat_variant variant, const std::string& stem) {
  nat_programs found{variant, find_program(stem + "-save"), find_program(stem + "-restore")};
  return found.save.empty() || found.restore.empty() ? std::nullopt : std::optional(found);
}

base::error failure_of(const os::process_output& output, const std::string& program) {
  const bool locked = output.exit_code == exit_lock_held;
  return {
      locked ? std::make_error_code(std::errc::resource_unavailable_try_again) : std::error_code{},
      program + " exited with " + std::to_string(output.exit_code) + ": " + base::printable(base::trim(output.err))};
}

}  // namespace

std::string_view to_string(nat_variant variant) {
  switch (variant) {
    case nat_variant::nft: return "nft";
    case nat_variant::legacy: return "legacy";
    case nat_variant::plain: break;
  }
  return "plain";
}

std::vector<nat_programs> find_nat_programs() {
  std::vector<nat_programs> found;
  if (auto nft = find_variant(nat_variant::nft, "iptables-nft")) found.push_back(std::move(*nft));
  if (auto legacy = find_variant(nat_variant::legacy, "iptables-legacy")) found.push_back(std::move(*legacy));
  if (!found.empty()) return found;
  if (auto plain = find_variant(nat_variant::plain, "iptables")) found.push_back(std::move(*plain));
  return found;
}

async::task<base::result<nat_table>> nat_tool::read(rule_filter wanted) const {
  os::process_request request{{programs_.save, "-t", "nat"}, {}, table_limit};
  const auto output = co_await os::run_process(std::move(request), programs_.limit);
  if (!output) co_return std::unexpected(output.error());
  if (output->exit_code != 0) co_return std::unexpected(failure_of(*output, programs_.save));
  co_return parse_nat_table(output->out, wanted);
}

bool nat_tool::is_installed() const {
  return ::access(programs_.save.c_str(), X_OK) == 0 && ::access(programs_.restore.c_str(), X_OK) == 0;
}

// Fails if the program did not execute the lines.
async::task<base::result<os::process_output>> nat_tool::restore(std::vector<std::string> lines,
                                                                std::string table) const {
  os::process_request request{{programs_.restore, "--noflush", "--wait=3"}, restore_input(lines, table), table_limit};
  auto output = co_await os::run_process(std::move(request), programs_.limit);
  if (!output || output->exit_code == 0) co_return output;
  co_return std::unexpected(failure_of(*output, programs_.restore));
}

async::task<base::result<nat_table>> nat_tool::read_chains(std::vector<std::string> chains, std::string table) const {
  for (auto& name : chains) name = list_line(name);
  const auto output = co_await restore(std::move(chains), std::move(table));
  if (!output) co_return std::unexpected(output.error());
  co_return parse_rule_list(output->out);
}

async::task<base::result<pid_t>> nat_tool::change(std::vector<std::string> lines, std::string table) const {
  const auto output = co_await restore(std::move(lines), std::move(table));
  if (!output) co_return std::unexpected(output.error());
  co_return output->pid;
}

std::optional<std::size_t> rejected_line(std::string_view message) {
  const auto at = message.find("line");
  if (at == std::string_view::npos) return std::nullopt;
  const auto number = message.find_first_of("0123456789", at);
  if (number == std::string_view::npos || number > at + 6) return std::nullopt;  // "line 3", "line: 3"
  const auto end = message.find_first_not_of("0123456789", number);
  return base::parse_number<std::size_t>(message.substr(number, end == std::string_view::npos ? end : end - number));
}

}  // namespace netfilter
