#include "ports/journal.hpp"

#include <gmock/gmock.h>
#include <signal.h>
#include <sys/resource.h>

#include <fstream>

#include "tests/support/temp_dir.hpp"

namespace ports {
namespace {

class Journal : public testing::Test {
 protected:
  journal open(const std::string& boot = "boot-1") const {
    auto opened = journal::open(directory_.path(), "host-switch", boot);
    EXPECT_TRUE(opened) << opened.error().message();
    return std::move(*opened);
  }
  static forward on(std::uint16_t port) {
    return {{net::protocol::tcp, net::address::any_v4(), port}, 0, source_id::docker, {}};
  }

  support::temp_dir directory_;
};

TEST_F(Journal, RemembersWhatWasRecordedAndNotErased) {
  {
    auto j = open();
    EXPECT_THAT(j.remembered(), testing::IsEmpty());
    const std::vector adds{on(1), on(2)};
    ASSERT_TRUE(j.record(adds));
    const std::vector erased{on(1).key};
    ASSERT_TRUE(j.erase(erased));
  }
  auto j = open();
  EXPECT_THAT(j.remembered(), testing::ElementsAre(on(2)));
  EXPECT_TRUE(j.same_boot());
}

TEST_F(Journal, WritesBeforeItReturns) {
  auto j = open();
  const std::vector adds{on(8080)};
  ASSERT_TRUE(j.record(adds));
  std::ifstream file(directory_ / "host-switch.journal");
  const std::string text((std::istreambuf_iterator<char>(file)), {});
  EXPECT_THAT(text, testing::HasSubstr("+ tcp 0.0.0.0 8080 0 docker\n"));
}

TEST_F(Journal, AnotherBootIsTold) {
  open("boot-1");
  EXPECT_FALSE(open("boot-2").same_boot());
  EXPECT_TRUE(open("boot-2").same_boot());
  EXPECT_FALSE(open("").same_boot());
}

TEST_F(Journal, IsHeldByOneAgentOnly) {
  const auto first = open();
  const auto second = journal::open(directory_.path(), "host-switch", "boot-1");
  ASSERT_FALSE(second);
  EXPECT_THAT(second.error().message(), testing::HasSubstr("another agent"));
}

TEST_F(Journal, DoesNotGrowWithoutBound) {
  auto j = open();
  const std::vector adds{on(80)};
  const std::vector keys{on(80).key};
  for (int i = 0; i < 20'000; ++i) {
    ASSERT_TRUE(j.record(adds));
    ASSERT_TRUE(j.erase(keys));
  }
  j.flush();
  EXPECT_LT(std::filesystem::file_size(directory_ / "host-switch.journal"), 300'000U);
}

TEST_F(Journal, ADirectoryThatCannotBeMadeIsAnError) {
  std::ofstream(directory_ / "file") << "x";
  EXPECT_FALSE(journal::open(directory_ / "file" / "below", "p", "b"));
}

TEST_F(Journal, ALineThatWasCutOffSpoilsNoLaterOne) {
  {
    auto j = open();
    const auto file = directory_ / "host-switch.journal";
    ASSERT_TRUE(j.record(std::vector{on(1)}));
    rlimit before{};
    ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
    rlimit full = before;
    full.rlim_cur = std::filesystem::file_size(file) + 5;  // as on a full disk
    ::signal(SIGXFSZ, SIG_IGN);
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &full), 0);
    EXPECT_FALSE(j.record(std::vector{on(2)}));
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
    ASSERT_TRUE(j.record(std::vector{on(3)}));
  }
  EXPECT_THAT(open().remembered(), testing::ElementsAre(on(1), on(2), on(3)));
}

}  // namespace
}  // namespace ports
