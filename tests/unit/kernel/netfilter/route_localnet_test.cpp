#include "kernel/netfilter/route_localnet.hpp"

#include <gmock/gmock.h>

#include <fstream>

#include "tests/support/temp_dir.hpp"

namespace netfilter {
namespace {

class route_localnet_test : public testing::Test {
 protected:
  void SetUp() override {
    for (const auto* interface : {"eth0", "eth1"}) {
      std::filesystem::create_directories(directory_ / "conf" / interface);
      set(interface, "0\n");
    }
    write(directory_ / "boot", "one\n");
  }
  static void write(const std::filesystem::path& file, const std::string& text) { std::ofstream(file) << text; }
  std::filesystem::path file(const std::string& interface) const {
    return directory_ / "conf" / interface / "route_localnet";
  }
  void set(const std::string& interface, const std::string& value) { write(file(interface), value); }
  std::string get(const std::string& interface = "eth0") const {
    std::string value;
    std::ifstream(file(interface)) >> value;
    return value;
  }
  route_localnet setting() const { return route_localnet(state(), directory_ / "conf", directory_ / "boot"); }
  std::filesystem::path state() const { return directory_ / "state" / "route-localnet"; }

  support::temp_dir directory_;
};

TEST_F(route_localnet_test, restores_the_former_value) {
  auto s = setting();
  EXPECT_TRUE(s.enable({"eth0"}));
  EXPECT_EQ(get(), "1");
  EXPECT_TRUE(s.enable({"eth0"}));
  EXPECT_TRUE(s.restore());
  EXPECT_EQ(get(), "0");
  EXPECT_FALSE(std::filesystem::exists(state()));
}

TEST_F(route_localnet_test, a_successor_restores_what_the_crashed_run_found) {
  EXPECT_TRUE(setting().enable({"eth0"}));
  auto successor = setting();
  EXPECT_TRUE(successor.enable({"eth0"}));
  EXPECT_TRUE(successor.restore());
  EXPECT_EQ(get(), "0");
}

TEST_F(route_localnet_test, what_was_on_before_stays_on) {
  set("eth0", "1\n");
  auto s = setting();
  EXPECT_TRUE(s.enable({"eth0"}));
  EXPECT_TRUE(s.restore());
  EXPECT_EQ(get(), "1");
}

TEST_F(route_localnet_test, ignores_the_state_of_another_boot) {
  EXPECT_TRUE(setting().enable({"eth0"}));
  write(directory_ / "boot", "two\n");
  set("eth0", "1\n");
  EXPECT_TRUE(setting().restore());
  EXPECT_EQ(get(), "1");
}

// Cut at its first mebibyte it would leave the rest of the interfaces as they are.
TEST_F(route_localnet_test, a_state_file_of_more_than_a_mebibyte_is_an_error) {
  EXPECT_TRUE(setting().enable({"eth0"}));
  std::ofstream(state(), std::ios::app) << std::string(1 << 20, '\n');
  EXPECT_FALSE(setting().restore());
  EXPECT_FALSE(setting().enable({"eth1"}));
  EXPECT_EQ(get(), "1");
  EXPECT_EQ(get("eth1"), "0") << "it could not be restored";
}

TEST_F(route_localnet_test, former_values_that_cannot_be_read_are_not_forgotten) {
  EXPECT_TRUE(setting().enable({"eth0"}));
  const auto kept = directory_ / "kept";
  std::filesystem::rename(state(), kept);
  std::filesystem::create_directory(state());  // not a file that can be read
  EXPECT_FALSE(setting().restore());
  EXPECT_FALSE(setting().enable({"eth0", "eth1"}));
  EXPECT_EQ(get("eth1"), "0") << "it could not be restored";
  EXPECT_TRUE(std::filesystem::exists(state()));
  std::filesystem::remove(state());
  std::filesystem::rename(kept, state());
  EXPECT_TRUE(setting().restore());
  EXPECT_EQ(get("eth0"), "0");
}

TEST_F(route_localnet_test, without_the_boots_id_nothing_is_changed) {
  EXPECT_TRUE(setting().enable({"eth0"}));
  std::filesystem::remove(directory_ / "boot");
  EXPECT_FALSE(setting().restore());
  EXPECT_FALSE(setting().enable({"eth1"}));
  EXPECT_EQ(get("eth1"), "0");
  write(directory_ / "boot", "one\n");
  EXPECT_TRUE(setting().restore());
  EXPECT_EQ(get("eth0"), "0");
}

TEST_F(route_localnet_test, restores_interfaces_that_are_no_longer_named) {
  auto s = setting();
  EXPECT_TRUE(s.enable({"eth0", "eth1"}));
  EXPECT_EQ(get("eth0"), "1");
  EXPECT_EQ(get("eth1"), "1");
  auto successor = setting();
  EXPECT_TRUE(successor.enable({"eth1"}));
  EXPECT_EQ(get("eth0"), "0");
  EXPECT_EQ(get("eth1"), "1");
  EXPECT_TRUE(successor.restore());
  EXPECT_EQ(get("eth1"), "0");
  EXPECT_FALSE(std::filesystem::exists(state()));
}

TEST_F(route_localnet_test, a_deleted_interface_is_not_an_error) {
  auto s = setting();
  EXPECT_TRUE(s.enable({"eth0"}));
  std::filesystem::remove_all(directory_ / "conf" / "eth0");
  EXPECT_TRUE(s.restore());
  EXPECT_FALSE(s.enable({"eth0"}));
}

TEST_F(route_localnet_test, ignores_invalid_lines_of_the_state_file) {
  std::filesystem::create_directories(state().parent_path());
  for (const std::string text : {"", "one ../eth1 0", "one eth0", "one eth0 7", "x", "one  0"}) {
    write(state(), text);
    set("eth0", "1\n");
    EXPECT_TRUE(setting().restore()) << text;
    EXPECT_EQ(get(), "1") << text;
  }
  EXPECT_FALSE(setting().enable({"../eth0"}));
  EXPECT_FALSE(setting().enable({""}));
}

}  // namespace
}  // namespace netfilter
