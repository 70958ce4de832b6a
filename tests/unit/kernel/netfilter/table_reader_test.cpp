// Against the real kernel and both variants of iptables, in a network namespace of the test's own. The programs count
// their runs, and do something else first when the test says so.
#include "kernel/netfilter/table_reader.hpp"

#include <gmock/gmock.h>
#include <linux/netlink.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <fstream>

#include "tests/support/child_process.hpp"
#include "tests/support/netns.hpp"
#include "tests/support/refused_call.hpp"
#include "tests/support/run_task.hpp"
#include "tests/support/temp_dir.hpp"
#include "tests/unit/kernel/netfilter/table_text.hpp"

namespace netfilter {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

const std::string engine_rules = "*nat\n:DOCKER -\n-A PREROUTING -j DOCKER\n-A DOCKER -p tcp -j ACCEPT\nCOMMIT\n";
std::string own_rule(int port) {
  return "-A TAG -p tcp -m tcp --dport " + std::to_string(port) + " -m comment --comment TAG:web -j ACCEPT";
}

class table_reader_test : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    if (::access("/usr/sbin/iptables-nft-restore", X_OK) != 0) GTEST_SKIP() << "iptables is not installed";
    if (::access("/usr/sbin/iptables-legacy-restore", X_OK) != 0) GTEST_SKIP() << "iptables-legacy is not installed";
    std::signal(SIGPIPE, SIG_IGN);  // as every program of ours does
    place_.emplace("reader");
    here_.emplace(*place_);
    legacy_watch_.emplace(context_.get_executor(), legacy_watch_options{}, "test");
  }
  void use(nat_variant variant) {
    variant_ = variant == nat_variant::legacy ? "iptables-legacy" : "iptables-nft";
    reader_.emplace(nat_programs{variant, wrapped(variant_ + "-save"), wrapped(variant_ + "-restore")},
                    table_scope{"TAG", {{"DOCKER", "DOCKER"}}}, *legacy_watch_);
  }
  std::string wrapped(const std::string& program) const {
    const auto file = directory_ / program;
    std::ofstream(file) << "#!/bin/sh\necho >> " << (directory_ / "runs").string()
                        << "\nif [ -e $0.first ]; then . $0.first; fi\nexec /usr/sbin/" << program << " \"$@\"\n";
    std::filesystem::permissions(file, std::filesystem::perms::owner_all);
    return file.string();
  }
  void before(const std::string& program, const std::string& script) const {
    std::ofstream(directory_ / (variant_ + program + ".first")) << script << '\n';
  }
  std::ptrdiff_t runs() const {
    std::ifstream file(directory_ / "runs");
    return std::count(std::istreambuf_iterator<char>(file), {}, '\n');
  }
  void restore(const std::string& text) const {
    std::ofstream(directory_ / "rules") << text;
    support::run_or_throw({.argv = {variant_ + "-restore", "--noflush"}, .stdin_file = directory_ / "rules"});
  }
  void take_programs_away() const {
    for (const auto* program : {"-save", "-restore"})
      std::filesystem::rename(directory_ / (variant_ + program), directory_ / (variant_ + program + ".away"));
  }
  void bring_programs_back() const {
    for (const auto* program : {"-save", "-restore"})
      std::filesystem::rename(directory_ / (variant_ + program + ".away"), directory_ / (variant_ + program));
  }
  base::result<table_ptr> read() { return support::run_task(context_, reader_->read()); }
  std::vector<std::string> lines(const std::string& chain) { return lines_of(*read().value(), chain); }
  base::result<std::vector<pid_t>> change(table_change change) {
    return support::run_task(context_, reader_->change(std::move(change)));
  }

  std::string variant_;
  support::temp_dir directory_;
  std::optional<support::netns> place_;
  std::optional<support::inside> here_;
  boost::asio::io_context context_;
  std::optional<legacy_watch> legacy_watch_;
  std::optional<table_reader> reader_;
};

