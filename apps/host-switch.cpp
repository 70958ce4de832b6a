// host-switch: listens on the host for the ports of a VM.
#include "hostswitch/host_switch.hpp"

int main(int argc, char** argv) { return hostswitch::run(argc, argv); }
