#include "programs/guestagentctl/request.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <expected>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "base/text.hpp"
#include "program/command_line.hpp"
#include "program/flag_values.hpp"
#include "program/go_flags.hpp"
#include "program/program_description.hpp"
#include "programs/guestagentctl/explain.hpp"
#include "programs/guestagentctl/port_filter.hpp"

namespace guestagentctl {
namespace {

constexpr auto description =
    "Shows what the guest agent is doing.\n\n"
    "ports: each port that a container engine publishes, one per line: the address on the host, the container's port, "
    "its owner, its state at each peer, since when, and why not. The states are applied; foreign: another program "
    "opened it before; pending; conflict: its port is in use; retrying; refused: the peer rejected it; down: the peer "
    "cannot be reached; restricted, unsupported, shadowed, covered and ignored: by policy or by a rule. A port that is "
    "no longer published "
    "is listed while it may be open: removing; leftover: its removal must wait; retrying, refused and down as "
    "above. Ports that follow each other and are alike share a line. Ports that a rule leaves out are counted at the "
    "end.\n\n"
    "ports -wait PORT: waits until every peer that should have the port has it and, over TCP, until it answers: a "
    "connection to it inside the VM stays open for half a second or brings bytes. So it runs in the agent's network "
    "namespace. Nothing can show that of UDP. Exits with 0 when it is ready; with 3 "
    "when it is not after -timeout, or with 4 if a peer then reports a conflict; with 5, at once, if a rule or the "
    "policy leaves it out.\n\n"
    "status: the agent, its sources with what they refused, and its peers.\n\n"
    "events: one JSON object in a line for each port that is exposed, withdrawn, in conflict or resolved; first what "
    "is open and in conflict now. Continues when the agent has restarted, and exits with 1 when the agent is away for "
    "longer than -timeout.\n\n"
    "rules show: the agent's port rules with the number of ports that each decides now; the last ones are built in.\n\n"
    "rules check FILE: whether an agent would take this rules file, with the place of each error. Needs no agent.\n\n"
    "explain: why a port is open or not: which source claims it, which port rule decided, what each peer said, and "
    "what would have to change. WHAT is a port, as in 8080 or 53/udp, or a container or Service: its name, its id, or "
    "the beginning of its id.";

// The commands that have a flag; all of them have the others.
struct limited_flag {
  std::string_view name;
  std::array<std::string_view, 2> commands;
};

constexpr std::array<limited_flag, 8> limited_flags{{{"json", {"ports", "status"}},
                                                     {"watch", {"ports", "status"}},
                                                     {"all", {"ports"}},
                                                     {"source", {"ports"}},
                                                     {"state", {"ports"}},
                                                     {"name", {"ports"}},
                                                     {"wait", {"ports"}},
                                                     {"timeout", {"ports", "events"}}}};

base::result<> check_flags(const request& r, const program::command_line& given) {
  for (const auto& flag : limited_flags)
    if (given.is_set(flag.name) && std::ranges::find(flag.commands, r.command) == flag.commands.end())
      return base::fail(fmt::format("-{} is not for {}", flag.name, r.command));
  if (r.wait && (r.json || r.watch || r.filter != port_filter()))
    return base::fail("-wait goes with -timeout and -socket alone");
  if (r.command == "ports" && !r.wait && given.is_set("timeout")) return base::fail("-timeout goes with -wait");
  return {};
}

base::result<question> awaited_port(std::string_view text) {
  auto asked = parse_question(text);
  if (!asked) return asked;
  if (!asked->port) return base::fail("not a port like 8080/tcp");
  if (asked->protocol.empty()) asked->protocol = "tcp";
  return asked;
}

base::result<> complete_rules(request& r, const program::command_line& given) {
  const auto& file = given.further();
  if (given.argument() == "show")
    return file ? base::fail("rules show: unexpected argument: " + base::printable(*file)) : base::result<>{};
  if (given.argument() != "check") return base::fail("rules: show or check, not " + base::printable(given.argument()));
  if (!file || file->empty()) return base::fail("rules check: no FILE");
  r.rules_file = *file;
  return {};
}

}  // namespace

program::about describe_program() {
  return {.name = "guestagentctl",
          .description = description,
          .commands = {{"ports"}, {"status"}, {"events"}, {"explain", "WHAT"}, {"rules", "show|check", "FILE"}},
          .exit_codes = {{exit_timeout, "ports -wait: the port is not open, or does not answer, in time"},
                         {exit_conflict, "ports -wait: a peer reports that the port is in use"},
                         {exit_left_out, "ports -wait: a rule or the policy leaves the port out"}}};
}

void add_flags(program::flag_set& flags, request& r) {
  flags.add("socket", r.socket, program::path, "The `path` of the agent's status socket.");
  flags.add("json", r.json, "Print JSON instead of tables.");
  flags.add("watch", r.watch, "Keep running and reprint after every change, until interrupted.");
  flags.add("all", r.filter.all,
            "For ports: one line for each port, and also the ports that port rules leave out. JSON always has them.");
  flags.add("source", r.filter.source, "For ports: only those that this `source` claims.");
  flags.add("state", r.filter.state, "For ports: only those in this `state` at a peer, or by policy.");
  flags.add("name", r.filter.name,
            "For ports: only those whose owner's name has this `text` in it, or fits it if it has * or ? in it.");
  flags.add("wait", r.wait, awaited_port, "",
            "For ports: wait until this `port`, as in 8080/tcp, is open and answers; print nothing else.");
  flags.add("timeout", r.timeout, program::duration, "30s",
            "How long ports -wait waits, and how long events waits for an agent that is away: a `duration` like 10s.");
}

base::result<> complete(request& r, const program::command_line& given) {
  r.command = given.command();
  if (auto sound = check_flags(r, given); !sound) return sound;
  if (r.command == "rules") return complete_rules(r, given);
  if (r.command != "explain") return {};
  auto asked = parse_question(given.argument());
  if (!asked) return std::unexpected(asked.error());
  r.question = *asked;
  return {};
}

}  // namespace guestagentctl
