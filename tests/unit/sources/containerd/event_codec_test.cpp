#include "sources/containerd/event_codec.hpp"

#include <gtest/gtest.h>

namespace containerd {
namespace {

// A protobuf field of type string, as the wire has it.
std::string field(char number, const std::string& text) {
  return std::string{static_cast<char>(number << 3 | 2), static_cast<char>(text.size())} + text;
}

TEST(EventCodec, TheThreeThatMatter) {
  EXPECT_EQ(parse_event("default", "/tasks/start", field(1, "abc")),
            (engine_event{happening::started, "default", "abc"}));
  EXPECT_EQ(parse_event("k8s.io", "/tasks/exit", field(1, "abc") + field(2, "abc")),
            (engine_event{happening::ended, "k8s.io", "abc"}));
  EXPECT_EQ(parse_event("default", "/containers/update", field(1, "abc")),
            (engine_event{happening::updated, "default", "abc"}));
}

TEST(EventCodec, TheEndOfAProcessBesideTheFirstOneIsNone) {
  EXPECT_EQ(parse_event("default", "/tasks/exit", field(1, "abc") + field(2, "shell")), std::nullopt);
}

TEST(EventCodec, WhatIsOfNoInterest) {
  EXPECT_EQ(parse_event("default", "/tasks/oom", field(1, "abc")), std::nullopt);
  EXPECT_EQ(parse_event("default", "", ""), std::nullopt);
}

TEST(EventCodec, NamesThatCannotBeContainerds) {
  EXPECT_EQ(parse_event("", "/tasks/start", field(1, "abc")), std::nullopt);
  EXPECT_EQ(parse_event("a/b", "/tasks/start", field(1, "abc")), std::nullopt);
  EXPECT_EQ(parse_event("default", "/tasks/start", field(1, "")), std::nullopt);
  EXPECT_EQ(parse_event("default", "/tasks/start", field(1, "a/b")), std::nullopt);
  EXPECT_EQ(parse_event("default", "/tasks/start", field(1, std::string(77, 'a'))), std::nullopt);
  EXPECT_TRUE(parse_event("default", "/tasks/start", field(1, std::string(76, 'a'))));
}

TEST(EventCodec, DamagedBytes) {
  EXPECT_EQ(parse_event("default", "/tasks/start",
                        "\x0a\x7f"
                        "abc"),
            std::nullopt);
  EXPECT_EQ(parse_event("default", "/tasks/start", "\xff\xff\xff\xff"), std::nullopt);
}

}  // namespace
}  // namespace containerd
