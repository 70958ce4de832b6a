// relay_bench: our relay beside a direct connection, socat, HAProxy and nginx's stream module, on loopback in a network
// and a process namespace of its own. Every figure is the median of several runs, which take turns between the relays,
// so that what else the machine does falls on all of them alike.
//
// Client, relay and target share one processor, and so does a direct connection: the figures show what a relay costs.
// With more of them (--processors) a relay that is quicker than the one thread of the client only waits for it, and
// a latency shows how the scheduler placed the threads. Each relay has as many threads as there are processors.
#include <fmt/format.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstring>
#include <fstream>
#include <functional>
#include <iostream>
#include <span>

#include "base/descriptor_limit.hpp"
#include "tests/bench/bench_command_line.hpp"
#include "tests/bench/load/load.hpp"
#include "tests/bench/load/load_socket.hpp"
#include "tests/bench/load/target_server.hpp"
#include "tests/bench/relay/rivals.hpp"
#include "tests/support/temp_dir.hpp"

namespace {

struct row {
  std::string name;
  bool more_is_better;
  bool udp;
  std::function<double(std::uint16_t first, bench::duration length)> measure;
};

net::endpoint port_at(std::uint16_t first, std::uint16_t port) {
  return bench::local(static_cast<std::uint16_t>(first + port));
}

std::vector<row> rows() {
  using bench::duration;
  constexpr double mega = 1e6, kilo = 1e3;
  return {
      {"throughput, 1 connection, MB/s", true, false,
       [](auto first, duration d) { return bench::throughput(port_at(first, bench::sink_port), 1, d) / mega; }},
      {"throughput, 8 connections, MB/s", true, false,
       [](auto first, duration d) { return bench::throughput(port_at(first, bench::sink_port), 8, d) / mega; }},
      {"connections, thousands/s", true, false,
       [](auto first, duration d) { return bench::connection_rate(port_at(first, bench::answer_port), 64, d) / kilo; }},
      {"requests on 64 connections, thousands/s", true, false,
       [](auto first, duration d) {
         return bench::requests(port_at(first, bench::answer_port), 64, d).per_second / kilo;
       }},
      {"request latency, 1 connection, p50, us", false, false,
       [](auto first, duration d) { return bench::requests(port_at(first, bench::answer_port), 1, d).p50; }},
      {"request latency, 1 connection, p99, us", false, false,
       [](auto first, duration d) { return bench::requests(port_at(first, bench::answer_port), 1, d).p99; }},
      {"request latency, 64 connections, p99, us", false, false,
       [](auto first, duration d) { return bench::requests(port_at(first, bench::answer_port), 64, d).p99; }},
      {"UDP, 1 client, 200 bytes, thousands/s", true, true,
       [](auto first, duration d) {
         return bench::datagram_rate(port_at(first, bench::echo_port), 1, 64, 200, d) / kilo;
       }},
      {"UDP, 16 clients, 200 bytes, thousands/s", true, true,
       [](auto first, duration d) {
         return bench::datagram_rate(port_at(first, bench::echo_port), 16, 16, 200, d) / kilo;
       }},
      {"UDP, 1 client, 1400 bytes, thousands/s", true, true,
       [](auto first, duration d) {
         return bench::datagram_rate(port_at(first, bench::echo_port), 1, 64, 1400, d) / kilo;
       }},
  };
}

struct options {
  std::int64_t runs = 5;
  std::int64_t milliseconds = 200;
  std::int64_t processors = 1;
  std::string only;
  std::string relays = "direct,ours,socat,haproxy,nginx";
};

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

constexpr double not_measured = -1;

// Of those that this process may run on, the first few; whatever it starts later has the same.
void use_processors(std::int64_t count) {
  cpu_set_t usable, chosen;
  CPU_ZERO(&chosen);
  ::sched_getaffinity(0, sizeof usable, &usable);
  for (unsigned i = 0; i < CPU_SETSIZE && CPU_COUNT(&chosen) < count; ++i)
    if (CPU_ISSET(i, &usable)) CPU_SET(i, &chosen);
  ::sched_setaffinity(0, sizeof chosen, &chosen);
}

double measure_one(const row& r, const bench::path& p, const options& o) try {
  return r.measure(p.first, std::chrono::milliseconds(o.milliseconds));
} catch (const std::exception& e) {
  throw std::runtime_error(fmt::format("{} over {}: {}", r.name, p.name, e.what()));
}

std::vector<double> measure(const row& r, const std::vector<bench::path>& paths, const options& o) {
  std::vector<std::vector<double>> runs(paths.size());
  for (std::int64_t run = 0; run < o.runs; ++run)
    for (std::size_t i = 0; i < paths.size(); ++i) {
      if (o.relays.find(paths[i].name) == std::string::npos || (r.udp && !paths[i].udp)) continue;
      runs[i].push_back(measure_one(r, paths[i], o));
    }
  std::vector<double> figures;
  for (auto& values : runs) figures.push_back(values.empty() ? not_measured : median(values));
  return figures;
}

void print(const row& r, const std::vector<double>& figures) {
  fmt::print("{:42}", r.name);
  for (const double f : figures) fmt::print("{:>10}", f == not_measured ? "-" : fmt::format("{:.1f}", f));
  const auto better = [&r](double ours, double other) { return r.more_is_better ? ours / other : other / ours; };
  double best = 0;
  for (const double f : std::span(figures).subspan(2))
    if (f != not_measured) best = best == 0 || better(f, best) > 1 ? f : best;
  const auto ratio = [&](double other) {
    return figures[1] > 0 && other > 0 ? fmt::format("{:.2f}", better(figures[1], other)) : "-";
  };
  fmt::print("{:>10}{:>15}\n", ratio(figures[0]), ratio(best));
  std::cout.flush();
}

void run(const options& o) {
  const support::temp_dir directory;
  use_processors(o.processors);
  const auto paths = bench::start_paths(directory.path());
  fmt::print("{:42}", "");
  for (const auto& p : paths) fmt::print("{:>10}", p.name);
  fmt::print("{:>10}{:>15}\n", "to direct", "to best rival");
  for (const auto& r : rows())
    if (r.name.find(o.only) != std::string::npos) print(r, measure(r, paths, o));
  fmt::print("The last two columns: how many times as good ours is; above 1 it is ahead.\n");
}

options parse(int argc, char** argv) {
  options o;
  bench::command_line line(
      "relay_bench",
      "Our relay beside a direct connection, socat, HAProxy and nginx's stream module, on loopback "
      "in namespaces of its own.");
  line.add_count("runs", o.runs, "How `many` times each figure is measured; the median counts.");
  line.add_count("milliseconds", o.milliseconds, "How `long` a run is.");
  line.add_count("processors", o.processors, "How `many` processors all programs share.");
  line.flags().add("only", o.only, "Only the rows whose names contain this `text`.");
  line.flags().add("relays", o.relays, "Which `relays` are measured.");
  line.parse(argc, argv);
  return o;
}

// The bench is the first process of its namespace: whatever the relays have forked ends with it.
int run_in_namespaces(const options& o) {
  if (::unshare(CLONE_NEWNET) != 0) throw std::runtime_error("needs root, for namespaces of its own");
  support::run_or_throw({.argv = {"ip", "link", "set", "lo", "up"}});
  // The one that is always there. With bbr, which paces by a timer, the timer would be what is measured.
  std::ofstream("/proc/sys/net/ipv4/tcp_congestion_control") << "reno";
  if (::unshare(CLONE_NEWPID) != 0) throw std::runtime_error("cannot make a process namespace");
  const pid_t child = ::fork();
  if (child == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    try {
      run(o);
      ::_exit(std::cout.flush() ? 0 : 1);
    } catch (const std::exception& e) {
      std::cerr << "relay_bench: " << e.what() << "\n";
      ::_exit(1);
    }
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

std::uint16_t port(const char* text) { return static_cast<std::uint16_t>(std::atoi(text)); }

}  // namespace

int main(int argc, char** argv) try {
  if (argc == 3 && std::strcmp(argv[1], "--target") == 0) bench::serve_target(port(argv[2]));
  if (argc == 4 && std::strcmp(argv[1], "--relay") == 0) bench::serve_relay(port(argv[2]), port(argv[3]));
  return run_in_namespaces(parse(argc, argv));
} catch (const std::exception& e) {
  std::cerr << "relay_bench: " << e.what() << "\n";
  return 1;
}
