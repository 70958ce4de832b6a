#include "sources/kubernetes/services_codec.hpp"

#include <gmock/gmock.h>
#include <malloc.h>

#include <algorithm>

namespace kubernetes {
namespace {

const std::string page =
    R"({"kind":"ServiceList","apiVersion":"v1","metadata":{"resourceVersion":"42","continue":"next"},"items":[
 {"metadata":{"name":"web","namespace":"shop","uid":"u1","labels":{"name":"not this","app.x.io/tier":"front"},"managedFields":[{"name":"nor this","f:spec":{"type":{}}}]},
  "spec":{"ports":[{"name":"http","protocol":"TCP","port":80,"targetPort":8080,"nodePort":30080},{"port":53,"protocol":"UDP"}],
          "selector":{"type":"not this either"},"type":"NodePort"},"status":{"loadBalancer":{"ingress":[{"ports":[{"port":1}]}]}}},
 {"spec":{"type":"ClusterIP"},"metadata":{"namespace":"shop","name":"db"}}]})";

TEST(list_reader, reads_what_is_needed_and_nothing_else) {
  list_reader reader;
  const auto services = reader.feed(page);
  ASSERT_TRUE(services);
  const auto end = reader.finish();
  ASSERT_TRUE(end) << end.error().message();
  EXPECT_EQ(end->resource_version, "42");
  EXPECT_EQ(end->continue_token, "next");
  ASSERT_EQ(services->size(), 2U);
  const auto& web = services->at(0);
  EXPECT_EQ(web.name_space + "/" + web.name + " " + web.uid + " " + web.type, "shop/web u1 NodePort");
  ASSERT_EQ(web.ports.size(), 2U);
  EXPECT_EQ(web.ports[0].port, 80);
  EXPECT_EQ(web.ports[0].node_port, 30'080);
  EXPECT_EQ(web.ports[1].protocol, "UDP");
  EXPECT_EQ(web.ports[1].node_port, 0);
  EXPECT_THAT(web.labels,
              testing::ElementsAre(testing::Pair("name", "not this"), testing::Pair("app.x.io/tier", "front")));
  EXPECT_EQ(services->at(1).name, "db");
  EXPECT_TRUE(services->at(1).ports.empty());
}

bool reads_all_labels(const std::string& labels) {
  list_reader reader;
  const auto services = reader.feed(R"({"items":[{"metadata":{"name":"web","labels":{)" + labels + "}}}]}");
  return services.value().at(0).labels_complete;
}

TEST(list_reader, says_that_labels_are_missing) {
  const auto label = [](const std::string& key, const std::string& value) {
    return '"' + key + R"(":")" + value + '"';
  };
  std::string many = label("a", "");
  for (int i = 1; i < 256; ++i) many += ',' + label("k" + std::to_string(i), "");
  EXPECT_TRUE(reads_all_labels(many));
  EXPECT_FALSE(reads_all_labels(many + ',' + label("z", "")));
  EXPECT_TRUE(reads_all_labels(label(std::string(317, 'k'), "x"))) << "the longest that Kubernetes allows";
  EXPECT_FALSE(reads_all_labels(label(std::string(320, 'k'), "x")));
  EXPECT_FALSE(reads_all_labels(label("k", std::string(321, 'x'))));
}

TEST(list_reader, it_does_not_matter_where_the_pieces_are_cut) {
  for (std::size_t cut = 0; cut <= page.size(); ++cut) {
    list_reader reader;
    auto services = reader.feed(std::string_view(page).substr(0, cut));
    ASSERT_TRUE(services);
    const auto rest = reader.feed(std::string_view(page).substr(cut));
    ASSERT_TRUE(rest);
    services->insert(services->end(), rest->begin(), rest->end());
    const auto end = reader.finish();
    ASSERT_TRUE(end) << cut;
    EXPECT_EQ(services->at(0).ports.at(0).node_port, 30'080);
    EXPECT_EQ(services->size(), 2U);
    EXPECT_EQ(end->continue_token, "next");
  }
}

TEST(list_reader, what_is_incomplete_or_no_list_is_an_error) {
  for (const std::size_t length : {std::size_t{0}, std::size_t{1}, page.size() - 1}) {
    list_reader reader;
    ASSERT_TRUE(reader.feed(std::string_view(page).substr(0, length)));
    EXPECT_FALSE(reader.finish()) << length;
  }
  for (const char* text : {"{}", R"({"kind":"Status","code":500})", R"({"kind":"ServiceList"})",
                           R"({"kind":"PodList","metadata":{"resourceVersion":"1"}})"}) {
    list_reader reader;
    ASSERT_TRUE(reader.feed(text));
    EXPECT_FALSE(reader.finish()) << text;
  }
  list_reader reader;
  EXPECT_FALSE(reader.feed("<html>"));
  list_reader two;
  EXPECT_FALSE(two.feed(page + "{}"));
  list_reader deep;
  EXPECT_FALSE(deep.feed(std::string(1000, '[')));
}

TEST(list_reader, a_huge_object_takes_no_memory) {
  list_reader reader;
  ASSERT_TRUE(reader.feed(R"({"kind":"ServiceList","items":[{"metadata":{"name":"huge","annotations":{"a":")"));
  const auto in_use = [] {
    const auto now = ::mallinfo2();
    return now.uordblks + now.hblkhd;
  };
  const std::string piece(32 << 10, 'x');
  const auto before = in_use();
  auto most = before;
  for (int i = 0; i < 2'048; ++i) {
    ASSERT_TRUE(reader.feed(piece));
    most = std::max(most, in_use());
  }
  EXPECT_LT(most - before, 1U << 20) << "of 64 MiB";
  const auto services = reader.feed(R"("}},"spec":{"ports":[{"port":80}]}}],"metadata":{"resourceVersion":"1"}})");
  ASSERT_TRUE(services);
  EXPECT_TRUE(reader.finish());
  EXPECT_EQ(services->at(0).name, "huge");
}

