// containerd_source: publishes the ports of nerdctl's containers in every namespace of a containerd. ports_codec.hpp
// describes where they are noted. A container counts while its task runs or is paused.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sources/containerd/config_reader.hpp"
#include "sources/containerd/containerd_client.hpp"
#include "sources/engine/engine_source.hpp"

namespace containerd {

struct containerd_options {
  std::filesystem::path socket = "/run/k3s/containerd/containerd.sock";
  std::chrono::milliseconds deadline{10'000};                                       // for each call
  engine::engine_options following{.second_list = std::chrono::milliseconds(500)};  // its socket is the one above
};

class containerd_source : public engine::engine_source {
 public:
  containerd_source(const async::executor& where, containerd_options options);

 private:
  async::task<base::result<>> open_connection() override;
  async::task<base::error> read_events() override;
  async::task<base::result<engine::container_list>> list() override;
  async::task<base::result<std::optional<engine::container>>> ask(const std::string& id, unsigned slot) override;
  void disconnect() override;

  async::task<base::result<engine::container>> describe(const std::string& name_space, const container_record& record);
  async::task<base::result<>> list_namespace(const std::string& name, engine::container_list& into);

  async::executor where_;
  containerd_options options_;
  std::unique_ptr<containerd_client> engine_;
  config_reader configs_;
  async::blocking_calls looks_{2};  // at the socket, whose file system may hang
};

}  // namespace containerd
