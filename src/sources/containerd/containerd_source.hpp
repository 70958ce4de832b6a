// containerd_source: the ports that nerdctl's containers publish, in every namespace of a containerd. What
// ports_codec.hpp describes is read from the containers; a container counts while its task runs or is paused.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "containers/engine_source.hpp"
#include "sources/containerd/config_reader.hpp"
#include "sources/containerd/containerd_client.hpp"

namespace containerd {

struct containerd_options {
  std::filesystem::path socket = "/run/k3s/containerd/containerd.sock";
  std::chrono::milliseconds deadline{10'000};                                           // for each call
  containers::engine_options following{.second_list = std::chrono::milliseconds(500)};  // its socket is the one above
};

class containerd_source : public containers::engine_source {
 public:
  containerd_source(const io::executor& where, containerd_options options);

 private:
  io::task<base::result<>> connect() override;
  io::task<base::error> read_events() override;
  io::task<base::result<containers::container_list>> list() override;
  io::task<base::result<std::optional<containers::container>>> ask(const std::string& id, unsigned slot) override;
  void disconnect() override;

  io::task<base::result<containers::container>> describe(const std::string& name_space, const container_record& record);
  io::task<base::result<>> list_namespace(const std::string& name, containers::container_list& into);

  io::executor where_;
  containerd_options options_;
  std::optional<containerd_client> engine_;
  config_reader configs_;
  io::blocking_calls looks_{2};  // at the socket, whose file system may hang
};

}  // namespace containerd
