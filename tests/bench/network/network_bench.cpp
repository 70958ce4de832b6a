// network_bench: our virtual network (host-switch and vm-switch, with plain frames and with offload) beside others:
// veth as the limit, the kernel's own stack on both ends of the same kind of stream ("wire"), passt, slirp4netns, and
// gvproxy with gvforwarder where the environment variables GVPROXY and GVFORWARDER name them.
//
// Each has a host, a VM and a container as network namespaces of its own (arena.hpp). All are up at once. A measurement
// visits one after the other, several rounds of that, and the median counts: what else the machine does falls on all of
// them alike. Memory is measured of fresh ones, one at a time.
//
// The bench has its own network, process and mount namespaces. Everything that it makes goes with its first process,
// also when that is killed.
#include <fmt/format.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <iostream>
#include <memory>
#include <set>
#include <span>
#include <string_view>

#include "base/descriptor_limit.hpp"
#include "tests/bench/bench_command_line.hpp"
#include "tests/bench/network/frame_copier.hpp"
#include "tests/bench/network/goals.hpp"
#include "tests/bench/network/measures.hpp"
#include "tests/bench/network/rivals.hpp"

namespace {

using bench::recipe;
using bench::subject;

struct options {
  std::int64_t rounds = 5, limit = 1'800;
  double seconds = 1;
  bool markdown = false;
  std::string only, subjects, programs = "build/bin";
};

base::result<double> run_seconds(std::string_view text) {
  const auto tenths = base::parse_number<int>(text);
  if (tenths && *tenths >= 1 && *tenths <= 600) return *tenths;
  if (text.starts_with("0.") && text.size() == 3 && text[2] >= '1' && text[2] <= '9') return (text[2] - '0') / 10.0;
  return base::fail("not 0.1 to 0.9, nor a number from 1 to 600");
}

options parse(int argc, char** argv) {
  options o;
  bench::command_line line(
      "network_bench",
      "Our virtual network, with plain frames and with offload, beside veth (the limit), the kernel's own stack on the "
      "same wire, passt, slirp4netns and gvproxy. gvproxy takes part where the environment variables GVPROXY and "
      "GVFORWARDER name its two programs. Needs root, for namespaces of its own.");
  line.add_count("rounds", o.rounds, "How `many` times each figure is measured; the median counts.");
  line.flags().add("seconds", o.seconds, run_seconds, "1", "How many `seconds` a measurement takes.");
  line.add_count("limit", o.limit, "After so many `seconds` each figure that is left is measured once.");
  line.flags().add("markdown", o.markdown, "Print the figures and goals as Markdown, too, for docs/performance.md.");
  line.flags().add("only", o.only, "Only the figures whose names contain this `text`.");
  line.flags().add("subjects", o.subjects, "Only these `networks`, as veth,ours,passt.");
  line.add_programs(o.programs);
  line.parse(argc, argv);
  return o;
}

bench::duration length(const options& o) {
  return std::chrono::duration_cast<bench::duration>(std::chrono::duration<double>(o.seconds));
}

bool is_chosen(const recipe& r, const options& o) {
  return o.subjects.empty() || ("," + o.subjects + ",").find("," + r.name + ",") != std::string::npos;
}

bool is_chosen(const bench::measure& m, const options& o) {
  return std::ranges::any_of(m.of, [&](const auto& l) { return l.name.find(o.only) != std::string::npos; });
}

// The end of a subject's log, for one that does not work.
std::string last_line(const std::filesystem::path& log) {
  auto text = support::read_text(log);
  while (text.ends_with('\n')) text.pop_back();
  const auto from = text.rfind('\n');
  return text.empty() ? "" : "; its log ends: " + text.substr(from == std::string::npos ? 0 : from + 1);
}

class network_bench {
 public:
  network_bench(options o, std::filesystem::path directory)
      : options_(std::move(o)), directory_(std::move(directory)) {}

  void run() {
    print_load("begins");
    start_all();
    bench::table t(subject_names());
    t.print_head();
    for (const auto& m : bench::traffic_measures())
      if (is_chosen(m, options_)) measure_in_rounds(m, t);
    if (const auto m = bench::peak_memory(); is_chosen(m, options_)) measure_once(m, t);
    subjects_.clear();
    for (const auto& m : bench::fresh_measures())
      if (is_chosen(m, options_)) measure_fresh(m, t);
    for (const auto& text : failures_) fmt::print("{}\n", text);
    t.print_ratios();
    const bool whole = options_.only.empty() && options_.subjects.empty();
    bench::print_goals(t, {.with_unmeasured = whole});
    print_load("ends");
    if (!options_.markdown) return;
    t.print_markdown();
    bench::print_goals(t, {.with_unmeasured = whole, .markdown = true});
  }

