// Against the real kernel and iptables-legacy, in a network namespace of the test's own. legacy_codec_test reads the
// bytes of a table.
#include "kernel/netfilter/legacy_table.hpp"

#include <gmock/gmock.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

// Behind <netinet/in.h>, which it otherwise contradicts.
#include <linux/netfilter_ipv4/ip_tables.h>

#include <array>
#include <cerrno>
#include <optional>
#include <string>
#include <system_error>
#include <thread>

#include "tests/support/child_process.hpp"
#include "tests/support/netns.hpp"
#include "tests/support/refused_call.hpp"
#include "tests/support/temp_dir.hpp"
#include "tests/unit/kernel/netfilter/rule_text.hpp"

namespace netfilter {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr std::array<std::string_view, 1> wanted{"CNI-"};

class legacy_table_test : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    if (::access("/usr/sbin/iptables-legacy", X_OK) != 0) GTEST_SKIP() << "iptables is not installed";
    place_.emplace("legacytable");
    here_.emplace(*place_);
  }
  // With a lock of its own: other programs of this machine use /run/xtables.lock.
  void iptables(std::vector<std::string> arguments, const char* program = "iptables-legacy") const {
    arguments.insert(arguments.begin(), {program, "-t", "nat"});
    support::run_or_throw(
        {.argv = std::move(arguments), .environment = {"XTABLES_LOCKFILE=" + (directory_ / "lock").string()}});
  }
  void add_dnat(const std::string& port) const {
    iptables({"-A", "CNI-DN", "-p", "tcp", "--dport", port, "-c", "5", "7", "-j", "DNAT", "--to", "10.4.0.7:80"});
  }
  template <class Call>
  static std::error_code error_without(const support::refused_call& refused, Call call) {
    std::error_code failed;
    const bool ran = support::run_without(refused, [&] {
      const auto found = call();
      if (!found) failed = found.error().code;
    });
    return ran ? failed : std::make_error_code(std::errc::not_supported);
  }
  static auto read_nat() { return read_legacy_nat(family::ipv4, wanted); }
  support::temp_dir directory_;
  std::optional<support::netns> place_;
  std::optional<support::inside> here_;
};

// Any other request than reading the names makes the kernel create the table.
TEST_F(legacy_table_test, reading_an_absent_table_does_not_create_it) {
  EXPECT_FALSE(has_legacy_nat(family::ipv4).value());
  EXPECT_EQ(size_of_legacy_nat(family::ipv4).value(), std::nullopt);
  EXPECT_THAT(read_nat().value(), IsEmpty());
  EXPECT_FALSE(has_legacy_nat(family::ipv4).value());
}

// The list of tables is in /proc: its absence does not mean that there is no table.
TEST_F(legacy_table_test, without_proc_it_is_unknown_whether_there_is_a_table) {
  iptables({"-N", "CNI-X"});
  std::optional<base::result<bool>> there;
  std::optional<base::result<std::vector<nat_chain>>> chains;
  std::thread([&] {
    if (::unshare(CLONE_NEWNS) != 0 || ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        ::mount("none", "/proc", "tmpfs", 0, nullptr) != 0)
      return;
    there = has_legacy_nat(family::ipv4);
    chains = read_nat();
  }).join();
  ASSERT_TRUE(there) << "the test's own mount failed";
  EXPECT_EQ(there->error().message(), "/proc/thread-self/net: No such file or directory");
  EXPECT_FALSE(chains->has_value());
}

TEST_F(legacy_table_test, the_families_and_tables_are_apart) {
  iptables({"-N", "CNI-X"}, "ip6tables-legacy");
  EXPECT_TRUE(has_legacy_nat(family::ipv6).value());
  EXPECT_FALSE(has_legacy_nat(family::ipv4).value());
  iptables({"-N", "CNI-X"});
  EXPECT_TRUE(has_legacy_table(family::ipv4, "nat").value());
  EXPECT_FALSE(has_legacy_table(family::ipv4, "na").value()) << "a whole name, not its beginning";
  EXPECT_FALSE(has_legacy_table(family::ipv4, "raw").value());
}

TEST_F(legacy_table_test, reads_the_wanted_chains) {
  iptables({"-N", "CNI-DN"});
  iptables({"-N", "OTHER"});
  add_dnat("8080");
  const auto chains = read_nat().value();
  ASSERT_EQ(chains.size(), 1U);
  EXPECT_EQ(chains[0].name, "CNI-DN");
  EXPECT_THAT(to_text(chains[0].rules), ElementsAre("tcp *:8080 -> 10.4.0.7:80"));
}

TEST_F(legacy_table_test, the_size_differs_when_a_rule_is_added) {
  iptables({"-N", "CNI-DN"});
  const auto before = size_of_legacy_nat(family::ipv4).value();
  ASSERT_TRUE(before);
  EXPECT_EQ(size_of_legacy_nat(family::ipv4).value(), before);
  add_dnat("8080");
  const auto after = size_of_legacy_nat(family::ipv4).value();
  ASSERT_TRUE(after);
  EXPECT_EQ(after->entries, before->entries + 1);
  EXPECT_GT(after->bytes, before->bytes);
}

TEST_F(legacy_table_test, the_fingerprint_differs_by_rules_and_not_by_counters) {
  iptables({"-N", "CNI-DN"});
  add_dnat("8080");
  const auto before = legacy_nat_fingerprint().value();
  iptables({"-Z"});
  EXPECT_EQ(legacy_nat_fingerprint().value(), before) << "zero counters";
  const auto size = size_of_legacy_nat(family::ipv4).value();
  iptables({"-D", "CNI-DN", "1"});
  add_dnat("8081");
  EXPECT_EQ(size_of_legacy_nat(family::ipv4).value(), size);
  EXPECT_NE(legacy_nat_fingerprint().value(), before) << "another port, in a table of the same size";
}

TEST_F(legacy_table_test, a_denied_table_is_an_error_and_not_an_absent_one) {
  iptables({"-N", "CNI-DN"});
  const support::refused_call raw_socket{__NR_socket, 1, SOCK_RAW | SOCK_CLOEXEC, EPERM};
  EXPECT_EQ(error_without(raw_socket, read_nat), std::errc::operation_not_permitted);
  EXPECT_EQ(error_without(raw_socket, [] { return size_of_legacy_nat(family::ipv4); }),
            std::errc::operation_not_permitted);
  EXPECT_EQ(error_without(raw_socket, legacy_nat_fingerprint), std::errc::operation_not_permitted);
  const support::refused_call info{__NR_getsockopt, 2, IPT_SO_GET_INFO, ENOPROTOOPT};
  EXPECT_EQ(error_without(info, read_nat), std::errc::no_protocol_option);
}

TEST_F(legacy_table_test, a_table_that_keeps_changing_is_an_error) {
  iptables({"-N", "CNI-DN"});
  const support::refused_call entries{__NR_getsockopt, 2, IPT_SO_GET_ENTRIES, EAGAIN};
  EXPECT_EQ(error_without(entries, read_nat), std::errc::resource_unavailable_try_again);
  EXPECT_EQ(error_without(entries, legacy_nat_fingerprint), std::errc::resource_unavailable_try_again);
}

// The kernel shows the tables' names to root alone.
TEST_F(legacy_table_test, without_rights_the_names_are_unknown) {
  iptables({"-N", "CNI-DN"});
  const auto failed = place_->run(
      [] {
        const auto there = has_legacy_nat(family::ipv4);
        return there ? std::error_code{} : there.error().code;
      },
      support::unprivileged);
  EXPECT_EQ(failed, std::errc::permission_denied);
}

}  // namespace
}  // namespace netfilter
