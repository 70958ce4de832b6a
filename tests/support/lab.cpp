#include "tests/support/lab.hpp"

#include <fmt/format.h>
#include <stdlib.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <stdexcept>

#include "base/text.hpp"
#include "json/json.hpp"
#include "tests/support/engine_programs.hpp"
#include "tests/support/unique_name.hpp"

namespace support {
namespace {

namespace fs = std::filesystem;

const net::endpoint host_switch_api{net::address::v4(192, 168, 127, 1), 80};

std::optional<host_forward> to_forward(const json::value& v) {
  const auto protocol = json::find_string(v, "protocol"), local = json::find_string(v, "local"),
             remote = json::find_string(v, "remote");
  if (!protocol || !local || !remote) return std::nullopt;
  return host_forward{std::string(*protocol), std::string(*local), std::string(*remote)};
}

std::string last_lines(const std::string& name, const fs::path& file) {
  constexpr std::size_t limit = 6000;
  const auto text = read_text(file);
  return fmt::format("--- {}\n{}", name, text.size() > limit ? text.substr(text.size() - limit) : text);
}

// The first line of a log in the directory that says so; empty if there is none.
std::string find_refused_call(const fs::path& directory) {
  for (const auto& entry : fs::directory_iterator(directory)) {
    if (!entry.is_regular_file() || !entry.path().filename().string().contains("log")) continue;
    const auto text = read_text(entry.path());
    const auto at = text.find(" the filter refused a system call");
    if (at != std::string::npos) return text.substr(text.rfind('\n', at) + 1, text.find('\n', at));
  }
  return {};
}

}  // namespace

fs::path program_directory() {
  const char* given = ::getenv("GUESTAGENT_PROGRAM_DIR");
  return given != nullptr ? given : GUESTAGENT_PROGRAM_DIR;
}

bool programs_are_this_builds() {
  std::error_code ignored;
  return fs::equivalent(program_directory(), GUESTAGENT_PROGRAM_DIR, ignored);
}

lab_directory::lab_directory() : path_(fs::temp_directory_path() / unique_name("lab")) {
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(fs::temp_directory_path(), ignored))
    if (is_leftover(entry.path().filename().string())) fs::remove_all(entry.path(), ignored);
  // Never one that another user has made there: root would start programs from it.
  if (!fs::create_directory(path_)) throw std::runtime_error("exists already: " + path_.string());
}

lab_directory::~lab_directory() {
  std::error_code ignored;
  const auto refused = find_refused_call(path_);
  fs::remove_all(path_, ignored);
  if (refused.empty()) return;
  std::fprintf(stderr, "a program needs a call that program/system_calls.cpp does not list: %s\n", refused.c_str());
  std::abort();
}

std::string lab::missing() {
  if (::geteuid() != 0) return "needs root";
  for (const auto& tool : {std::string("ip"), dockerd_program(), docker_program(), containerd_program(), ctr_program(),
                           std::string("runc"), std::string("iptables-nft"), std::string("iptables-legacy")})
    if (!is_program(tool)) return fmt::format("{} is not installed", tool);
  if (!fs::exists(cni_plugins() / "portmap")) return "the CNI plugins are not installed";
  for (const char* program :
       {"rancher-desktop-guestagent", "guestagentctl", "host-switch", "wsl-proxy", "vtunnel", "privileged-service"})
    if (!fs::exists(program_directory() / program)) return fmt::format("{} is not built", program);
  return {};
}

lab::lab(docker_options options)
    : host_("host"),
      wsl_("wsl"),
      rd_("rd"),
      iptables_(options.iptables),
      engine_(rd_, directory_.path() / "docker", std::move(options)) {
  connect({&host_, "rd", "192.168.127.1/24"}, {&rd_, "eth0", "192.168.127.2/24"});
  connect({&wsl_, "rd", "192.168.143.2/24"}, {&rd_, "veth-rd-ns", "192.168.143.1/24"});
}

containerd_engine& lab::containerd() {
  if (!containerd_) containerd_.emplace(rd_, directory_.path() / "containerd", iptables_);
  return *containerd_;
}

// vtunnel's two ends have a unit each.
std::string unit_of(const std::string& program, const std::vector<std::string>& flags) {
  return program == "vtunnel" && !flags.empty() ? program + "-" + flags.front() : program;
}

child_process lab::start(const netns& where, const char* program, std::vector<std::string> flags,
                         std::vector<std::string> variables) const {
  const auto rights = rights_of_unit(unit_of(program, flags));
  flags.insert(flags.begin(), program_directory() / program);
  return child_process({.argv = std::move(flags),
                        .environment = std::move(variables),
                        .log = at(program) + ".log",
                        .net_namespace = where.path(),
                        .rights = rights});
}

