#include "sources/kubernetes/base64.hpp"

#include <gtest/gtest.h>

namespace kubernetes {
namespace {

TEST(base64, decodes) {
  EXPECT_EQ(decode_base64(""), "");
  EXPECT_EQ(decode_base64("aGFsbG8="), "hallo");
  EXPECT_EQ(decode_base64("aGFs\n bG8="), "hallo");
  EXPECT_EQ(decode_base64("/+8="), "\xff\xef");
  for (const char* wrong : {"a", "aG", "aGF", "a===", "aG=s", "aGFs*", "====", "aGFsbG8=aGFs"})
    EXPECT_FALSE(decode_base64(wrong)) << wrong;
}

TEST(base64, takes_nothing_that_openssl_would_let_pass) {
  for (const auto* text : {"Y2E=Y2Fh", "YW=h", "YWFh-", "YWFhYWF-", "YWFh----", "YWFh====", "====", "YWF\x80"})
    EXPECT_FALSE(decode_base64(text)) << text;
}

}  // namespace
}  // namespace kubernetes
