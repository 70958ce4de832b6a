// Servers that no engine publishes: containers of the host's network, and other servers in the VM.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <fstream>
#include <iterator>
#include <sstream>
#include <thread>

#include "base/descriptor_limit.hpp"
#include "base/text.hpp"
#include "tests/integration/end_to_end.hpp"

namespace integration {
namespace {

using support::open_socket;

net::endpoint at(const std::string& text) { return *net::parse_endpoint(text); }

// The number of lines of a program's log that contain it.
std::size_t lines_with(const std::filesystem::path& log, std::string_view text) {
  const auto all = support::read_text(log);
  std::size_t count = 0;
  for (const auto line : base::split(all, '\n')) count += line.find(text) != std::string_view::npos;
  return count;
}

// Processor time of a program and its children.
std::chrono::milliseconds used_by(pid_t pid) {
  const auto text = support::read_text(fmt::format("/proc/{}/stat", pid));
  std::istringstream fields(text.substr(text.rfind(')') + 2));
  const std::vector<std::string> words{std::istream_iterator<std::string>(fields), {}};
  long ticks = 0;
  for (std::size_t i = 11; i < 15; ++i) ticks += std::stol(words.at(i));
  return std::chrono::milliseconds(ticks * 1000 / ::sysconf(_SC_CLK_TCK));
}

// The port stayed open on the host and in the other distributions.
void expect_opened_once(const support::lab& lab, const char* local) {
  EXPECT_EQ(lines_with(lab.directory() / "host-switch.log", fmt::format(" exposed protocol=tcp local={} ", local)), 1U);
  EXPECT_EQ(lines_with(lab.directory() / "wsl-proxy.file.log", fmt::format(" listening on tcp {} ", local)), 1U);
}

class listeners : public with_each_iptables {
 protected:
  listeners() { most_rules_for_a_wildcard_ = 1; }  // of IPv6 alone
  const std::vector<std::string> every_kind{"tcp:9000",           "tcp:0.0.0.0/9001", "tcp:127.0.0.1/9002",
                                            "tcp:::1/9003",       "tcp6:9004",        "udp:9005",
                                            "udp:127.0.0.1/9006", "udp:::1/9007",     "udp6:9008"};
  const published_set published{"tcp 0.0.0.0:9000",   "tcp 0.0.0.0:9001",   "tcp 127.0.0.1:9002",
                                "tcp 127.0.0.1:9003", "tcp 0.0.0.0:9004",   "udp 0.0.0.0:9005",
                                "udp 127.0.0.1:9006", "udp 127.0.0.1:9007", "udp 0.0.0.0:9008"};
  void expect_all_answer(const std::string& name) {
    for (const auto& port : published)
      expect_answers(fmt::format("{} 127.0.0.1:{}", port.substr(0, 3), port.substr(port.rfind(':') + 1)), name);
  }
  void expect_vm_listens_nowhere() {
    EXPECT_TRUE(eventually(soon, [this] { return support::listening_sockets(lab_->rd()).empty(); }))
        << "a relay is left in the VM";
  }
};
INSTANTIATE_WITH_EACH_IPTABLES(listeners);

TEST_P(listeners, of_a_container_of_the_hosts_network) {
  lab_->docker().run("web", {"--network", "host"}, every_kind);
  expect_published(published);
  expect_all_answer("web");
  EXPECT_TRUE(support::refused(lab_->host(), at("192.168.127.1:9002"))) << "loopback stays loopback";
  lab_->start_agent();
  expect_published(published);
  expect_all_answer("web");
  lab_->docker().docker({"kill", "-s", "KILL", "web"});
  lab_->docker().docker({"rm", "web"});
  expect_nothing_left();
  expect_vm_listens_nowhere();
}

// docker-proxy listens long before its container is reachable. A client would wait for it.
TEST_P(listeners, a_container_and_its_proxy_are_one_port) {
  lab_->docker().run("web", {"-p", "8080:80", "-p", "127.0.0.1:8081:80"});
  expect_published({"tcp 0.0.0.0:8080", "tcp 127.0.0.1:8081"});
  for (const auto* port : {"tcp 127.0.0.1:8080", "tcp 127.0.0.1:8081"}) expect_answers(port, "web");
  const auto shown = lab_->control({"ports", "--json"}).text;
  EXPECT_TRUE(shown.contains("\"docker\"") && !shown.contains("\"listeners\"")) << shown;
  lab_->docker().docker({"rm", "-f", "web"});
  expect_nothing_left();
  for (const auto* local : {"0.0.0.0:8080", "127.0.0.1:8081"}) expect_opened_once(*lab_, local);
}

// Docker publishes it, its proxy listens, and a rule leads to it: one port, as long as Docker or the rule has it.
class listeners_beside_rules : public listeners {
 protected:
  std::vector<std::string> agent_flags() const override { return {"-iptables=true"}; }
  void iptables(const std::string& arguments) {
    std::istringstream words("iptables-nft -w -t nat " + arguments);
    support::run_or_throw(
        {.argv = {std::istream_iterator<std::string>(words), {}}, .net_namespace = lab_->rd().path()});
  }
  [[nodiscard]] bool claimed_by(const std::set<std::string>& sources) const {
    const auto shown = lab_->control({"ports", "--json"}).text;
    for (const auto* source : {"docker", "listeners", "iptables"})
      if (shown.contains(fmt::format("\"{}\"", source)) != sources.contains(source)) return false;
    return true;
  }
};
INSTANTIATE_TEST_SUITE_P(, listeners_beside_rules, testing::Values(support::iptables_variant::nft),
                         [](const auto&) { return "nft"; });

TEST_P(listeners_beside_rules, and_a_container_are_one_port) {
  lab_->docker().run("web", {"-p", "8080:80"});
  iptables("-N CNI-HOSTPORT-DNAT");
  iptables("-N CNI-DN-0123456789abcdef01234");
  iptables("-A CNI-DN-0123456789abcdef01234 -p tcp -m tcp --dport 8080 -j DNAT --to-destination 172.17.0.2:80");
  iptables("-A CNI-HOSTPORT-DNAT -p tcp -m multiport --dports 8080 -j CNI-DN-0123456789abcdef01234");
  EXPECT_TRUE(eventually(soon, [this] { return claimed_by({"docker", "iptables"}); })) << ports_shown();
  expect_published({"tcp 0.0.0.0:8080"});
  expect_answers("tcp 127.0.0.1:8080", "web");
  lab_->docker().docker({"rm", "-f", "web"});
  EXPECT_TRUE(eventually(soon, [this] { return claimed_by({"iptables"}); })) << ports_shown();
  expect_published({"tcp 0.0.0.0:8080"});
  iptables("-F CNI-HOSTPORT-DNAT");
  iptables("-F CNI-DN-0123456789abcdef01234");
  iptables("-X CNI-DN-0123456789abcdef01234");
  iptables("-X CNI-HOSTPORT-DNAT");
  expect_nothing_left();
  expect_opened_once(*lab_, "0.0.0.0:8080");
}

class listeners_without_rules : public listeners {
 protected:
  listeners_without_rules() { options_.writes_rules = false; }
};
INSTANTIATE_TEST_SUITE_P(, listeners_without_rules, testing::Values(support::iptables_variant::nft),
                         [](const auto&) { return "nft"; });

TEST_P(listeners_without_rules, are_relayed) {
  lab_->docker().run("web", {"--network", "host"}, every_kind);
  expect_published(published);
  expect_all_answer("web");
  lab_->docker().docker({"rm", "-f", "web"});
  expect_nothing_left();
  expect_vm_listens_nowhere();
}

// An engine's hook takes the port and lets it go, and the portmap plugin's rules come right behind it.
class reservations : public with_each_iptables {
 protected:
  void start_engine() override { lab_->containerd().start(); }
  std::vector<std::string> agent_flags() const override {
    return {"-containerd=false", "-iptables=true", "-listeners=true"};
  }
  void leave_first_traces() override { EXPECT_GT(reserve_and_publish(9999), 0s); }
  // How long the port was unclaimed.
  std::chrono::nanoseconds reserve_and_publish(unsigned port) {
    const auto name = fmt::format("tcp 0.0.0.0:{}", port);
    const support::container_spec web{.name = fmt::format("web{}", port), .ports = {{port, 80}}};
    lab_->containerd().create(web);
    auto reserved = open_socket(lab_->rd(), protocol::tcp, at(name.substr(4)), true);
    expect_published({name});
    reserved.reset();
    const auto begin = support::clock::now();
    lab_->containerd().attach(web);
    const auto time = support::clock::now() - begin;
    EXPECT_TRUE(eventually(soon, [this] { return ports_shown().contains("iptables"); })) << ports_shown();
    lab_->containerd().start_task(web);
    expect_published({name});
    expect_answers(fmt::format("tcp 127.0.0.1:{}", port), web.name);
    EXPECT_TRUE(eventually(10s, [this] { return !ports_shown().contains("listeners"); })) << ports_shown();
    expect_published({name});
    lab_->containerd().remove(web);
    expect_published({});
    return time;
  }
};
INSTANTIATE_WITH_EACH_IPTABLES(reservations);

// A slow plugin on a busy machine: the port is unknown for a while, then known again.
TEST_P(reservations, do_not_flap) {
  for (unsigned port = 8080; port < 8085; ++port) {
    const auto time = reserve_and_publish(port);
    if (time > 700ms) continue;
    expect_opened_once(*lab_, fmt::format("0.0.0.0:{}", port).c_str());
    return expect_nothing_left();
  }
  GTEST_SKIP() << "the portmap plugin is too slow here";
}

class other_servers : public end_to_end {
 protected:
  support::child_process serve(const std::string& name, const std::string& port) {
    return lab_->start_echo_server(name, {port});
  }
};

TEST_F(other_servers, that_move_from_loopback_to_every_address) {
  for (const auto* kind : {"tcp", "udp"}) {
    auto server = serve("narrow", fmt::format("{}:127.0.0.1/9000", kind));
    const auto port = fmt::format("{} 127.0.0.1:9000", kind);
    expect_published({port});
    expect_answers(port, "narrow");
    server.kill9();
    expect_published({});
    server = serve("wide", fmt::format("{}:0.0.0.0/9000", kind));
    expect_published({fmt::format("{} 0.0.0.0:9000", kind)});
    expect_answers(port, "wide");
    server.kill9();
    expect_nothing_left();
  }
}

TEST_F(other_servers, of_a_reuse_port_group) {
  auto one = serve("one", "tcpr:127.0.0.1/9000"), two = serve("one", "tcpr:127.0.0.1/9000");
  expect_published({"tcp 127.0.0.1:9000"});
  expect_answers("tcp 127.0.0.1:9000", "one");
  one.kill9();
  expect_published({"tcp 127.0.0.1:9000"});
  expect_answers("tcp 127.0.0.1:9000", "one");
  two.kill9();
  expect_nothing_left();
}

TEST_F(other_servers, that_are_shared_by_processes) {
  auto shared = open_socket(lab_->rd(), protocol::tcp, at("127.0.0.1:9000"), true);
  ::fcntl(shared.get(), F_SETFD, 0);
  support::child_process heir({.argv = {"tail", "-f", "/dev/null"}});
  ::fcntl(shared.get(), F_SETFD, FD_CLOEXEC);
  expect_published({"tcp 127.0.0.1:9000"});
  shared.reset();
  const auto marker = open_socket(lab_->rd(), protocol::tcp, at("0.0.0.0:9001"), true);
  expect_published({"tcp 127.0.0.1:9000", "tcp 0.0.0.0:9001"});
  heir.kill9();
  expect_published({"tcp 0.0.0.0:9001"});
}

// A bound socket is not a server yet. A socket that was never bound is one as soon as it listens.
TEST_F(other_servers, that_listen_long_after_bind) {
  const auto make = [this](const char* bind_to) {
    return lab_->rd().run([bind_to] {
      base::unique_fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
      if (bind_to == nullptr) return fd;
      const auto here = net::to_sockaddr(at(bind_to));
      EXPECT_EQ(::bind(fd.get(), here.get(), here.size), 0);
      return fd;
    });
  };
  const auto listen_at = [](const base::unique_fd& fd, support::clock::time_point when) {
    std::this_thread::sleep_until(when);  // NOLINT: the server's pace, not a wait of the test
    EXPECT_EQ(::listen(fd.get(), 16), 0);
    net::socket_address here;
    ::getsockname(fd.get(), here.get(), &here.size);
    return fmt::format("tcp {}", net::to_string(*net::from_sockaddr(here)));
  };
  const auto begin = support::clock::now();
  const auto first = make("0.0.0.0:9000"), second = make("127.0.0.1:9001"), unbound = make(nullptr);
  const auto any = listen_at(unbound, begin);
  const auto early = listen_at(first, begin + 50ms);
  expect_published({any, early});
  const auto late = listen_at(second, begin + 5s);
  expect_published({any, early, late});
}

TEST_F(other_servers, that_are_the_nodes_own_are_left_out) {
  const auto kubelet = serve("kubelet", "tcp:127.0.0.1/10248"), api = serve("api", "tcp:6443"),
             dns = serve("dns", "udp:127.0.0.1/53"), other = serve("other", "tcp:9000");
  expect_published({"tcp 0.0.0.0:9000"});
  lab_->start_agent({"-ignore-listeners=tcp:9000"});
  expect_published({"tcp 127.0.0.1:10248", "tcp 0.0.0.0:6443", "udp 127.0.0.1:53"});
  start_agent_and_wait({"-listeners=false"});
  expect_published({});
}

// A thousand a second, beside ten thousand connections (or as many as may be open).
TEST_F(other_servers, that_come_and_go_by_the_thousand) {
  ASSERT_TRUE(base::raise_descriptor_limit());
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  const auto pairs = std::min<std::size_t>(10'000, (limit.rlim_cur - 200) / 2);
  std::vector<base::unique_fd> connections;
  const auto server = open_socket(lab_->rd(), protocol::tcp, at("127.0.0.1:9000"), true);
  lab_->rd().run([&] {
    const auto to = net::to_sockaddr(at("127.0.0.1:9000"));
    while (connections.size() < 2 * pairs) {
      connections.emplace_back(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
      if (::connect(connections.back().get(), to.get(), to.size) != 0) break;
      connections.emplace_back(::accept(server.get(), nullptr, nullptr));
    }
  });
  ASSERT_EQ(connections.size(), 2 * pairs);
  expect_published({"tcp 127.0.0.1:9000"});
  const auto used = used_by(lab_->agent().pid());
  const auto begin = support::clock::now();
  lab_->rd().run([] {
    const auto end = support::clock::now() + 10s;
    for (int i = 0; support::clock::now() < end; ++i) {
      const base::unique_fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
      const auto here = net::to_sockaddr({net::address::any_v4(), static_cast<std::uint16_t>(20'000 + i % 10'000)});
      if (::bind(fd.get(), here.get(), here.size) == 0) ::listen(fd.get(), 1);
      std::this_thread::sleep_for(900us);  // NOLINT: the programs' pace, not a wait of the test
    }
  });
  const auto time = support::clock::now() - begin;
  const auto cost = used_by(lab_->agent().pid()) - used;
  EXPECT_LT(cost, time / 3) << "of " << time / 1ms << " ms";
  std::fprintf(stderr, "%zu connections, a storm of %lld ms: agent used %lld ms\n", pairs,
               static_cast<long long>(time / 1ms), static_cast<long long>(cost / 1ms));
  const auto last = open_socket(lab_->rd(), protocol::udp, at("0.0.0.0:9001"), true);
  expect_published({"tcp 127.0.0.1:9000", "udp 0.0.0.0:9001"}, 10s);
}

}  // namespace
}  // namespace integration
