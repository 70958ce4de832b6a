// host-switch, Linux edition: holds on the host the ports that a VM's guest agent exposes.
#pragma once

namespace hostswitch {

// The whole program; answers its exit code.
int run(int argc, const char* const* argv);

}  // namespace hostswitch
