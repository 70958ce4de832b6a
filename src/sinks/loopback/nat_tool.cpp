#include "sinks/loopback/nat_tool.hpp"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "base/log.hpp"
#include "base/text.hpp"
#include "netfilter/legacy_table.hpp"

namespace loopback {
namespace {

constexpr std::chrono::seconds run_limit{8};
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

std::string complaint(const io::process_output& output, const std::string& program) {
  return program + " exited with " + std::to_string(output.exit_code) + ": " + base::printable(base::trim(output.err));
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

io::task<base::result<nat_table>> nat_tool::read(rule_filter wanted) {
  // A program that only looks makes the kernel create the legacy table; so the kernel is asked first.
  const bool absent = programs_.variant == nat_variant::legacy && !netfilter::has_legacy_nat(netfilter::family::ipv4);
  if (absent) co_return nat_table{};
  io::process_request request{{programs_.save, "-t", "nat"}, {}, table_limit};
  const auto output = co_await io::run_process(std::move(request), run_limit);
  if (!output) co_return std::unexpected(output.error());
  if (output->exit_code == exit_lock_held)
    co_return base::fail(std::errc::resource_unavailable_try_again, complaint(*output, programs_.save));
  if (output->exit_code != 0) {
    log_unusable(complaint(*output, programs_.save));
    co_return nat_table{};
  }
  auto table = parse_nat_table(output->out, wanted);
  if (table) unusable_ = false;
  co_return table;
}

// Fails where the program did not do what the lines say.
io::task<base::result<io::process_output>> nat_tool::restore(std::vector<std::string> lines) const {
  io::process_request request{{programs_.restore, "--noflush", "--wait=3"}, restore_input(lines), table_limit};
  auto output = co_await io::run_process(std::move(request), run_limit);
  if (!output || output->exit_code == 0) co_return output;
  const bool locked = output->exit_code == exit_lock_held;
  const auto code = locked ? std::make_error_code(std::errc::resource_unavailable_try_again) : std::error_code{};
  co_return base::fail(code, complaint(*output, programs_.restore));
}

io::task<base::result<nat_table>> nat_tool::read_chains(std::vector<std::string> chains) {
  for (auto& name : chains) name = list_line(name);
  const auto output = co_await restore(std::move(chains));
  if (!output) co_return std::unexpected(output.error());
  unusable_ = false;
  co_return parse_rule_list(output->out);
}

io::task<base::result<pid_t>> nat_tool::change(const std::vector<std::string>& lines) {
  const auto output = co_await restore(lines);
  if (!output) co_return std::unexpected(output.error());
  co_return output->pid;
}

// A kernel or a table that this variant cannot work with: its ports are relayed instead.
void nat_tool::log_unusable(std::string_view why) {
  if (!unusable_)
    base::log::warn("loopback", "iptables cannot be used variant={} reason=\"{}\"", to_string(programs_.variant), why);
  unusable_ = true;
}

std::optional<std::size_t> line_complained_of(std::string_view message) {
  const auto at = message.find("line");
  if (at == std::string_view::npos) return std::nullopt;
  const auto number = message.find_first_of("0123456789", at);
  if (number == std::string_view::npos || number > at + 6) return std::nullopt;  // "line 3", "line: 3"
  const auto end = message.find_first_not_of("0123456789", number);
  return base::parse_number<std::size_t>(message.substr(number, end == std::string_view::npos ? end : end - number));
}

}  // namespace loopback
