// A gRPC channel to containerd's socket, and gRPC's outcome of a call as an error of ours.
#pragma once

#include <grpcpp/channel.h>

#include <filesystem>
#include <memory>

#include "base/result.hpp"

namespace containerd {

// Connects with the first call.
[[nodiscard]] std::shared_ptr<grpc::Channel> open_channel(const std::filesystem::path& socket);

// `call` names the call that failed.
[[nodiscard]] base::error to_error(const grpc::Status& status, const char* call);

}  // namespace containerd
