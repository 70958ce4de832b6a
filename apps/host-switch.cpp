// host-switch: listens on the host for the ports of a VM. See src/programs/host_switch.
#include "program/daemon.hpp"
#include "programs/host_switch/host_switch.hpp"

int main(int argc, char** argv) { return program::run<host_switch::host_switch>(argc, argv); }
