#include "sinks/port_mapping/address_book.hpp"

#include <gmock/gmock.h>

#include <fstream>

#include "base/log.hpp"
#include "base/read_file.hpp"
#include "base/text.hpp"
#include "protocols/port_mapping/message_codec.hpp"
#include "tests/support/temp_dir.hpp"

namespace port_mapping_peer {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

port_mapping::connect_address address(const std::string& ip) { return {net::address::parse(ip).value(), 24}; }
connect_addresses at(const std::string& ip) { return {address(ip)}; }
std::string line(const connect_addresses& addresses) {
  return port_mapping::encode({.remove = false, .bindings = {}, .connect_addresses = addresses});
}

class address_book_test : public testing::Test {
 protected:
  void write(const std::string& text) const { std::ofstream(file_) << text; }

  support::temp_dir directory_;
  std::filesystem::path file_ = directory_ / "addresses";
};

TEST_F(address_book_test, remembers_the_last_few_through_a_restart) {
  const auto file = directory_ / "new" / "addresses";
  address_book first(file);
  EXPECT_THAT(first.former(), IsEmpty());
  for (const auto* ip : {"10.0.0.1", "10.0.0.2", "10.0.0.3"}) first.move_to(at(ip));
  EXPECT_THAT(first.former(), ElementsAre(at("10.0.0.2"), at("10.0.0.1")));
  address_book second(file);
  second.move_to(at("10.0.0.1"));
  EXPECT_THAT(second.former(), ElementsAre(at("10.0.0.3"), at("10.0.0.2")));
  for (int i = 10; i < 20; ++i) second.move_to(at("10.0.0." + std::to_string(i)));
  EXPECT_THAT(second.former(), ElementsAre(at("10.0.0.18"), at("10.0.0.17"), at("10.0.0.16")));
}

TEST_F(address_book_test, an_address_to_which_no_receiver_connects_is_no_move) {
  address_book book{{}};
  book.move_to({address("10.0.0.1")});
  book.move_to({address("10.0.0.1"), address("10.0.0.9")});
  EXPECT_THAT(book.former(), IsEmpty());
}

// Ports on an IPv6 address of the host were sent with the former one.
TEST_F(address_book_test, another_first_address_of_one_family_is_a_move) {
  address_book book{{}};
  const connect_addresses before{address("10.0.0.1"), address("fd00::1")};
  book.move_to(before);
  book.move_to({address("10.0.0.1"), address("fd00::2")});
  EXPECT_THAT(book.former(), ElementsAre(before));
}

TEST_F(address_book_test, what_is_forgotten_stays_forgotten_after_a_restart) {
  {
    address_book book(file_);
    book.move_to(at("10.0.0.1"));
    book.move_to(at("10.0.0.2"));
    book.forget_former();
    EXPECT_THAT(book.former(), IsEmpty());
  }
  address_book again(file_);
  EXPECT_THAT(again.former(), IsEmpty());
  again.move_to(at("10.0.0.3"));
  EXPECT_THAT(again.former(), ElementsAre(at("10.0.0.2"))) << "the current one was not forgotten";
}

TEST_F(address_book_test, a_damaged_line_takes_no_other_with_it) {
  write("garbage\n" + line(at("10.0.0.1")) + "{\"portMappings\":\n\n" + line(at("10.0.0.2")));
  EXPECT_THAT(address_book(file_).former(), ElementsAre(at("10.0.0.2")));
}

TEST_F(address_book_test, a_file_with_many_lines_gives_the_newest_few) {
  std::string text;
  for (int i = 1; i <= 20; ++i) text += line(at("10.0.0." + std::to_string(i)));
  write(text);
  EXPECT_THAT(address_book(file_).former(), ElementsAre(at("10.0.0.2"), at("10.0.0.3"), at("10.0.0.4")));
}

TEST_F(address_book_test, a_file_that_the_agent_cannot_have_written_is_an_empty_book) {
  const auto two = line(at("10.0.0.1")) + line(at("10.0.0.2"));
  write(two + std::string(64 << 10, '\n'));
  EXPECT_THAT(address_book(file_).former(), IsEmpty()) << "too large";
  std::filesystem::rename(file_, directory_ / "elsewhere");
  std::ofstream(directory_ / "elsewhere", std::ios::trunc) << two;
  ASSERT_THAT(address_book(directory_ / "elsewhere").former(), SizeIs(1));
  std::filesystem::create_symlink(directory_ / "elsewhere", file_);
  EXPECT_THAT(address_book(file_).former(), IsEmpty()) << "a link";
}

TEST_F(address_book_test, a_file_that_cannot_be_written_is_no_reason_to_forget) {
  write("");
  address_book book(file_ / "below" / "a-file");
  book.move_to(at("10.0.0.1"));
  book.move_to(at("10.0.0.2"));
  EXPECT_THAT(book.former(), ElementsAre(at("10.0.0.1")));
}

// The parent of the book's directory is a file. Once it is a directory, the book is written.
TEST_F(address_book_test, a_directory_that_cannot_be_created_is_logged_when_it_begins_and_ends) {
  const auto log = directory_ / "log";
  ASSERT_TRUE(base::log::set_file(log.string()));
  write("");
  address_book book(file_ / "below" / "a-file");
  for (const auto* ip : {"10.0.0.1", "10.0.0.2"}) book.move_to(at(ip));
  std::filesystem::remove(file_);
  book.move_to(at("10.0.0.3"));
  ASSERT_TRUE(base::log::set_file("/dev/stderr"));
  const auto text = base::read_file(log.string()).value();
  EXPECT_THAT(base::split(base::trim(text), '\n'),
              ElementsAre(HasSubstr("reason=\"create " + (file_ / "below").string()), HasSubstr(" INFO ")));
  EXPECT_THAT(address_book(file_ / "below" / "a-file").former(), SizeIs(2));
}

}  // namespace
}  // namespace port_mapping_peer
