#include "sources/containerd/api_codec.hpp"

#include <gmock/gmock.h>

namespace containerd {
namespace {

using namespace std::string_literals;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

// A text, bytes or message as field `number`; and a number.
std::string field(int number, const std::string& text) {
  return std::string{static_cast<char>(number << 3 | 2), static_cast<char>(text.size())} + text;
}
std::string field(int number, int value) {
  return std::string{static_cast<char>(number << 3), static_cast<char>(value)};
}

TEST(api_codec, requests) {
  constexpr std::string_view filters[] = {"a", "bc"};
  EXPECT_EQ(make_filters(filters), field(1, "a") + field(1, "bc"));
  EXPECT_EQ(make_id("abc"), field(1, "abc"));
}

TEST(api_codec, namespaces) {
  const auto response = field(1, field(1, "default") + field(2, "a label")) + field(1, field(1, "../etc")) +
                        field(1, "") + field(1, field(1, "k8s.io"));
  EXPECT_THAT(parse_namespaces(response).value(), ElementsAre("default", "k8s.io"));
  EXPECT_THAT(parse_namespaces("").value(), IsEmpty());
}

TEST(api_codec, containers) {
  const auto label = field(2, field(1, "key") + field(2, "value"));
  const auto response = field(1, field(1, "a") + label + field(2, field(1, "empty")) + field(3, "an image")) +
                        field(1, field(1, "a/../b") + label) + field(1, label);
  const auto records = parse_containers(response).value();
  ASSERT_EQ(records.size(), 1U);
  EXPECT_EQ(records[0].id, "a");
  EXPECT_EQ(records[0].image, "an image");
  EXPECT_THAT(records[0].labels, ElementsAre(Pair("empty", ""), Pair("key", "value")));
}

TEST(api_codec, the_last_of_two_equal_labels_counts) {
  const auto twice = field(2, field(1, "key") + field(2, "old")) + field(2, field(2, "new") + field(1, "key"));
  EXPECT_THAT(parse_container(field(1, field(1, "a") + twice))->labels, ElementsAre(Pair("key", "new")));
}

TEST(api_codec, a_list_is_read_part_by_part) {
  std::string list;
  for (const auto* id : {"a", "b", "c", "d", "e"}) list += field(1, field(1, id)) + field(3, 7);
  for (const std::size_t enough : {1U, 6U, 8U, 1'000U}) {
    std::vector<std::string> ids;
    std::size_t parts = 0;
    for (std::string_view rest = list; !rest.empty(); ++parts) {
      const auto part = take_fields(rest, enough).value();
      EXPECT_LT(part.size(), enough + 5) << "more than one field above the bound";
      for (const auto& record : parse_containers(part).value()) ids.push_back(record.id);
    }
    EXPECT_THAT(ids, ElementsAre("a", "b", "c", "d", "e"));
    EXPECT_EQ(parts, enough == 1 ? 10U : enough == 1'000 ? 1U : enough == 6 ? 5U : 4U);
  }
  std::string_view damaged = "\x0a\x7f";
  EXPECT_FALSE(take_fields(damaged, 1));
  std::string_view none;
  EXPECT_EQ(take_fields(none, 1).value(), "");
}

TEST(api_codec, a_container_may_be_missing) { EXPECT_EQ(parse_container("")->id, ""); }

TEST(api_codec, tasks_by_either_id) {
  const auto response = field(1, field(2, "a") + field(3, 77) + field(4, 2)) +
                        field(1, field(1, "b") + field(2, "an exec's") + field(4, 3)) + field(1, field(2, "c"));
  EXPECT_THAT(parse_tasks(response).value(),
              ElementsAre(Pair("a", task_state::runs), Pair("b", task_state::ended), Pair("c", task_state::unknown)));
}

TEST(api_codec, states_of_a_task) {
  const std::pair<int, task_state> all[] = {{0, task_state::unknown}, {1, task_state::ended}, {2, task_state::runs},
                                            {3, task_state::ended},   {4, task_state::runs},  {5, task_state::runs},
                                            {6, task_state::unknown}};
  for (const auto& [number, state] : all) EXPECT_EQ(parse_task(field(1, field(4, number))).value(), state) << number;
  EXPECT_EQ(parse_task("").value(), task_state::unknown);
}

TEST(api_codec, an_envelope) {
  const auto message = field(1, "a time") + field(2, "default") + field(3, "/tasks/start") +
                       field(4, field(1, "a type") + field(2, "payload"));
  const auto made = parse_envelope(message).value();
  EXPECT_EQ(made.name_space, "default");
  EXPECT_EQ(made.topic, "/tasks/start");
  EXPECT_EQ(made.payload, "payload");
  EXPECT_EQ(parse_envelope("").value().topic, "");
}

// Another type than expected is a field that is not known.
TEST(api_codec, fields_of_another_type_are_skipped) {
  const auto fixed = "\x09"s + "12345678" + "\x15" + "1234";  // of eight bytes as field 1, of four as field 2
  EXPECT_THAT(parse_namespaces(field(1, 5) + fixed).value(), IsEmpty());
  EXPECT_THAT(parse_containers(field(1, field(1, 5) + field(1, "a") + field(2, 5) + fixed)).value()[0].labels,
              IsEmpty());
  EXPECT_EQ(parse_task(field(1, field(4, "running"))).value(), task_state::unknown);
}

TEST(api_codec, damaged_bytes_are_an_error_at_every_depth) {
  for (const auto& bytes : {"\xff\xff\xff\xff"s, "\x0a\x7f"s, "\x0b"s, "\x00"s, "\x08"s, "\x0d\x01"s}) {
    const auto inner = field(1, bytes);
    EXPECT_FALSE(parse_namespaces(bytes));
    EXPECT_FALSE(parse_namespaces(inner));
    EXPECT_FALSE(parse_containers(inner + field(1, field(1, "a"))));
    EXPECT_FALSE(parse_containers(field(1, field(1, "a") + field(2, bytes))));
    EXPECT_FALSE(parse_container(inner));
    EXPECT_FALSE(parse_tasks(inner));
    EXPECT_FALSE(parse_task(inner));
    EXPECT_FALSE(parse_envelope(bytes));
    EXPECT_FALSE(parse_envelope(field(4, bytes)));
  }
}

}  // namespace
}  // namespace containerd
