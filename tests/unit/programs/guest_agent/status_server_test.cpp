#include "programs/guest_agent/status_server.hpp"

#include <gmock/gmock.h>

#include "tests/support/event_loop.hpp"

namespace guest_agent {
namespace {

// A client that is slow to take a document, while something happens.
struct slow_reader {
  controller& middle;
  std::vector<std::string> documents{};

  static async::task<bool> take(slow_reader* self, base::shared_text document) {
    self->documents.push_back(document.str());
    if (self->documents.size() == 1) self->middle.degraded(ports::source_id::docker, {{}, "while it was written"});
    co_await async::yield();
    co_return self->documents.size() < 2;
  }
};

TEST(status_server, a_change_while_a_document_is_written_is_the_next_one) {
  support::event_loop loop;
  controller middle(loop.executor(), {});
  middle.enable(ports::source_id::docker);
  slow_reader reader{middle};
  const http::stream_writer writer = [&reader](base::shared_text document) {
    return slow_reader::take(&reader, std::move(document));
  };
  loop.spawn(stream_documents(middle, writer));
  ASSERT_TRUE(loop.run_until([&] { return reader.documents.size() == 2; }, std::chrono::seconds(8)))
      << "ten seconds is how long it takes where nothing changes";
  EXPECT_THAT(reader.documents[1], testing::HasSubstr("while it was written"));
  loop.stop();
}

}  // namespace
}  // namespace guest_agent
