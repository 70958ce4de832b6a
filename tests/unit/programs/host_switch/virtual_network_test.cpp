#include "programs/host_switch/virtual_network.hpp"

#include <gmock/gmock.h>

#include <filesystem>

#include "tests/support/temp_dir.hpp"
#include "tests/unit/programs/host_switch/virtual_network_fixture.hpp"

namespace host_switch {
namespace {

using testing::HasSubstr;

class virtual_network_test : public virtual_network_fixture {
 protected:
  static async::task<> wait_for_a_move(virtual_network* of, bool* moved) {
    co_await of->api_moves();
    *moved = true;
  }
  static std::size_t size_of(const std::filesystem::path& file) {
    std::error_code none;
    const auto size = std::filesystem::file_size(file, none);
    return none ? 0 : static_cast<std::size_t>(size);
  }
  base::result<std::unique_ptr<virtual_network>> open(const virtual_options& options) {
    return virtual_network::open(loop_.executor(), vm_network_, options);
  }
};

TEST_F(virtual_network_test, the_api_is_at_the_gateway_and_never_moves) {
  EXPECT_EQ(net::to_string(network_->api()), "192.168.127.1:80");
  EXPECT_TRUE(network_->listen_for_api(loop_.executor()));
  bool moved = false;
  loop_.spawn(wait_for_a_move(network_.get(), &moved));
  loop_.pass_time(std::chrono::hours(24));
  EXPECT_FALSE(moved);
  loop_.stop();
}

TEST_F(virtual_network_test, a_recording_begins_with_the_program_and_a_signal_ends_and_begins_it) {
  const support::temp_dir directory;
  const auto file = directory / "x.pcap";
  virtual_options options;
  options.pcap = file.string();
  start(options);
  testing::internal::CaptureStderr();
  send_arp();
  EXPECT_TRUE(loop_.run_until([&] { return size_of(file) >= 24 + 16 + 42; }));
  network_->toggle_recording();
  const auto before = size_of(file);
  send_arp();
  EXPECT_EQ(size_of(file), before);
  network_->toggle_recording();
  EXPECT_EQ(size_of(file), 24U) << "a new one";
  send_arp();
  EXPECT_TRUE(loop_.run_until([&] { return size_of(file) >= 24 + 16 + 42; }));
  const auto log = testing::internal::GetCapturedStderr();
  EXPECT_THAT(log, HasSubstr("INFO pcap: recording ended file=" + file.string()));
  EXPECT_THAT(log, HasSubstr("INFO pcap: recording file=" + file.string()));
}

TEST_F(virtual_network_test, without_a_file_the_signal_says_which_flag_names_one) {
  testing::internal::CaptureStderr();
  network_->toggle_recording();
  EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr("no file: see -pcap"));
}

TEST_F(virtual_network_test, a_file_that_cannot_be_written_keeps_it_from_starting_and_names_the_file) {
  virtual_options options;
  const support::temp_dir directory;
  options.listen = {{.kind = links::link_kind::unix_stream, .path = directory / "s"}};
  options.pcap = "/nonexistent/x.pcap";
  const auto refused = open(options);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message(), HasSubstr("/nonexistent/x.pcap"));
  EXPECT_FALSE(std::filesystem::exists(directory / "s")) << "what it had opened is gone";
}

TEST_F(virtual_network_test, one_link_that_cannot_be_opened_keeps_it_from_starting) {
  const support::temp_dir directory;
  virtual_options options;
  options.listen = {{.kind = links::link_kind::unix_stream, .path = (directory / "a").string()},
                    {.kind = links::link_kind::unix_stream, .path = (directory / "none/b").string()}};
  const auto refused = open(options);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, std::errc::no_such_file_or_directory);
  EXPECT_FALSE(std::filesystem::exists(directory / "a"));
}

TEST_F(virtual_network_test, it_names_its_links) {
  EXPECT_THAT(network_->listens(), testing::StartsWith("fd://"));
  const support::temp_dir directory;
  virtual_options options;
  const auto a = (directory / "a").string(), b = (directory / "b").string();
  options.listen = {{.kind = links::link_kind::unix_stream, .path = a}, {.kind = links::link_kind::qemu, .path = b}};
  const auto both = open(options);
  ASSERT_TRUE(both) << both.error().message();
  EXPECT_EQ((*both)->listens(), "unix://" + a + ",qemu://" + b);
}

}  // namespace
}  // namespace host_switch
