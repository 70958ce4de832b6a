#include "wslproxy/options.hpp"

#include <gmock/gmock.h>

namespace wslproxy {
namespace {

base::result<base::parse_outcome> parse(options& into, const std::vector<std::string>& arguments) {
  return flags_for(into).parse(arguments);
}

TEST(WslProxyOptions, DefaultsAreTheProducts) {
  options o;
  ASSERT_TRUE(parse(o, {}));
  EXPECT_FALSE(o.debug);
  EXPECT_EQ(o.log_file, "/var/log/wsl-proxy.log");
  EXPECT_EQ(o.socket_file, "/run/wsl-proxy.sock");
  EXPECT_EQ(o.upstream.to_string(), "192.168.143.1");
  EXPECT_EQ(o.udp_buffer_bytes, 8'388'608);
}

TEST(WslProxyOptions, TakesTheProductsFlags) {
  options o;
  ASSERT_TRUE(
      parse(o, {"-debug", "--logfile=", "-socketFile", "/x.sock", "-upstreamAddress=10.0.0.1", "-udpBuffer", "65536"}));
  EXPECT_TRUE(o.debug);
  EXPECT_EQ(o.log_file, "");
  EXPECT_EQ(o.socket_file, "/x.sock");
  EXPECT_EQ(o.upstream.to_string(), "10.0.0.1");
  EXPECT_EQ(o.udp_buffer_bytes, 65'536);
}

TEST(WslProxyOptions, RefusesWhatMakesNoSense) {
  for (const std::string word :
       {"-upstreamAddress=host", "-upstreamAddress=", "-upstreamAddress=0.0.0.0", "-upstreamAddress=1.2.3.4:80",
        "-udpBuffer=-1", "-udpBuffer=x", "-udpBuffer=9999999999", "-socket=/x"}) {
    options o;
    EXPECT_FALSE(parse(o, {word})) << word;
  }
}

TEST(WslProxyOptions, TheUsageNamesEveryFlag) {
  options o;
  const auto usage = flags_for(o).usage();
  for (const auto* word :
       {"-debug", "-logfile", "-socketFile", "-upstreamAddress", "-udpBuffer", "192.168.143.1", "8388608"})
    EXPECT_THAT(usage, testing::HasSubstr(word));
}

}  // namespace
}  // namespace wslproxy
