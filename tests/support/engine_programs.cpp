#include "tests/support/engine_programs.hpp"

#include <fmt/format.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/text.hpp"

namespace support {
namespace {

namespace fs = std::filesystem;

constexpr const char* usual_cni_plugins = "/usr/lib/cni";

std::string named_by(const char* variable, const char* otherwise) {
  const char* value = ::getenv(variable);
  return value != nullptr && *value != '\0' ? value : otherwise;
}

}  // namespace

std::string dockerd_program() { return named_by("DOCKERD", "dockerd"); }
std::string docker_program() { return named_by("DOCKER", "docker"); }
std::string containerd_program() { return named_by("CONTAINERD", "containerd"); }

std::string ctr_program() {
  const auto beside = fs::path(containerd_program()).parent_path() / "ctr";
  return beside.has_parent_path() && is_program(beside) ? beside.string() : "ctr";
}

fs::path cni_plugins() { return named_by("CNI_PLUGINS", usual_cni_plugins); }
bool cni_plugins_are_named() { return cni_plugins() != usual_cni_plugins; }

std::string path_for(const fs::path& tools, const std::string& program) {
  const auto own = fs::path(program).parent_path().string();
  return fmt::format("PATH={}:{}{}{}", tools.string(), own, own.empty() ? "" : ":", ::getenv("PATH"));
}

bool is_program(const std::string& program) {
  if (program.contains('/')) return ::access(program.c_str(), X_OK) == 0;
  for (const auto directory : base::split(::getenv("PATH"), ':'))
    if (::access((fs::path(directory) / program).c_str(), X_OK) == 0) return true;
  return false;
}

}  // namespace support
