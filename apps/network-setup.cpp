// network-setup: the VM's network: the handshake with host-switch, the engine's namespace, vm-switch. See
// src/programs/network_setup.
#include "program/daemon.hpp"
#include "programs/network_setup/network_setup.hpp"

int main(int argc, char** argv) { return program::run<network_setup::network_setup>(argc, argv); }
