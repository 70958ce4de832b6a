#include "programs/guest_agent/page_content.hpp"

#include <gmock/gmock.h>

namespace guest_agent {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(page_content, the_policy_names_style_and_script_by_their_digest) {
  const auto made = make_page("<style>@style@</style><script>@script@</script>", "", "alert(1)");
  EXPECT_EQ(made.html, "<style></style><script>alert(1)</script>");
  // printf alert\(1\) | openssl dgst -sha256 -binary | base64
  EXPECT_THAT(made.policy, HasSubstr("script-src 'sha256-bhHHL3z2vDgxUt0W3dWQOrprscmda2Y5pLsLg4GF+pI='"));
  EXPECT_THAT(made.policy, HasSubstr("style-src 'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='"));
  EXPECT_THAT(made.policy, testing::StartsWith("default-src 'none'; "));
  EXPECT_THAT(made.policy, Not(HasSubstr("unsafe")));
}

TEST(page_content, the_files_are_in_the_page_as_they_stand) {
  const auto made = make_page();
  for (const auto file : {web::page_css(), web::model_js(), web::page_js()}) {
    EXPECT_FALSE(file.empty());
    EXPECT_THAT(made.html, HasSubstr(std::string(file)));
    EXPECT_THAT(std::string(file), Not(HasSubstr("</"))) << "it would end its element";
  }
  EXPECT_THAT(made.html, Not(HasSubstr("@style@")));
  EXPECT_THAT(made.html, Not(HasSubstr("@script@")));
}

// One file, from one server.
TEST(page_content, nothing_is_loaded_from_elsewhere) {
  const auto html = make_page().html;
  for (const auto* word : {"src=", "@import", "url(", "http://www", "https://www", "//cdn"})
    EXPECT_THAT(html, Not(HasSubstr(word))) << word;
}

// Names come from containers.
TEST(page_content, text_never_becomes_html) {
  for (const auto file : {web::model_js(), web::page_js()})
    for (const auto* word : {"innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function",
                             "DOMParser", "createContextualFragment", "srcdoc"})
      EXPECT_THAT(std::string(file), Not(HasSubstr(word))) << word;
}

}  // namespace
}  // namespace guest_agent