TEST(watch_reader, one_document_after_the_other) {
  const std::string stream =
      R"({"type":"ADDED","object":{"metadata":{"name":"a","namespace":"x","resourceVersion":"7"},"spec":{"type":"NodePort","ports":[{"nodePort":30001}]}}})"
      "\n"
      R"({"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"9"}}})"
      "\n"
      R"({"type":"ERROR","object":{"kind":"Status","code":410,"message":"too old"}})"
      "\n";
  for (std::size_t cut = 0; cut <= stream.size(); ++cut) {
    watch_reader reader;
    auto events = reader.feed(std::string_view(stream).substr(0, cut));
    ASSERT_TRUE(events);
    const auto rest = reader.feed(std::string_view(stream).substr(cut));
    ASSERT_TRUE(rest) << cut;
    events->insert(events->end(), rest->begin(), rest->end());
    ASSERT_EQ(events->size(), 3U) << cut;
    EXPECT_EQ((*events)[0].what, change::added);
    EXPECT_EQ((*events)[0].service.name, "a");
    EXPECT_EQ((*events)[0].service.ports.at(0).node_port, 30'001);
    EXPECT_EQ((*events)[0].resource_version, "7");
    EXPECT_EQ((*events)[1].what, change::bookmark);
    EXPECT_TRUE((*events)[1].service.name.empty()) << "nothing of the event before";
    EXPECT_EQ((*events)[2].code, 410);
    EXPECT_EQ((*events)[2].message, "too old");
  }
}

TEST(watch_reader, long_texts_are_cut) {
  watch_reader reader;
  const auto events =
      reader.feed(R"({"type":"ADDED","object":{"metadata":{"name":")" + std::string(100'000, 'n') + R"("}}})");
  ASSERT_TRUE(events);
  EXPECT_EQ(events->at(0).service.name.size(), 320U);
}

}  // namespace
}  // namespace kubernetes
