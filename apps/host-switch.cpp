// host-switch: listens on the host for the ports of a VM. See src/hostswitch.
#include "hostswitch/host_switch.hpp"

int main(int argc, char** argv) { return program::run<hostswitch::host_switch>(argc, argv); }
