#include "sources/containerd/channel.hpp"

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/channel_arguments.h>

#include <filesystem>
#include <memory>
#include <string>
#include <system_error>

#include "base/result.hpp"
#include "base/text.hpp"

namespace containerd {
namespace {

constexpr int longest_message = 64 << 20;

// gRPC takes a URI: characters with a meaning in one are escaped.
std::string target(const std::filesystem::path& socket) {
  std::string text = "unix:";
  for (const char c : socket.string()) {
    if (c == '%' || c == '?' || c == '#')
      text += c == '%' ? "%25" : c == '?' ? "%3F" : "%23";
    else
      text += c;
  }
  return text;
}

}  // namespace

std::shared_ptr<grpc::Channel> open_channel(const std::filesystem::path& socket) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);  // no memory of the failures of other channels
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  arguments.SetMaxReceiveMessageSize(longest_message);
  arguments.SetString(GRPC_ARG_DEFAULT_AUTHORITY, "localhost");
  return grpc::CreateCustomChannel(target(socket), grpc::InsecureChannelCredentials(), arguments);
}

base::error to_error(const grpc::Status& status, const char* call) {
  const auto text = std::string(call) + ": " + base::printable(status.error_message());
  switch (status.error_code()) {
    case grpc::StatusCode::NOT_FOUND: return {std::make_error_code(std::errc::no_such_file_or_directory), text};
    case grpc::StatusCode::DEADLINE_EXCEEDED: return {std::make_error_code(std::errc::timed_out), call};
    default: return {{}, text};
  }
}

}  // namespace containerd