 private:
  // What else the machine does is part of every figure.
  static void print_load(std::string_view when) {
    auto load = support::read_text("/proc/loadavg");
    while (load.ends_with('\n')) load.pop_back();
    fmt::print("{}: load average {}, {} processors\n", when, load, ::sysconf(_SC_NPROCESSORS_ONLN));
  }

  std::unique_ptr<subject> start(const recipe& r) const {
    auto made = std::make_unique<subject>(r.name);
    try {
      r.start(*made);
      made->wait_until_it_works();
    } catch (const std::exception& e) {
      throw std::runtime_error(e.what() + last_line(directory_ / (r.name + ".log")));
    }
    return made;
  }

  void start_all() {
    for (auto& r : bench::recipes(options_.programs, directory_)) {
      if (!is_chosen(r, options_)) continue;
      auto reason = r.missing;
      if (reason.empty()) try {
          subjects_.push_back(start(r));
          recipes_.push_back(std::move(r));
          continue;
        } catch (const std::exception& e) {
          reason = e.what();
        }
      fmt::print("{} is left out: {}\n", r.name, reason);
    }
  }

  [[nodiscard]] std::vector<std::string> subject_names() const {
    std::vector<std::string> all;
    for (const auto& r : recipes_) all.push_back(r.name);
    return all;
  }

  void measure_one(const bench::measure& m, const subject& s, bench::table& t) try {
    const auto values = m.run(s, length(options_));
    for (std::size_t i = 0; i < m.of.size(); ++i) t.add(m.of[i], s.name, values[i]);
  } catch (const std::exception& e) {
    failures_.insert(fmt::format("{}: a run of \"{}\" failed: {}", s.name, m.of.front().name, e.what()));
  }

  void measure_in_rounds(const bench::measure& m, bench::table& t) {
    for (std::int64_t round = 0; round < options_.rounds && (round == 0 || !is_late()); ++round)
      for (const auto& s : subjects_) measure_one(m, *s, t);
    print(m, t);
  }

  [[nodiscard]] bool is_late() const {
    return std::chrono::steady_clock::now() - begin_ > std::chrono::seconds(options_.limit);
  }

  void measure_once(const bench::measure& m, bench::table& t) {
    for (const auto& s : subjects_)
      if (s->host_end >= 0) measure_one(m, *s, t);
    print(m, t);
  }

  void measure_fresh(const bench::measure& m, bench::table& t) {
    for (const auto& r : recipes_) {
      if (r.name == bench::names::veth) continue;  // has no process
      try {
        const auto s = start(r);
        measure_one(m, *s, t);
      } catch (const std::exception& e) {
        failures_.insert(fmt::format("{}: does not start again: {}", r.name, e.what()));
      }
    }
    print(m, t);
  }

  static void print(const bench::measure& m, const bench::table& t) {
    for (const auto& l : m.of) t.print(l);
  }

  options options_;
  std::filesystem::path directory_;
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
  std::vector<recipe> recipes_;
  std::vector<std::unique_ptr<subject>> subjects_;
  std::set<std::string> failures_;
};

// A /proc for the process namespace, and an empty /run: sockets, logs and named namespaces go with the mount namespace.
void set_up_mounts() {
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
      ::mount("proc", "/proc", "proc", 0, nullptr) != 0 || ::mount("tmpfs", "/run", "tmpfs", 0, nullptr) != 0)
    throw std::runtime_error("cannot make a mount namespace of its own");
}

[[noreturn]] void run_as_first_process(const options& o) try {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  set_up_mounts();
  const std::filesystem::path directory = "/run/network-bench";
  std::filesystem::create_directory(directory);
  network_bench(o, directory).run();
  ::_exit(std::cout.flush() && std::fflush(stdout) == 0 ? 0 : 1);
} catch (const std::exception& e) {
  std::cerr << "network_bench: " << e.what() << "\n";
  ::_exit(1);
}

int run_in_namespaces(const options& o) {
  if (::unshare(CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWPID) != 0)
    throw std::runtime_error("needs root, for namespaces of its own");
  static_cast<void>(base::raise_descriptor_limit());
  const pid_t child = ::fork();
  if (child == 0) run_as_first_process(o);
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

}  // namespace

int main(int argc, char** argv) try {
  std::signal(SIGPIPE, SIG_IGN);
  const std::span words(argv, static_cast<std::size_t>(argc));
  if (argc > 2 && words[1] == std::string_view("--copy-frames")) bench::copy_frames(words.subspan(2));
  if (argc > 2 && words[1] == std::string_view("--run-connected")) bench::run_connected(words.subspan(2));
  return run_in_namespaces(parse(argc, argv));
} catch (const std::exception& e) {
  std::cerr << "network_bench: " << e.what() << "\n";
  return 1;
}