TEST_F(table_reader_test, nft_reads_text_when_a_rule_in_its_scope_has_changed) {
  use(nat_variant::nft);
  restore(engine_rules);
  const auto first = read().value();
  EXPECT_THAT(lines_of(*first, "DOCKER"), SizeIs(1));
  const auto before = runs();
  EXPECT_EQ(read().value(), first);
  restore("*nat\n:KUBE-SERVICES -\n-A KUBE-SERVICES -j ACCEPT\nCOMMIT\n");
  EXPECT_FALSE(reader_->nft_changed());
  EXPECT_EQ(read().value(), first);
  EXPECT_EQ(runs(), before);
  restore("*nat\n-A DOCKER -p udp -j ACCEPT\nCOMMIT\n");
  EXPECT_TRUE(reader_->nft_changed());
  EXPECT_THAT(lines("DOCKER"), SizeIs(2));
  EXPECT_FALSE(reader_->nft_changed());
  EXPECT_GT(runs(), before);
}

TEST_F(table_reader_test, nft_rules_have_handles_by_which_they_go) {
  use(nat_variant::nft);
  restore(engine_rules);
  ASSERT_TRUE(change({.lines = {":TAG -", own_rule(80), own_rule(81)}, .grown = {"TAG"}}));
  const auto table = read().value();
  ASSERT_EQ(table->handles.size(), table->rules.size());
  const auto at = std::ranges::find(table->rules, parsed(own_rule(80))) - table->rules.begin();
  const auto by = change({.removals = {{"TAG", table->handles.at(static_cast<std::size_t>(at))}}});
  ASSERT_TRUE(by) << by.error().message();
  EXPECT_THAT(*by, SizeIs(1));
  EXPECT_THAT(lines("TAG"), ElementsAre(own_rule(81)));
  EXPECT_THAT(lines("DOCKER"), SizeIs(1));
}

const std::string dnat_rule =
    "-A TAG -p tcp -m tcp --dport 80 -m comment --comment TAG:web -j DNAT --to-destination 10.0.0.1:80";

TEST_F(table_reader_test, nft_rules_are_added_without_a_program) {
  use(nat_variant::nft);
  restore(engine_rules);
  const auto before = runs();
  const auto by = change({.lines = {":TAG -", dnat_rule}, .grown = {"TAG"}});
  ASSERT_TRUE(by) << by.error().message();
  EXPECT_THAT(*by, SizeIs(1));
  EXPECT_EQ(runs(), before);
  EXPECT_THAT(lines("TAG"), ElementsAre(dnat_rule));
}

// Its own words: only the program empties the chain, and makes the table.
TEST_F(table_reader_test, rules_that_the_kernel_refuses_are_the_programs) {
  use(nat_variant::nft);
  ASSERT_TRUE(change({.lines = {":TAG -", dnat_rule}, .grown = {"TAG"}})) << "there is no table yet";
  EXPECT_EQ(runs(), 1);
  restore("*nat\n-A TAG -j ACCEPT\nCOMMIT\n");
  ASSERT_TRUE(change({.lines = {":TAG -", dnat_rule}, .grown = {"TAG"}}));
  EXPECT_EQ(runs(), 2);
  EXPECT_THAT(lines("TAG"), ElementsAre(dnat_rule));
  before("-restore", "echo line 2 failed >&2; exit 1");
  EXPECT_THAT(change({.lines = {"-A NONE -j TAG"}}).error().message(), HasSubstr("line 2"));
}

// Its request is lost. If the program ran the lines, the kernel might have them twice.
TEST_F(table_reader_test, lines_whose_answer_is_lost_do_not_run_twice) {
  use(nat_variant::nft);
  restore(engine_rules);
  const auto before = runs();
  base::result<std::vector<pid_t>> changed;
  const auto body = [&] { changed = change({.lines = {":TAG -", dnat_rule}, .grown = {"TAG"}}); };
  if (!support::run_without({__NR_sendto, 3, MSG_NOSIGNAL, 0}, body)) GTEST_SKIP() << "the kernel takes no filter";
  EXPECT_EQ(changed.error().code, std::errc::timed_out);
  EXPECT_EQ(runs(), before);
}

