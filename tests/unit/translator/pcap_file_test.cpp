#include "translator/pcap_file.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <array>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "base/unique_fd.hpp"
#include "tests/support/temp_dir.hpp"
#include "tests/unit/netstack/packets.hpp"

namespace translator {
namespace {

using netstack::counting;
using std::chrono::system_clock;

std::string read_all(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::uint32_t number(const std::string& bytes, std::size_t at) {
  std::uint32_t value = 0;
  for (std::size_t i = 4; i-- > 0;) value = value << 8U | static_cast<std::uint8_t>(bytes[at + i]);
  return value;
}

class pcap_file_test : public testing::Test {
 protected:
  static void add(pcap_file& to, const netstack::bytes& frame) {
    const std::array<netstack::bytes_view, 1> parts{frame};
    to.add(parts);
  }
  support::temp_dir directory_;
  std::string path_ = (directory_ / "x.pcap").string();
};

// The file header of the classic format, byte by byte, as tcpdump reads it.
TEST_F(pcap_file_test, begins_with_its_header) {
  auto file = pcap_file::create(path_);
  ASSERT_TRUE(file);
  const std::string expected(
      "\xd4\xc3\xb2\xa1"   // little endian, microseconds
      "\x02\x00\x04\x00"   // version 2.4
      "\x00\x00\x00\x00"   // zone
      "\x00\x00\x00\x00"   // accuracy
      "\x00\x00\x01\x00"   // 65,536 bytes of a frame
      "\x01\x00\x00\x00",  // Ethernet
      24);
  EXPECT_EQ(read_all(path_), expected);
}

TEST_F(pcap_file_test, a_record_has_the_bytes_of_all_parts) {
  auto file = pcap_file::create(path_);
  ASSERT_TRUE(file);
  const std::array<std::uint8_t, 3> head{1, 2, 3}, tail{4, 5, 6};
  const std::array<netstack::bytes_view, 3> parts{head, netstack::bytes_view(), tail};
  file->add(parts);
  ASSERT_TRUE(file->flush());
  const auto bytes = read_all(path_);
  ASSERT_EQ(bytes.size(), 24U + 16U + 6U);
  EXPECT_EQ(number(bytes, 32), 6U) << "the kept length";
  EXPECT_EQ(number(bytes, 36), 6U) << "the whole length";
  EXPECT_EQ(bytes.substr(40), "\x01\x02\x03\x04\x05\x06");
}

TEST_F(pcap_file_test, a_record_has_the_time_at_which_it_was_added) {
  const auto seconds = [] { return system_clock::to_time_t(system_clock::now()); };
  auto file = pcap_file::create(path_);
  ASSERT_TRUE(file);
  const auto before = seconds();
  add(*file, counting(60));
  const auto after = seconds();
  ASSERT_TRUE(file->flush());
  const auto bytes = read_all(path_);
  EXPECT_GE(number(bytes, 24), before);
  EXPECT_LE(number(bytes, 24), after);
  EXPECT_LT(number(bytes, 28), 1'000'000U) << "microseconds";
}

TEST_F(pcap_file_test, records_follow_each_other_and_the_longest_are_cut) {
  auto file = pcap_file::create(path_);
  ASSERT_TRUE(file);
  const std::array sizes{0UL, 1UL, 60UL, 65'535UL, 65'536UL, 65'537UL, 69'632UL, 14UL};
  for (const auto size : sizes) add(*file, counting(size));
  ASSERT_TRUE(file->flush());
  const auto bytes = read_all(path_);
  std::size_t at = 24;
  for (const auto size : sizes) {
    const auto kept = std::min<std::size_t>(size, 65'536);
    ASSERT_LE(at + 16 + kept, bytes.size()) << size;
    EXPECT_EQ(number(bytes, at + 8), kept);
    EXPECT_EQ(number(bytes, at + 12), size);
    const auto whole = counting(size);
    EXPECT_EQ(bytes.substr(at + 16, kept), std::string(whole.begin(), whole.begin() + std::ptrdiff_t(kept)));
    at += 16 + kept;
  }
  EXPECT_EQ(at, bytes.size());
}

TEST_F(pcap_file_test, its_owner_alone_reads_it) {
  ASSERT_TRUE(pcap_file::create(path_));
  struct stat there{};
  ASSERT_EQ(::stat(path_.c_str(), &there), 0);
  EXPECT_EQ(there.st_mode & 0777U, 0600U);
}

TEST_F(pcap_file_test, a_file_that_others_could_read_is_closed_to_them) {
  std::ofstream(path_) << "of an earlier recording";
  ASSERT_EQ(::chmod(path_.c_str(), 0644), 0);
  ASSERT_TRUE(pcap_file::create(path_));
  struct stat there{};
  ASSERT_EQ(::stat(path_.c_str(), &there), 0);
  EXPECT_EQ(there.st_mode & 0777U, 0600U);
}

TEST_F(pcap_file_test, a_new_recording_replaces_the_file) {
  {
    auto file = pcap_file::create(path_);
    ASSERT_TRUE(file);
    for (int i = 0; i < 100; ++i) add(*file, counting(1'000));
  }
  EXPECT_EQ(read_all(path_).size(), 24U + 100 * 1'016) << "what was added is there after its end";
  ASSERT_TRUE(pcap_file::create(path_));
  EXPECT_EQ(read_all(path_).size(), 24U);
}

// Otherwise another user's link in a shared directory would name the file that is overwritten.
TEST_F(pcap_file_test, a_link_is_not_followed) {
  std::ofstream(directory_ / "other") << "of another user";
  std::filesystem::create_symlink(directory_ / "other", path_);
  const auto file = pcap_file::create(path_);
  ASSERT_FALSE(file);
  EXPECT_EQ(file.error().code, std::errc::too_many_symbolic_link_levels);
  EXPECT_EQ(read_all((directory_ / "other").string()), "of another user");
}

TEST_F(pcap_file_test, what_cannot_be_written_is_an_error_with_its_path) {
  const auto none = pcap_file::create((directory_ / "no" / "x.pcap").string());
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, std::errc::no_such_file_or_directory);
  EXPECT_NE(none.error().message().find("no/x.pcap"), std::string::npos);
}

// A FIFO without a reader would block the program, and one whose reader stops the data plane.
TEST_F(pcap_file_test, what_is_no_regular_file_is_refused_at_once) {
  const auto reason = [](const std::string& path) {
    const auto made = pcap_file::create(path);
    return made ? std::string() : made.error().message();
  };
  ASSERT_EQ(::mkfifo(path_.c_str(), 0600), 0);
  EXPECT_NE(reason(path_).find("not a regular file"), std::string::npos);
  const base::unique_fd reader(::open(path_.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  EXPECT_NE(reason(path_).find("not a regular file"), std::string::npos) << "with a reader";
  for (const auto* device : {"/dev/null", "/dev/full"})
    EXPECT_NE(reason(device).find("not a regular file"), std::string::npos) << device;
  EXPECT_NE(reason(directory_.path()), "");
}

}  // namespace
}  // namespace translator
