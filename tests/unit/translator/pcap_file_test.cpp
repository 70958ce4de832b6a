#include "translator/pcap_file.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <array>
#include <fstream>
#include <iterator>

#include "tests/support/temp_dir.hpp"

namespace translator {
namespace {

std::string read_all(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST(pcap_file, a_record_has_the_bytes_of_all_parts) {
  const support::temp_dir directory;
  const auto path = (directory.path() / "x.pcap").string();
  auto file = pcap_file::create(path);
  ASSERT_TRUE(file);
  const std::array<std::uint8_t, 3> head{1, 2, 3}, tail{4, 5, 6};
  const std::array<netstack::bytes_view, 2> parts{head, tail};
  file->add(parts);
  ASSERT_TRUE(file->flush());
  const auto bytes = read_all(path);
  ASSERT_EQ(bytes.size(), 24U + 16U + 6U);
  EXPECT_EQ(bytes.substr(0, 4), "\xd4\xc3\xb2\xa1");
  EXPECT_EQ(bytes[20], 1) << "the link type is Ethernet";
  EXPECT_EQ(bytes[32], 6) << "the kept length";
  EXPECT_EQ(bytes[36], 6) << "the whole length";
  EXPECT_EQ(bytes.substr(40), "\x01\x02\x03\x04\x05\x06");
}

TEST(pcap_file, its_owner_alone_reads_it) {
  const support::temp_dir directory;
  const auto path = (directory.path() / "x.pcap").string();
  ASSERT_TRUE(pcap_file::create(path));
  struct stat there{};
  ASSERT_EQ(::stat(path.c_str(), &there), 0);
  EXPECT_EQ(there.st_mode & 0777U, 0600U);
}

TEST(pcap_file, a_full_disk_shows_at_the_flush) {
  auto file = pcap_file::create("/dev/full");
  EXPECT_FALSE(file);
}

}  // namespace
}  // namespace translator