// The owner has to put something in their place first.
TEST_F(table_reader_test, rules_stay_when_the_programs_have_gone_until_the_owner_removes_the_leftovers) {
  use(nat_variant::nft);
  restore("*nat\n:TAG -\n" + own_rule(80) +
          "\n-A TAG -j RETURN\n-A PREROUTING -m comment --comment TAG:peer -j TAG\nCOMMIT\n");
  ASSERT_TRUE(read());
  EXPECT_TRUE(support::run_task(context_, reader_->leftovers()).value().empty());
  const auto in_kernel = [] { return support::run_or_throw({.argv = {"iptables-nft-save", "-t", "nat"}}); };
  take_programs_away();
  restore("*nat\n-A TAG -j RETURN\nCOMMIT\n");  // or the last reading counts
  EXPECT_EQ(read().value(), nullptr);
  EXPECT_TRUE(reader_->is_gone());
  EXPECT_FALSE(reader_->is_back());
  EXPECT_THAT(in_kernel(), HasSubstr("TAG:web"));
  auto left = support::run_task(context_, reader_->leftovers());
  ASSERT_TRUE(left) << left.error().message();
  EXPECT_TRUE(change(std::move(*left)));
  EXPECT_THAT(in_kernel(), Not(HasSubstr("TAG:")));
  EXPECT_THAT(in_kernel(), HasSubstr("-A TAG -j RETURN")) << "it is not ours";
  bring_programs_back();
  EXPECT_TRUE(reader_->is_back());
  EXPECT_NE(read().value(), nullptr);
  EXPECT_FALSE(reader_->is_gone());
}

TEST_F(table_reader_test, only_a_whole_reading_finds_our_rules_in_a_chain_that_nothing_jumps_to) {
  use(nat_variant::nft);
  restore(engine_rules);
  EXPECT_THAT(read().value()->chains, Not(Contains("LEFT")));
  restore("*nat\n:LEFT -\n-A LEFT -m comment --comment TAG:old -j ACCEPT\nCOMMIT\n");
  EXPECT_THAT(lines("LEFT"), IsEmpty());
  reader_->reread_whole();
  EXPECT_THAT(lines("LEFT"), SizeIs(1));
}

TEST_F(table_reader_test, rules_that_change_during_every_reading_are_an_error) {
  use(nat_variant::nft);
  restore(engine_rules);
  ASSERT_TRUE(read());
  restore("*nat\n-A DOCKER -p udp -j ACCEPT\nCOMMIT\n");
  before("-restore", "iptables-nft -t nat -A DOCKER -p sctp -j ACCEPT");
  EXPECT_EQ(read().error().code, std::errc::resource_unavailable_try_again);
}

TEST_F(table_reader_test, rejects_a_text_with_fewer_rules_than_the_kernel_has) {
  use(nat_variant::nft);
  restore(engine_rules);
  ASSERT_TRUE(read());
  restore("*nat\n-A DOCKER -p udp -j ACCEPT\nCOMMIT\n");
  before("-restore", "printf -- '-P PREROUTING ACCEPT\\n-N DOCKER\\n-A PREROUTING -j DOCKER\\n'; exit 0");
  EXPECT_FALSE(read());
}

TEST_F(table_reader_test, a_program_that_fails_is_an_error_and_a_lock_is_named) {
  use(nat_variant::nft);
  restore(engine_rules);
  before("-save", "exit 4");
  EXPECT_EQ(read().error().code, std::errc::resource_unavailable_try_again);
  before("-save", "echo broken >&2; exit 1");
  EXPECT_THAT(read().error().message(), HasSubstr("broken"));
}

