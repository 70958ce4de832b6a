// vtunnel: carries TCP between a virtual machine and its host over virtual sockets. See src/programs/vtunnel.
#include "program/daemon.hpp"
#include "programs/vtunnel/tunnel_program.hpp"

int main(int argc, char** argv) { return program::run<vtunnel::tunnel_program>(argc, argv); }
