#include "sinks/loopback/rule_label.hpp"

#include <gtest/gtest.h>

#include <string>

namespace loopback {
namespace {

TEST(rule_label, a_plain_id_is_its_own_label) {
  for (const std::string id : {"abc", "default/web", "k8s.io-x_1"}) EXPECT_EQ(label_of(id), id);
  EXPECT_EQ(label_of(std::string(200, 'a')), std::string(200, 'a'));
}

TEST(rule_label, other_owners_have_a_common_label) {
  EXPECT_EQ(label_of(""), listener_label);
  for (const std::string& owner : {std::string("a b"), std::string("x\n-F"), std::string("\""), std::string(201, 'a')})
    EXPECT_EQ(label_of(owner), unnamed_label) << owner;
}

}  // namespace
}  // namespace loopback
