// Channels to a containerd that speaks the real protocol. The calls block: the fake has threads of its own.
#include "sources/containerd/channel.hpp"

#include <containers.grpc.pb.h>
#include <gmock/gmock.h>
#include <namespaces.grpc.pb.h>

#include <chrono>

#include "tests/support/fake_containerd.hpp"
#include "tests/support/temp_dir.hpp"

namespace containerd {
namespace {

using namespace std::chrono_literals;
using support::fake_containerd;

class channel_test : public testing::Test {
 protected:
  static grpc::Status list_namespaces(const std::shared_ptr<grpc::Channel>& channel) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + 10s);
    services::namespaces::v1::ListNamespacesResponse response;
    return services::namespaces::v1::Namespaces::NewStub(channel)->List(&context, {}, &response);
  }

  support::temp_dir directory_;
  std::filesystem::path socket_ = directory_ / "containerd.sock";
  fake_containerd engine_{socket_};
};

TEST_F(channel_test, reaches_the_socket_whatever_characters_its_path_has) {
  engine_.start();
  for (const std::string name : {"%41", "100%", "who?", "a#b", "%3F?#%"}) {
    std::filesystem::create_symlink(socket_, directory_ / name);
    const auto status = list_namespaces(open_channel(directory_ / name));
    EXPECT_TRUE(status.ok()) << name << ": " << status.error_message();
  }
}

TEST_F(channel_test, an_empty_socket_path_is_an_error_at_once) {
  const auto status = list_namespaces(open_channel(socket_));
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE) << "no waiting for one to come";
}

// gRPC would make the second channel wait as long as the first one backs off.
TEST_F(channel_test, a_new_channel_does_not_remember_the_failures_of_an_older_one) {
  const auto older = open_channel(socket_);
  ASSERT_FALSE(list_namespaces(older).ok());
  engine_.start();
  const auto status = list_namespaces(open_channel(socket_));
  EXPECT_TRUE(status.ok()) << status.error_message();
}

// gRPC's own limit is 4 MiB, and a hundred containers with their labels may exceed it.
TEST_F(channel_test, takes_an_answer_of_many_mebibytes) {
  engine_.run("default", "large", {{"nerdctl/ports", std::string(8 << 20, ' ')}});
  engine_.start();
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + 10s);
  context.AddMetadata("containerd-namespace", "default");
  services::containers::v1::ListContainersResponse response;
  const auto status =
      services::containers::v1::Containers::NewStub(open_channel(socket_))->List(&context, {}, &response);
  EXPECT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(response.containers_size(), 1);
}

TEST(channel_error, an_unknown_name_and_a_passed_deadline_have_codes) {
  const auto unknown = to_error({grpc::StatusCode::NOT_FOUND, "no container \"a\""}, "container");
  EXPECT_EQ(unknown.code, std::errc::no_such_file_or_directory);
  EXPECT_EQ(unknown.context, "container: no container \"a\"");
  const auto late = to_error({grpc::StatusCode::DEADLINE_EXCEEDED, "Deadline Exceeded"}, "list of tasks");
  EXPECT_EQ(late.code, std::errc::timed_out);
  EXPECT_EQ(late.context, "list of tasks") << "the code already says it";
}

TEST(channel_error, any_other_outcome_has_its_text_and_no_code) {
  for (const auto code :
       {grpc::StatusCode::UNAVAILABLE, grpc::StatusCode::UNIMPLEMENTED, grpc::StatusCode::CANCELLED}) {
    const auto failed = to_error({code, "refused"}, "task");
    EXPECT_FALSE(failed.code);
    EXPECT_EQ(failed.message(), "task: refused");
  }
}

TEST(channel_error, the_text_of_the_engine_stays_one_line) {
  const auto failed = to_error({grpc::StatusCode::INTERNAL, "first\nlevel=info forged\x1b[2J"}, "task");
  EXPECT_THAT(failed.message(), testing::Not(testing::AnyOf(testing::HasSubstr("\n"), testing::HasSubstr("\x1b"))));
  EXPECT_THAT(failed.message(), testing::HasSubstr("forged"));
}

}  // namespace
}  // namespace containerd