void lab::start_agent(const std::vector<std::string>& more_flags, const std::vector<std::string>& variables) {
  std::vector<std::string> flags{"-adminInstall=true",
                                 "-kubernetes=false",
                                 "-docker=true",
                                 "-containerd=false",
                                 "-iptables=false",
                                 "-debug=true",
                                 "-wsl-proxy-socket=" + at("wsl-proxy.sock"),
                                 "-docker-socket=" + engine_.socket().string(),
                                 "-status-socket=" + at("status.sock"),
                                 "-state-dir=" + at("state"),
                                 "-host-switch-url=http://" + net::to_string(host_switch_api)};
  if (containerd_)
    flags.insert(flags.end(),
                 {"-docker=false", "-containerd=true", "-containerdSock=" + containerd_->socket().string()});
  flags.insert(flags.end(), more_flags.begin(), more_flags.end());
  agent_.kill9();
  agent_ = start(rd_, "rancher-desktop-guestagent", std::move(flags), variables);
}

void lab::start_host_switch(const std::vector<std::string>& more_flags) {
  std::vector<std::string> flags{"-debug", "-network=kernel", "-subnet=192.168.127.0/24"};
  flags.insert(flags.end(), more_flags.begin(), more_flags.end());
  host_switch_.kill9();
  host_switch_ = start(host_, "host-switch", std::move(flags));
}

void lab::start_wsl_proxy() {
  wsl_proxy_.kill9();
  wsl_proxy_ = start(wsl_, "wsl-proxy",
                     {"-debug", "-logfile=" + at("wsl-proxy.file.log"), "-socketFile=" + at("wsl-proxy.sock")});
}

void lab::start_vtunnel_peer() {
  vtunnel_peer_.kill9();
  vtunnel_peer_ = start(rd_, "vtunnel", {"peer", "--config-path=" + write_tunnel_config(), "-debug"});
}

void lab::start_vtunnel_host() {
  vtunnel_host_.kill9();
  vtunnel_host_ = start(host_, "vtunnel", {"host", "--config-path=" + write_tunnel_config(), "-debug"});
}

void lab::start_privileged_service() {
  privileged_service_.kill9();
  privileged_service_ = start(host_, "privileged-service", {"-debug", "-socketFile=" + at("privileged-service.sock")});
}

std::string lab::write_tunnel_config() const {
  const auto file = at("vtunnel.yaml");
  std::ofstream(file) << fmt::format(R"(tunnel:
  - name: test
    handshake-port: unix:{0}/handshake.sock
    vsock-host-port: unix:{0}/data.sock
    peer-address: {1}
    peer-port: {2}
    upstream-server-address: unix:{0}/privileged-service.sock
)",
                                     directory_.path().string(), vtunnel_peer_at.ip.to_string(), vtunnel_peer_at.port);
  return file;
}

child_process lab::start_echo_server(const std::string& name, std::vector<std::string> ports) const {
  ports.insert(ports.begin(), GUESTAGENT_ECHO_SERVER);
  return child_process({.argv = std::move(ports), .environment = {"ECHO_NAME=" + name}, .net_namespace = rd_.path()});
}

std::optional<std::set<host_forward>> lab::host_forwards() const {
  const auto body = http_get(rd_, host_switch_api, "/services/forwarder/all");
  const auto document = body ? json::parse(*body) : base::fail("no answer");
  if (!document || !document->is_array()) return std::nullopt;
  std::set<host_forward> all;
  for (const auto& one : document->get_array())
    if (auto forward = to_forward(one)) all.insert(std::move(*forward));
  return all;
}

int lab::call_host_switch(const std::string& path, const std::string& json_body) const {
  const auto request =
      fmt::format("POST {} HTTP/1.0\r\nHost: gateway.rancher-desktop.internal\r\nContent-Length: {}\r\n\r\n{}", path,
                  json_body.size(), json_body);
  const auto answer = ask(rd_, net::protocol::tcp, host_switch_api, request);
  return answer && answer->size() > 12 ? base::parse_number<int>(answer->substr(9, 3)).value_or(0) : 0;
}

std::set<listening_socket> lab::host_listeners() const {
  auto all = listening_sockets(host_);
  all.erase({net::protocol::tcp, host_switch_api});
  return all;
}

std::set<listening_socket> lab::wsl_listeners() const { return listening_sockets(wsl_); }

command_output lab::control(std::vector<std::string> arguments) const {
  std::vector<std::string> argv{program_directory() / "guestagentctl"};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  argv.push_back("-socket=" + at("status.sock"));
  return run_command({.argv = std::move(argv), .net_namespace = rd_.path()});
}

std::string lab::logs() const {
  return last_lines("agent", at("rancher-desktop-guestagent.log")) + last_lines("host-switch", at("host-switch.log")) +
         last_lines("wsl-proxy", at("wsl-proxy.file.log")) + last_lines("wsl-proxy stderr", at("wsl-proxy.log")) +
         last_lines("vtunnel", at("vtunnel.log")) + last_lines("privileged-service", at("privileged-service.log")) +
         last_lines("dockerd", directory_.path() / "docker" / "dockerd.log") +
         last_lines("containerd", directory_.path() / "containerd" / "containerd.log");
}

}  // namespace support
