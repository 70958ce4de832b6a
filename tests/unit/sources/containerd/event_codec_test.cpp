#include "sources/containerd/event_codec.hpp"

#include <gtest/gtest.h>

namespace containerd {
namespace {

// A protobuf field of type string, as the wire has it.
std::string field(char number, const std::string& text) {
  return std::string{static_cast<char>(number << 3 | 2), static_cast<char>(text.size())} + text;
}

// The event; nothing if it does not matter; a failure if it is unreadable.
std::optional<engine_event> understood(std::string_view name_space, std::string_view topic, std::string_view payload) {
  return parse_event(name_space, topic, payload).value();
}

TEST(event_codec, the_five_that_matter) {
  EXPECT_EQ(understood("default", "/tasks/start", field(1, "abc")),
            (engine_event{happening::started, "default", "abc"}));
  EXPECT_EQ(understood("k8s.io", "/tasks/exit", field(1, "abc") + field(2, "abc")),
            (engine_event{happening::ended, "k8s.io", "abc"}));
  EXPECT_EQ(understood("default", "/containers/update", field(1, "abc")),
            (engine_event{happening::updated, "default", "abc"}));
  EXPECT_EQ(understood("default", "/tasks/delete", field(1, "abc")),
            (engine_event{happening::removed, "default", "abc"}));
  EXPECT_EQ(understood("default", "/containers/delete", field(1, "abc")),
            (engine_event{happening::removed, "default", "abc"}));
}

TEST(event_codec, the_end_of_a_process_beside_the_first_one_is_none) {
  EXPECT_EQ(understood("default", "/tasks/exit", field(1, "abc") + field(2, "shell")), std::nullopt);
  EXPECT_EQ(understood("default", "/tasks/delete", field(1, "abc") + field(5, "shell")), std::nullopt);
}

TEST(event_codec, what_is_of_no_interest) {
  EXPECT_EQ(understood("default", "/tasks/oom", field(1, "abc")), std::nullopt);
  EXPECT_EQ(understood("default", "", ""), std::nullopt);
}

TEST(event_codec, names_that_cannot_be_containerds) {
  EXPECT_FALSE(parse_event("", "/tasks/start", field(1, "abc")));
  EXPECT_FALSE(parse_event("a/b", "/tasks/start", field(1, "abc")));
  EXPECT_FALSE(parse_event("default", "/tasks/start", field(1, "")));
  EXPECT_FALSE(parse_event("default", "/tasks/start", field(1, "a/b")));
  EXPECT_FALSE(parse_event("default", "/tasks/start", field(1, std::string(77, 'a'))));
  EXPECT_TRUE(understood("default", "/tasks/start", field(1, std::string(76, 'a'))));
}

TEST(event_codec, damaged_bytes) {
  for (const auto* topic :
       {"/tasks/start", "/tasks/exit", "/tasks/delete", "/containers/update", "/containers/delete"}) {
    EXPECT_FALSE(parse_event("default", topic,
                             "\x0a\x7f"
                             "abc"))
        << topic;
    EXPECT_FALSE(parse_event("default", topic, "\xff\xff\xff\xff")) << topic;
  }
}

}  // namespace
}  // namespace containerd
