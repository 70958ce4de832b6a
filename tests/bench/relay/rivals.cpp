#include "tests/bench/relay/rivals.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <fstream>
#include <stdexcept>

#include "relay/listener_set.hpp"
#include "tests/bench/load/load_socket.hpp"
#include "tests/bench/load/target_server.hpp"

namespace bench {
namespace {

constexpr std::uint16_t target_first = 7000;

bool answers(std::uint16_t port) {
  const auto to = net::to_sockaddr(local(port));
  const base::unique_fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  return ::connect(fd.get(), to.get(), to.size) == 0;
}

void wait_for(const path& p) {
  for (const auto port : {sink_port, answer_port}) {
    int tries = 0;
    while (!answers(static_cast<std::uint16_t>(p.first + port))) {
      if (++tries == 500) throw std::runtime_error(p.name + " does not listen");
      ::poll(nullptr, 0, 10);
    }
  }
}

bool installed(const std::string& program) { return std::filesystem::exists(program); }

path start_own(std::string name, std::uint16_t first, std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "/proc/self/exe");
  path p{std::move(name), first};
  p.processes.emplace_back(support::child_options{.argv = std::move(arguments)});
  return p;
}

path start_socat(const std::filesystem::path& log) {
  path p{"socat", 7200};
  for (std::uint16_t i = 0; i < 3; ++i) {
    const bool udp = i == echo_port;
    const auto kind = udp ? "UDP4" : "TCP4", options = udp ? "" : ",nodelay";
    p.processes.emplace_back(
        support::child_options{.argv = {"socat", "-t5", "-T5", "-b65536",
                                        fmt::format("{}-LISTEN:{},bind=127.0.0.1,fork,reuseaddr{}{}", kind, p.first + i,
                                                    options, udp ? "" : ",backlog=4096"),
                                        fmt::format("{}:127.0.0.1:{}{}", kind, target_first + i, options)},
                               .log = log});
  }
  return p;
}

path start_haproxy(const std::filesystem::path& directory) {
  path p{"haproxy", 7300, false};
  const auto file = directory / "haproxy.cfg";
  std::ofstream out(file);
  out << "global\n  maxconn 2000\n  tune.bufsize 65536\ndefaults\n  mode tcp\n  option splice-auto\n  timeout connect "
         "5s\n  timeout client "
         "60s\n  timeout server 60s\n";
  for (std::uint16_t i = 0; i < 2; ++i)
    out << fmt::format("listen p{0}\n  bind 127.0.0.1:{1} backlog 4096\n  server s 127.0.0.1:{2}\n", i, p.first + i,
                       target_first + i);
  out.close();
  p.processes.emplace_back(
      support::child_options{.argv = {"/usr/sbin/haproxy", "-db", "-f", file}, .log = directory / "haproxy.log"});
  return p;
}

// `auto` would be a process for each processor of the machine, not for each that it may run on.
path start_nginx(const std::filesystem::path& directory) {
  path p{"nginx", 7400};
  const auto file = directory / "nginx.conf";
  std::ofstream out(file);
  out << fmt::format(
      "load_module /usr/lib/nginx/modules/ngx_stream_module.so;\nuser root;\nworker_processes {1};\ndaemon off;\n"
      "pid {0}/nginx.pid;\nerror_log {0}/nginx.log crit;\nevents {{ worker_connections 4000; multi_accept on; "
      "}}\nstream {{\n  "
      "tcp_nodelay on;\n  proxy_half_close on;\n  proxy_buffer_size 64k;\n",
      directory.string(), relay::shards_for_processors());
  for (std::uint16_t i = 0; i < 3; ++i)
    out << fmt::format("  server {{ listen 127.0.0.1:{}{}; proxy_pass 127.0.0.1:{}; proxy_timeout 60s; }}\n",
                       p.first + i, i == echo_port ? " udp reuseport" : " backlog=4096", target_first + i);
  out << "}\n";
  out.close();
  p.processes.emplace_back(
      support::child_options{.argv = {"/usr/sbin/nginx", "-c", file, "-p", directory}, .log = directory / "nginx.out"});
  return p;
}

}  // namespace

std::vector<path> start_paths(const std::filesystem::path& directory) {
  std::vector<path> paths;
  paths.push_back(start_own("direct", target_first, {"--target", std::to_string(target_first)}));
  paths.push_back(start_own("ours", 7100, {"--relay", "7100", std::to_string(target_first)}));
  if (installed("/usr/bin/socat")) paths.push_back(start_socat(directory / "socat.log"));
  if (installed("/usr/sbin/haproxy")) paths.push_back(start_haproxy(directory));
  if (installed("/usr/lib/nginx/modules/ngx_stream_module.so")) paths.push_back(start_nginx(directory));
  for (const auto& p : paths) wait_for(p);
  return paths;
}

void serve_target(std::uint16_t first) {
  target_server server(net::address::loopback_v4(), first);
  while (true) server.serve();
}

void serve_relay(std::uint16_t first, std::uint16_t target) {
  relay::listener_set set({.shards = relay::shards_for_processors()});  // as host-switch has it
  for (std::uint16_t i = 0; i < 3; ++i) {
    const auto listen = local(static_cast<std::uint16_t>(first + i)),
               to = local(static_cast<std::uint16_t>(target + i));
    const auto added =
        set.add({.protocol = i == echo_port ? net::protocol::udp : net::protocol::tcp, .listen = listen, .target = to});
    if (!added) throw std::runtime_error(added.error().message());
  }
  while (true) ::pause();
}

}  // namespace bench
