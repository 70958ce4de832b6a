#include "tests/integration/one_program_lab.hpp"

#include <fmt/format.h>

#include <fstream>
#include <utility>

#include "net/endpoint.hpp"
#include "tests/support/probe.hpp"

namespace integration {

void one_program_lab::SetUp() {
  if (const auto missing = support::lab::missing(); !missing.empty()) GTEST_SKIP() << missing;
}

void one_program_lab::launch_program(launch what) {
  program_.kill9();
  fs::remove(at("log"));
  auto argv = std::move(what.through);
  what.argv[0] = support::program_directory() / what.argv[0];
  argv.insert(argv.end(), what.argv.begin(), what.argv.end());
  program_ = support::child_process({.argv = std::move(argv),
                                     .environment = std::move(what.variables),
                                     .log = at("log"),
                                     .net_namespace = place_.path(),
                                     .rights = what.rights});
}

bool one_program_lab::has_logged(std::string_view words) const {
  return eventually(patience, [&] { return log().contains(words); });
}

bool one_program_lab::listens(std::uint16_t tcp_port) const {
  const support::listening_socket wanted{net::protocol::tcp, {net::address::loopback_v4(), tcp_port}};
  return support::listening_sockets(place_).contains(wanted);
}

std::string one_program_lab::log() const { return support::read_text(at("log")); }

void one_program_lab::write(std::string_view name, std::string_view text) const { std::ofstream(at(name)) << text; }

void one_program_lab::write_tunnel(std::uint16_t peer_port) const {
  write("vtunnel.yaml",
        fmt::format("tunnel: [{{name: a, handshake-port: unix:{0}/h, vsock-host-port: unix:{0}/d, peer-address: "
                    "127.0.0.1, peer-port: {1}, upstream-server-address: 127.0.0.1:1}}]\n",
                    directory_.path().string(), peer_port));
}

void one_program_lab::send_message(std::string_view text) const {
  write("message", std::string(text) + '\n');
  support::run_or_throw({.argv = {"socat", "-u", "OPEN:" + at("message"), "UNIX-CONNECT:" + at("socket")}});
}

}  // namespace integration
