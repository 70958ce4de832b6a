#include "tests/soak/shapes.hpp"

#include <fmt/format.h>

namespace soak {
namespace {

constexpr auto tcp = net::protocol::tcp, udp = net::protocol::udp;
constexpr std::uint16_t web = 80, names = 53, first_of_range = 1000, length_of_range = 20;

std::uint16_t at(std::uint16_t base, unsigned offset) { return static_cast<std::uint16_t>(base + offset); }

}  // namespace

container_shape docker_shape(unsigned slot, unsigned shape) {
  const auto base = docker_base(slot);
  const bool restarts = (slot + shape) % 2 == 0;
  const auto of = [restarts](std::vector<port_run> published) {
    return container_shape{std::move(published), {}, restarts};
  };
  switch (shape) {
    case 0: return of({{tcp, "", base, web}});
    case 1: return of({{tcp, "127.0.0.1", base, web}});
    case 2: return of({{tcp, "", base, web}, {tcp, "127.0.0.1", at(base, 1), web}, {udp, "", base, names}});
    case 3: return of({{tcp, "", base, first_of_range, length_of_range}});
    case 4: return of({{tcp, "::1", base, web}});
    case 5: return of({{tcp, "::", base, web}});
    // Docker gives each family a number of its own choice: one container's of IPv6 may be another one's of IPv4.
    case 6: return of({{tcp, "0.0.0.0", 0, web}, {udp, "0.0.0.0", 0, names}});
    case 7: return of({{udp, "127.0.0.1", base, names}, {tcp, "127.0.0.9", at(base, 1), web}});
    default:
      return {{},
              {{tcp, "", base},
               {tcp, "127.0.0.1", at(base, 1)},
               {udp, "", at(base, 2)},
               {tcp, "", at(base, 3), 0, 1, true}},
              restarts};
  }
}

std::vector<port_run> containerd_shape(unsigned slot, unsigned shape) {
  const auto base = containerd_base(slot);
  switch (shape) {
    case 0: return {{tcp, "", base, web}};
    case 1: return {{tcp, "127.0.0.1", base, web}, {udp, "", at(base, 1), names}};
    default:
      return {{tcp, "", base, web}, {tcp, "", at(base, 1), first_of_range}, {udp, "127.0.0.1", at(base, 2), names}};
  }
}

std::vector<port_run> listener_shape(unsigned slot, unsigned shape) {
  const auto base = listener_base(slot);
  switch (shape) {
    case 0: return {{tcp, "", base}};
    case 1: return {{tcp, "127.0.0.1", base}};
    case 2: return {{tcp, "::1", base}};
    case 3: return {{tcp, "", base, 0, 1, true}};
    case 4: return {{udp, "", base}};
    case 5: return {{udp, "127.0.0.1", base}};
    case 6: return {{tcp, "0.0.0.0", base, 0, length_of_range}};
    default: return {{tcp, "", base}, {udp, "::1", at(base, 1)}};
  }
}

service_shape shape_of_service(unsigned slot, unsigned shape) {
  const auto base = balancer_base(slot);
  switch (shape) {
    case 0: return {"NodePort", {{tcp, "", node_port(slot), web}}};
    case 1: return {"LoadBalancer", {{tcp, "", base, base}, {udp, "", at(base, 1), at(base, 1)}}};
    default: return {"ClusterIP", {{tcp, "", base, base}}};
  }
}

std::string docker_name(unsigned slot) { return fmt::format("docker-{}", slot); }
std::string containerd_name(unsigned slot) { return fmt::format("nerd-{}", slot); }
std::string service_name(unsigned slot) { return fmt::format("service-{}", slot); }
std::string listener_name(unsigned slot) { return fmt::format("listener-{}", slot); }

std::string to_docker_argument(const port_run& run) {
  const auto range = [&run](std::uint16_t first) {
    return run.count == 1 ? fmt::format("{}", first) : fmt::format("{}-{}", first, first + run.count - 1);
  };
  const auto address = run.address.contains(':') ? "[" + run.address + "]" : run.address;
  auto suffix = fmt::format("{}/{}", range(run.inside), net::to_string(run.protocol));
  const auto number = run.number == 0 ? "" : range(run.number);
  const auto colon = [](const std::string& before) { return before.empty() ? "" : ":"; };
  return fmt::format("{}{}{}{}{}", address, colon(address), number, colon(address + number), suffix);
}

std::string to_server_argument(const port_run& run) {
  const auto range =
      run.count == 1 ? fmt::format("{}", run.number) : fmt::format("{}-{}", run.number, run.number + run.count - 1);
  return fmt::format("{}{}:{}{}{}", net::to_string(run.protocol), run.v6_only ? "6" : "", run.address,
                     run.address.empty() ? "" : "/", range);
}

std::vector<std::string> served_inside() { return {"tcp:80", "udp:53", "tcp:1000-1019"}; }

}  // namespace soak