// The kernel knows whether it has nftables; the program only fails.
TEST_F(table_reader_test, a_kernel_without_nftables_has_no_table_and_one_that_denies_it_is_read_as_text) {
  use(nat_variant::nft);
  for (const auto& [error, has_table] : {std::pair{EPROTONOSUPPORT, false}, std::pair{EPERM, true}}) {
    before("-save", "printf '*nat\\n:DOCKER -\\nCOMMIT\\n'; exit 0");
    base::result<table_ptr> table;
    const auto body = [&] { table = read(); };
    if (!support::run_without({__NR_socket, 2, NETLINK_NETFILTER, static_cast<unsigned>(error)}, body))
      GTEST_SKIP() << "the kernel takes no filter";
    ASSERT_TRUE(table) << table.error().message();
    EXPECT_EQ(*table != nullptr, has_table) << error;
  }
}

// Its request is lost, so the dump has no answer. The text would cost more, and be read again and again.
TEST_F(table_reader_test, a_dump_without_an_answer_is_repeated_and_then_an_error) {
  use(nat_variant::nft);
  restore(engine_rules);
  ASSERT_TRUE(read());
  const auto before = runs();
  base::result<table_ptr> table;
  if (!support::run_without({__NR_sendto, 3, MSG_NOSIGNAL, 0}, [&] { table = read(); }))
    GTEST_SKIP() << "the kernel takes no filter";
  EXPECT_EQ(table.error().code, std::errc::timed_out);
  EXPECT_EQ(runs(), before);
  EXPECT_TRUE(read());
}

TEST_F(table_reader_test, stale_rules_of_ours_go_without_any_text) {
  use(nat_variant::nft);
  restore(engine_rules);
  restore("*nat\n:TAG -\n" + own_rule(80) + '\n' + own_rule(81) + "\n-A TAG -p tcp --dport 80 -j ACCEPT\nCOMMIT\n");
  before("-save", "exit 1");
  before("-restore", "exit 1");
  EXPECT_TRUE(reader_->remove_stale([](const nat_rule& r) { return r.port == 80; }));
  const auto left = support::run_or_throw({.argv = {"iptables-nft-save", "-t", "nat"}});
  EXPECT_THAT(lines_of(parse_nat_table(left).value(), "TAG"),
              ElementsAre(own_rule(81), "-A TAG -p tcp -m tcp --dport 80 -j ACCEPT"))
      << "the second has no comment of ours";
}

TEST_F(table_reader_test, legacy_has_no_table_until_a_program_makes_one) {
  use(nat_variant::legacy);
  EXPECT_EQ(read().value(), nullptr);
  EXPECT_EQ(runs(), 0) << "a program would make the kernel create the table";
  restore(engine_rules);
  EXPECT_TRUE(support::run_task(context_, reader_->legacy_changed()));
  EXPECT_THAT(lines("DOCKER"), SizeIs(1));
}

TEST_F(table_reader_test, legacy_reads_text_when_the_table_has_changed) {
  use(nat_variant::legacy);
  restore(engine_rules);
  const auto first = read().value();
  const auto before = runs();
  EXPECT_EQ(read().value(), first);
  EXPECT_FALSE(support::run_task(context_, reader_->legacy_changed()));
  EXPECT_EQ(runs(), before);
  ASSERT_TRUE(change({.lines = {":TAG -", own_rule(80)}, .grown = {"TAG"}}));
  EXPECT_THAT(lines("TAG"), ElementsAre(own_rule(80)));
}

// Nothing else could remove the rules: with relays in their place, they would still take the connections.
TEST_F(table_reader_test, legacy_is_an_error_while_the_programs_are_gone) {
  use(nat_variant::legacy);
  restore("*nat\n:TAG -\n" + own_rule(80) + "\nCOMMIT\n");
  ASSERT_TRUE(read());
  take_programs_away();
  restore("*nat\n" + own_rule(81) + "\nCOMMIT\n");  // or the last reading counts
  EXPECT_FALSE(read()) << "an unreadable table is not an absent one";
  EXPECT_FALSE(change({.lines = {own_rule(82)}}));
  EXPECT_TRUE(support::run_task(context_, reader_->leftovers()).value().empty());
  bring_programs_back();
  EXPECT_THAT(lines("TAG"), ElementsAre(own_rule(80), own_rule(81)));
}

}  // namespace
}  // namespace netfilter
