// expectation: what has to be open on the host and in the other distributions, from what Docker, containerd, Kubernetes
// and listeners offer inside the VM, and from the rules: docs/operations.md and docs/rules.md in a few lines. Pure, and
// without the agent's own code.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "net/listen_key.hpp"
#include "tests/soak/port_rule.hpp"
#include "tests/soak/shapes.hpp"

namespace soak {

// One port that something in the VM publishes.
struct offer {
  net::listen_key at;      // as it was published
  std::string owner{};     // for rules; empty: it has none
  std::string answerer{};  // the name with which its server answers
  bool answers = true;     // false: nothing serves it now
  bool operator==(const offer&) const = default;
};

// The ports of a run, on the addresses where they are published.
[[nodiscard]] std::vector<offer> offers_of(const std::vector<port_run>& runs, const std::string& owner,
                                           const std::string& answerer, bool answers);

// One line of `docker inspect` by inspect_format, for a container that runs; empty: not in that format.
inline constexpr std::string_view inspect_format =
    "{{.Name}} {{.State.Status}} {{.HostConfig.NetworkMode}} {{json .NetworkSettings.Ports}}";
struct running_container {
  std::string name;
  bool is_paused = false;
  bool uses_host_network = false;
  std::vector<offer> offers{};
};
[[nodiscard]] std::optional<running_container> parse_inspected(std::string_view line);

// The names in the table that `ctr tasks list` prints, of those that run.
[[nodiscard]] std::set<std::string> running_tasks(std::string_view table);

struct exposure {
  net::listen_key inside;               // the address is 127.0.0.1 or a wildcard
  std::optional<net::listen_key> host;  // where host-switch has it; nothing: not there
  std::optional<net::listen_key> wsl;   // where wsl-proxy has it
  std::string answerer{};
  bool answers = true;
  bool operator==(const exposure&) const = default;
};

// By the port inside: nothing else has the same one.
using exposures = std::map<net::listen_key, exposure>;
[[nodiscard]] exposures expect(const std::vector<offer>& offers, const std::vector<port_rule>& rules);

// The port of the Kubernetes API: for the other distributions alone.
void add_api_port(exposures& all, std::uint16_t port);

}  // namespace soak
