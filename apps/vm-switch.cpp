// vm-switch: the VM's end of the virtual network: a tap interface and the link to host-switch. See
// src/programs/vm_switch.
#include "program/daemon.hpp"
#include "programs/vm_switch/vm_switch.hpp"

int main(int argc, char** argv) { return program::run<vm_switch::vm_switch>(argc, argv); }
