// relay_bench: our relay beside a direct connection, socat, HAProxy and nginx's stream module, on loopback in a network
// and a process namespace of its own. Every figure is the median of several runs, which take turns between the relays,
// so that what else the machine does falls on all of them alike.
//
// Client, relay and target share one processor, and so does a direct connection: the figures show what a relay costs.
// With more of them (--processors) a relay that is quicker than the one thread of the client only waits for it, and
// a latency shows how the scheduler placed the threads. Each relay has as many threads as there are processors.
//
//   relay_bench [--runs N] [--milliseconds N] [--processors N] [--only PART_OF_A_ROW] [--relays ours,nginx]
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
#include "tests/bench/relay/load.hpp"
#include "tests/bench/relay/rivals.hpp"
#include "tests/bench/relay/target_server.hpp"
#include "tests/support/temp_dir.hpp"

namespace {

struct row {
  std::string name;
  bool more_is_better;
  bool udp;
  std::function<double(std::uint16_t first, bench::duration length)> measure;
};

std::vector<row> rows() {
  using bench::duration;
  constexpr double mega = 1e6, kilo = 1e3;
  return {
      {"throughput, 1 connection, MB/s", true, false,
       [](auto first, duration d) { return bench::throughput(first, 1, d) / mega; }},
      {"throughput, 8 connections, MB/s", true, false,
       [](auto first, duration d) { return bench::throughput(first, 8, d) / mega; }},
      {"connections, thousands/s", true, false,
       [](auto first, duration d) { return bench::connection_rate(first, 64, d) / kilo; }},
      {"requests on 64 connections, thousands/s", true, false,
       [](auto first, duration d) { return bench::requests(first, 64, d).per_second / kilo; }},
      {"request latency, 1 connection, p50, us", false, false,
       [](auto first, duration d) { return bench::requests(first, 1, d).p50; }},
      {"request latency, 1 connection, p99, us", false, false,
       [](auto first, duration d) { return bench::requests(first, 1, d).p99; }},
      {"request latency, 64 connections, p99, us", false, false,
       [](auto first, duration d) { return bench::requests(first, 64, d).p99; }},
      {"UDP, 1 client, 200 bytes, thousands/s", true, true,
       [](auto first, duration d) { return bench::datagram_rate(first, 1, 64, 200, d) / kilo; }},
      {"UDP, 16 clients, 200 bytes, thousands/s", true, true,
       [](auto first, duration d) { return bench::datagram_rate(first, 16, 16, 200, d) / kilo; }},
      {"UDP, 1 client, 1400 bytes, thousands/s", true, true,
       [](auto first, duration d) { return bench::datagram_rate(first, 1, 64, 1400, d) / kilo; }},
  };
}

struct options {
  int runs = 5;
  int milliseconds = 200;
  int processors = 1;
  std::string only;
  std::string relays = "direct,ours,socat,haproxy,nginx";
};

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

constexpr double not_measured = -1;

// Of those that this process may run on, the first few; whatever it starts later has the same.
void use_processors(int count) {
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
  for (int run = 0; run < o.runs; ++run)
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

int number(const char* text) { return std::max(1, std::atoi(text)); }

options parse(std::span<char*> arguments) {
  options o;
  for (std::size_t i = 0; i + 1 < arguments.size(); i += 2) {
    const std::string_view name = arguments[i];
    if (name == "--runs")
      o.runs = number(arguments[i + 1]);
    else if (name == "--milliseconds")
      o.milliseconds = number(arguments[i + 1]);
    else if (name == "--processors")
      o.processors = number(arguments[i + 1]);
    else if (name == "--only")
      o.only = arguments[i + 1];
    else if (name == "--relays")
      o.relays = arguments[i + 1];
  }
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
  return run_in_namespaces(parse(std::span(argv, static_cast<std::size_t>(argc)).subspan(1)));
} catch (const std::exception& e) {
  std::cerr << "relay_bench: " << e.what() << "\n";
  return 1;
}
